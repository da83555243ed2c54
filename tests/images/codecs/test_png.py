"""PNG files of any size."""

import numpy as np

from srgan_cli.images.formats import Encoding
from srgan_cli.images.read import read_bytes
from srgan_cli.images.write import encode


def test_bands_of_a_large_png_join(make):
    image = make(700, 801, 3, np.uint16)
    assert np.array_equal(read_bytes(encode(image, Encoding("png")), "x").pixels, image.pixels)

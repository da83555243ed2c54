"""A header tells without decoding what reading finds."""

import numpy as np
import pytest
from image_helpers import fits

from srgan_cli.images.formats import FORMAT_BY_SUFFIX
from srgan_cli.images.header import read_header
from srgan_cli.images.read import read_image
from srgan_cli.images.write import write_image


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", sorted(FORMAT_BY_SUFFIX))
def test_probe_knows_without_decoding_what_reading_finds(make, tmp_path, suffix, channels, dtype):
    path = tmp_path / f"a{suffix}"
    if not fits(FORMAT_BY_SUFFIX[suffix], 33, 47, channels, dtype):
        pytest.skip("the format holds no such image")
    write_image(make(33, 47, channels, dtype), path)
    found, image = read_header(path), read_image(path)
    assert (found.format, found.width, found.height) == (FORMAT_BY_SUFFIX[suffix], 47, 33)
    assert (found.depth, found.alpha) == (image.depth, image.alpha is not None)
    assert (found.frames, found.animated) == (1, False)

"""What Pillow encodes has the quality that was asked for."""

import numpy as np
import pytest
from PIL import Image as Pillow

from srgan_cli.images.formats import Encoding
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.read import read_bytes
from srgan_cli.images.write import encode, write_image


@pytest.mark.parametrize("name", ["webp", "png", "tiff", "jpeg2000", "tga"])
def test_lossless_returns_the_very_samples(name):
    noise = np.random.default_rng(1).integers(0, 256, (40, 50, 4), dtype=np.uint8)
    image = Image(noise[..., :3], noise[..., 3])
    back = read_bytes(encode(image, Encoding(name, lossless=True)), "-.tga")
    assert np.array_equal(back.array, noise)


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "jpeg2000"])
def test_quality_decides_the_size(name):
    noise = Image(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    sizes = [len(encode(noise, Encoding(name, quality=quality))) for quality in (20, 60, 95)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2] / 1.5


def test_jpeg_keeps_the_chroma_of_every_pixel(make, tmp_path):
    write_image(make(), tmp_path / "a.jpg")
    with Pillow.open(tmp_path / "a.jpg") as opened:
        assert {component[1:3] for component in opened.layer} == {(1, 1)}


def test_a_large_noisy_jpeg_does_not_fail():
    noise = np.random.default_rng(1).integers(0, 256, (900, 900, 3), dtype=np.uint8)
    assert read_bytes(encode(Image(noise), Encoding("jpeg", quality=100)), "x").height == 900


def test_a_gif_of_a_photograph_has_256_colors_a_frame():
    noise = np.random.default_rng(3).integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)
    data = encode(ImageSequence(tuple(map(Image, noise)), (50, 50), 0), Encoding("gif"))
    for frame in read_bytes(data, "x").images:
        assert len(np.unique(frame.pixels.reshape(-1, 3), axis=0)) <= 256

"""An image checks what it is made of."""

import numpy as np
import pytest

from srgan_cli.images.image import Image, ImageSequence, crop_center, to_rgb_uint8


@pytest.mark.parametrize(
    ("pixels", "alpha"),
    [
        (np.zeros((2, 2), np.uint8), None),
        (np.zeros((2, 2, 4), np.uint8), None),
        (np.zeros((0, 2, 3), np.uint8), None),
        (np.zeros((2, 2, 3), np.float32), None),
        (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint16)),
        (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3), np.uint8)),
    ],
)
def test_an_image_checks_its_arrays(pixels, alpha):
    with pytest.raises(ValueError, match=r"pixels are|alpha is"):
        Image(pixels, alpha)


def test_gray_is_equal_channels():
    gray = np.repeat(np.arange(12, dtype=np.uint8).reshape(3, 4, 1), 3, axis=2)
    assert Image(gray).gray
    assert not Image(gray + np.array([0, 0, 1], np.uint8)).gray


def test_a_sequence_checks_its_durations(make):
    with pytest.raises(ValueError, match="a duration for each"):
        ImageSequence((make(),), (1, 2))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_pixels_become_rgb_of_8_bits(channels: int, dtype: type) -> None:
    white = np.iinfo(dtype).max
    made = to_rgb_uint8(np.full((2, 3, channels), white, dtype))

    assert made.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(made, np.full((2, 3, 3), 255, np.uint8), strict=True)


def test_a_center_is_no_larger_than_the_image() -> None:
    pixels = np.arange(5 * 8).reshape(5, 8)

    np.testing.assert_array_equal(crop_center(pixels, 4), pixels[:4, 2:6])
    np.testing.assert_array_equal(crop_center(pixels, 6), pixels[:, 1:7])
    np.testing.assert_array_equal(crop_center(pixels, 9), pixels)

"""An image checks what it is made of."""

import numpy as np
import pytest

from srgan_cli.images.image import Image, ImageSequence


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

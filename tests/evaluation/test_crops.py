"""CropOptions of a picture, by hand and by detail."""

import numpy as np
import pytest
from helpers import noise

from srgan_cli.errors import ImageError, OptionError
from srgan_cli.evaluation.crops import Crop, cut, detailed_crops, parse_crop
from srgan_cli.images.image import Image


def test_a_crop_in_words() -> None:
    assert parse_crop("1,2,3,4") == Crop(1, 2, 3, 4)
    for wrong in ("1,2,3", "a,b,c,d", "-1,0,4,4", "0,0,0,4"):
        with pytest.raises(OptionError, match="is not a crop"):
            parse_crop(wrong)


def test_crops_change_size_without_losing_a_pixel() -> None:
    assert Crop(1, 2, 3, 4).times(2) == Crop(2, 4, 6, 8)
    assert Crop(5, 4, 4, 4).downscaled(4) == Crop(1, 1, 2, 1)
    assert Crop(0, 2, 8, 5).middle() == Crop(2, 3, 4, 2)
    assert Crop(1, 2, 3, 4).with_margin(2, noise(7, 10)) == Crop(0, 0, 6, 7)


def test_a_crop_outside_of_the_picture_is_refused() -> None:
    with pytest.raises(ImageError, match="outside of an image of 20 x 10"):
        cut(noise(10, 20), Crop(15, 0, 6, 5))


def test_the_most_detailed_crops_are_found_and_do_not_overlap() -> None:
    pixels = np.full((60, 80, 3), 128, np.uint8)
    pixels[30:46, 50:66] = noise(16, 16).pixels
    pixels[1:17, 4:20] = noise(16, 16).pixels // 4

    first, second = detailed_crops(Image(pixels), 16, 2)

    assert first == Crop(50, 30, 16, 16)
    assert not set(range(4, 20)).isdisjoint(range(second.x, second.x + 16))
    assert second.x + 16 <= first.x


def test_a_picture_smaller_than_the_crop_is_shown_whole() -> None:
    assert detailed_crops(noise(10, 12), 64, 2) == [Crop(0, 0, 12, 10)]

"""CropOptions of an image, by hand and by detail."""

import numpy as np
import pytest
from helpers import noise

from srgan_cli.errors import ImageError, OptionError
from srgan_cli.evaluation.crops import Crop, center_crops, cut, detailed_crops, parse_crop
from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image


def test_a_crop_in_words() -> None:
    assert parse_crop("1,2,3,4") == Crop(1, 2, 3, 4)
    for wrong in ("1,2,3", "a,b,c,d", "-1,0,4,4", "0,0,0,4"):
        with pytest.raises(OptionError, match="is not a crop"):
            parse_crop(wrong)


def test_center_crops_are_rgb_in_0_to_1_of_images_far_apart(tmp_path) -> None:
    for number in range(5):
        gray = np.full((9, 30 if number else 4, 1), 51 * number, np.uint8)
        write_image(Image(gray), tmp_path / f"{number}.png")
    found = center_crops(tmp_path, 6, 2)
    assert [tuple(one.shape) for one in found] == [(1, 3, 6, 4), (1, 3, 6, 6)]
    assert [one.unique().item() for one in found] == [0.0, pytest.approx(0.4)]
    assert len(center_crops(tmp_path, 6, 9)) == 5
    image = noise(8, 8)
    write_image(image, tmp_path / "0.png")
    expected = image.pixels[1:7, 1:7].transpose(2, 0, 1) / 255
    np.testing.assert_allclose(center_crops(tmp_path / "0.png", 6, 1)[0][0].numpy(), expected)


def test_crops_change_size_without_losing_a_pixel() -> None:
    assert Crop(1, 2, 3, 4).times(2) == Crop(2, 4, 6, 8)
    assert Crop(5, 4, 4, 4).downscaled(4) == Crop(1, 1, 2, 1)
    assert Crop(0, 2, 8, 5).middle() == Crop(2, 3, 4, 2)
    assert Crop(1, 2, 3, 4).with_margin(2, noise(7, 10)) == Crop(0, 0, 6, 7)


def test_a_crop_outside_of_the_image_is_refused() -> None:
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


def test_an_image_smaller_than_the_crop_is_shown_whole() -> None:
    assert detailed_crops(noise(10, 12), 64, 2) == [Crop(0, 0, 12, 10)]

"""No fringes: colors beside transparent pixels."""

import numpy as np
import pytest

from srgan_cli.images.image import Image
from srgan_cli.inference.pipeline import resize_image
from srgan_cli.inference.row_streams import spread_visible_colors
from srgan_cli.resample import resize_array
from srgan_cli.settings import ImageSize

SIDE = 128


def disc() -> Image:
    """A red disc with a soft edge; black hides under what is transparent."""
    y, x = np.mgrid[:SIDE, :SIDE]
    distance = np.hypot(x - 63.5, y - 63.5)
    alpha = np.rint(np.clip(40.5 - distance, 0, 1) * 255).astype(np.uint8)
    return Image((alpha > 0)[..., None] * np.array([230, 50, 30], np.uint8), alpha)


def over(image: Image, ground: float) -> np.ndarray:
    share = image.alpha[..., None] / 255
    return image.pixels * share + ground * (1 - share)


def shrunk(image: Image, height: int, width: int) -> np.ndarray:
    return resize_image(image, ImageSize(height, width)).pixels


def error(image: Image, truth: Image) -> float:
    return max(np.abs(over(image, g) - over(truth, g)).mean() for g in (0.0, 128.0, 255.0))


def test_hidden_colors_are_replaced_by_the_nearest_visible_and_visible_ones_stay():
    pixels = np.array([[[9], [7], [0], [0], [5]]], np.uint8)
    alpha = np.array([[255, 1, 0, 0, 255]], np.uint8)
    assert spread_visible_colors(Image(pixels, alpha))[0, :, 0].tolist() == [9, 7, 7, 5, 5]


@pytest.mark.parametrize("level", [0, 255])
def test_nothing_to_spread_or_nothing_to_spread_from(level):
    image = Image(np.arange(12, dtype=np.uint8).reshape(2, 2, 3), np.full((2, 2), level, np.uint8))
    np.testing.assert_array_equal(spread_visible_colors(image), image.pixels)


def test_bled_colors_upscale_better_than_hidden_and_premultiplied_ones():
    truth = disc()
    low = resize_image(truth, ImageSize(SIDE // 4, SIDE // 4))

    def enlarged(pixels: np.ndarray) -> Image:
        alpha = resize_array(low.alpha, SIDE, SIDE)
        return Image(resize_array(pixels.astype(np.uint8), SIDE, SIDE), alpha)

    hidden = enlarged(np.where(low.alpha[..., None] == 0, 0, low.pixels))
    multiplied = enlarged(np.rint(low.pixels * (low.alpha[..., None] / 255)))
    divided = multiplied.pixels / np.maximum(multiplied.alpha[..., None] / 255, 1 / 255)
    divided = Image(np.rint(divided).clip(0, 255).astype(np.uint8), multiplied.alpha)
    spread = error(enlarged(spread_visible_colors(low)), truth)
    assert spread < error(hidden, truth)
    assert spread <= error(divided, truth)


def test_shrinking_gives_no_color_to_what_is_hardly_there():
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, :4], pixels[:, 4:] = (255, 0, 0), (0, 255, 0)
    alpha = np.full((8, 8), 255, np.uint8)
    alpha[:, 4:] = 1
    made = shrunk(Image(pixels, alpha), 2, 2)
    assert made[0, 0, 0] > 250
    whole = shrunk(Image(pixels, alpha), 1, 1)
    assert whole[0, 0, 0] > 250
    assert whole[0, 0, 1] < 5


def test_shrinking_keeps_depth_and_what_is_under_clear_pixels():
    pixels = np.full((8, 8, 1), 40_000, np.uint16)
    made = shrunk(Image(pixels, np.zeros((8, 8), np.uint16)), 3, 3)
    assert made.dtype == np.uint16
    assert (made == 40_000).all()

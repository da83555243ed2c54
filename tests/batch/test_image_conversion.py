"""--frame, --background and --depth: what becomes of an image before it is upscaled."""

import numpy as np
import pytest

from srgan_cli.batch.image_conversion import convert_header, convert_image
from srgan_cli.errors import ImageError, OptionError
from srgan_cli.images.header import Header
from srgan_cli.images.image import Image, ImageSequence, LazyImage, blank
from srgan_cli.settings import Conversion


def pixel(*samples: int, depth: int = 8) -> Image:
    return Image.from_samples(np.array([[samples]], f"u{depth // 8}"))


def test_transparency_shows_the_background():
    flat = convert_image(pixel(200, 100, 0, 0), Conversion(background=(1, 2, 3)))
    assert flat.array.tolist() == [[[1, 2, 3]]]
    half = convert_image(pixel(0, 0, 65535 // 3, depth=16), Conversion(background=(255,) * 3))
    assert half.array.tolist() == [[[0, 0, 65535 // 3]]]  # without alpha nothing changes
    half = convert_image(pixel(0, 65535 // 3, depth=16), Conversion(background=(255, 255, 255)))
    assert half.array.tolist() == [[[43690]]]
    red = convert_image(pixel(90, 0), Conversion(background=(255, 0, 0)))
    assert red.array.tolist() == [[[255, 0, 0]]]  # behind gray


def test_samples_are_rounded_and_widened():
    assert convert_image(
        pixel(65535, 32767, 128, depth=16), Conversion(depth=8)
    ).array.tolist() == [[[255, 127, 0]]]
    wide = convert_image(pixel(0, 1, 255, 128), Conversion(depth=16))
    assert wide.array.tolist() == [[[0, 257, 65535, 128 * 257]]]
    assert wide.depth == 16


def test_one_frame_is_no_animation():
    frames = ImageSequence((pixel(1), pixel(2), pixel(3)), durations=(5, 5, 5), loop=0)
    assert convert_image(frames, Conversion(frame=2)).array.tolist() == [[[2]]]
    assert len(convert_image(frames, Conversion(depth=16)).images) == 3
    with pytest.raises(ImageError, match="3 frames"):
        convert_image(frames, Conversion(frame=4))
    with pytest.raises(OptionError):
        Conversion(frame=0)


def test_rows_of_a_large_file_are_converted_when_they_are_read():
    stored = LazyImage(
        blank(4, 3, 3, "u2"), lambda top, bottom: np.full((bottom - top, 3, 3), 65535, "u2")
    )
    found = convert_image(stored, Conversion(depth=8, frame=1))
    assert isinstance(found, LazyImage)
    assert found.image.depth == 8
    assert found.rows(1, 3).dtype == np.uint8
    assert found.rows(1, 3).min() == 255


def test_a_header_changes_alike():
    header = Header("GIF", 4, 5, 16, alpha=True, frames=9, animated=True)
    found = convert_header(header, Conversion(frame=9, background=(0, 0, 0), depth=8))
    assert found == Header("GIF", 4, 5, 8, alpha=False)
    with pytest.raises(ImageError, match="9 frames"):
        convert_header(header, Conversion(frame=10))

"""Animations and pages keep their looks, their times and their number."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from srgan_cli.errors import ImageError
from srgan_cli.images.formats import Encoding
from srgan_cli.images.header import read_header
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.read import read_bytes, read_frames, read_image
from srgan_cli.images.write import encode, write_image

TIMES = (40, 120, 1000)


def moving(channels: int = 3, frames: int = 3) -> tuple[Image, ...]:
    """A square that wanders over a plain ground, transparent if there is alpha."""
    images = []
    for i in range(frames):
        samples = np.full((20, 30, channels), 0 if channels == 4 else 200, np.uint8)
        samples[4:9, 5 * i + 2 : 5 * i + 8] = [250, 10, 60, 255][:channels]
        pixels, alpha = samples[..., :3], samples[..., 3] if channels == 4 else None
        images.append(Image(np.ascontiguousarray(pixels), alpha))
    return tuple(images)


def seen(image: Image) -> np.ndarray:
    """As over black."""
    shown = image.pixels.astype(float)
    return shown if image.alpha is None else shown * (image.alpha[..., None] / 255)


@pytest.mark.parametrize("name", ["gif", "png", "webp"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("loop", [0, 1, 5])
def test_an_animation_looks_and_lasts_the_same(name, channels, loop):
    sequence = ImageSequence(moving(channels), TIMES, loop)
    back = read_bytes(encode(sequence, Encoding(name, lossless=name == "webp")), "x")
    assert isinstance(back, ImageSequence)
    assert (back.durations, back.loop) == (TIMES, loop)
    for before, after in zip(sequence.images, back.images, strict=True):
        assert np.array_equal(seen(before), seen(after))


def test_animated_avif_is_read_and_written():
    back = read_bytes(encode(ImageSequence(moving(), TIMES, 0), Encoding("avif")), "x")
    assert (len(back.images), back.durations) == (3, TIMES)


def test_equal_frames_of_apng_stay_frames():
    frame = moving()[0]
    back = read_bytes(encode(ImageSequence((frame,) * 3, TIMES, 0), Encoding("png")), "x")
    assert back.durations == TIMES


def test_equal_frames_of_gif_last_as_long_together():
    frame, other = moving()[:2]
    data = encode(ImageSequence((frame, frame, other), TIMES, 0), Encoding("gif"))
    assert sum(read_bytes(data, "x").durations) == sum(TIMES)


def test_frames_that_only_change_a_part_are_composited():
    file = io.BytesIO()
    pictures = [Pillow.fromarray(image.pixels) for image in moving()]
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:], duration=50)
    back = read_bytes(file.getvalue(), "x")
    assert {image.pixels.shape for image in back.images} == {(20, 30, 3)}
    for before, after in zip(moving(), back.images, strict=True):
        assert np.array_equal(before.pixels, after.pixels)


def test_the_picture_for_old_programs_is_no_frame_of_an_apng():
    file = io.BytesIO()
    pictures = [Pillow.fromarray(image.pixels) for image in moving()]
    old = Pillow.new("RGB", (30, 20))
    old.save(file, "PNG", save_all=True, default_image=True, append_images=pictures, duration=50)
    back = read_bytes(file.getvalue(), "x")
    assert len(back.images) == 3
    assert np.array_equal(back.images[0].pixels, moving()[0].pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pages_may_differ_in_size_and_colour(make, dtype):
    pages = (make(9, 8, 3, dtype), make(20, 30, 1, dtype), make(5, 6, 4, dtype))
    back = read_bytes(encode(ImageSequence(pages), Encoding("tiff")), "x")
    assert (back.durations, back.loop) == ((), None)
    for before, after in zip(pages, back.images, strict=True):
        assert np.array_equal(before.array, after.array)


def test_a_page_of_8_bits_may_follow_one_of_16(make):
    pages = (make(9, 8, 3, np.uint16), make(9, 8, 3))
    back = read_bytes(encode(ImageSequence(pages), Encoding("tiff")), "x")
    assert [page.depth for page in back.images] == [16, 8]


def test_pages_of_another_program_are_read(tmp_path):
    pictures = [Pillow.fromarray(image.pixels) for image in moving()]
    path = tmp_path / "a.tif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], compression="jpeg")
    assert len(read_frames(path).images) == 3
    assert read_header(path).frames == 3


def test_reading_one_image_gives_the_first(tmp_path):
    for name in ("a.gif", "a.png"):
        write_image(ImageSequence(moving(), TIMES, 0), tmp_path / name)
        assert np.array_equal(read_image(tmp_path / name).pixels, moving()[0].pixels)
        found = read_header(tmp_path / name)
        assert (found.frames, found.animated) == (3, True)


def test_a_still_picture_is_no_sequence(make, tmp_path):
    for name in ("a.gif", "a.webp", "a.tif"):
        write_image(make(), tmp_path / name)
        assert isinstance(read_frames(tmp_path / name), Image)


def test_an_animation_does_not_become_a_still_picture(tmp_path):
    with pytest.raises(ImageError, match="no animation"):
        write_image(ImageSequence(moving(), TIMES, 0), tmp_path / "a.jpg")


def test_the_limit_counts_all_frames(tmp_path):
    path = tmp_path / "a.gif"
    write_image(ImageSequence(moving(), TIMES, 0), path)
    assert read_image(path, max_pixels=600)
    with pytest.raises(ImageError, match=r"in 3 frames are more than 1,799; raise"):
        read_frames(path, max_pixels=1799)


def test_a_gif_of_a_photograph_has_256_colours_a_frame():
    noise = np.random.default_rng(3).integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)
    data = encode(ImageSequence(tuple(map(Image, noise)), (50, 50), 0), Encoding("gif"))
    for frame in read_bytes(data, "x").images:
        assert len(np.unique(frame.pixels.reshape(-1, 3), axis=0)) <= 256

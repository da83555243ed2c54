"""What Pillow encodes has the quality that was asked for; GIF animations are written by frames."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

from srgan_cli.images.codecs.pillow_write import (
    MAX_GIF_DURATION,
    MAX_WEBP_DURATION,
    write_animation_with_pillow,
)
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


def plain(*colors: tuple[int, int, int]) -> list[Image]:
    return [Image(np.full((20, 30, 3), color, np.uint8)) for color in colors]


def durations_of(data: bytes) -> list[int]:
    found = []
    with Pillow.open(io.BytesIO(data)) as opened:
        for number in range(opened.n_frames):
            opened.seek(number)
            found.append(opened.info["duration"])
    return found


def written(frames: list[Image], durations: list[int], loop: int = 0) -> bytes:
    file = io.BytesIO()
    first = replace(frames[0], text={"Comment": "by hand"})
    sequence = ImageSequence((first, *frames[1:]), tuple(durations), loop)
    write_animation_with_pillow(file, sequence, frames, "gif", Encoding())
    return file.getvalue()


def test_equal_frames_are_one_that_is_shown_longer() -> None:
    red, blue = (255, 0, 0), (0, 0, 255)
    data = written(plain(red, red, blue, blue, blue), [10, 20, 30, 40, 50], loop=3)
    assert durations_of(data) == [30, 120]
    with Pillow.open(io.BytesIO(data)) as opened:
        assert (opened.info["loop"], opened.info["comment"]) == (2, b"by hand")


def test_a_duration_that_a_frame_cannot_hold_is_shared() -> None:
    frames = plain(*[(9, 9, 9)] * 3)
    assert durations_of(written(frames, [MAX_GIF_DURATION, 20, 10])) == [MAX_GIF_DURATION, 30]


def test_only_what_changes_is_stored() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (120, 160), dtype=np.uint8)
    changed = base.copy()
    changed[50:54, 60:64] ^= 255
    one, two = (Image(each[..., None]) for each in (base, changed))
    with_change = len(written([one, two, one], [10, 10, 10]))
    assert with_change < 1.2 * len(written([one], [10])) + 2000


@pytest.mark.parametrize("channels", [3, 4])
def test_a_long_frame_of_gif_is_drawn_again(make, channels):
    images = (make(channels=channels), make(40, 50, channels).with_size(33, 47))
    durations = (2 * MAX_GIF_DURATION + 500, 100)
    back = read_bytes(encode(ImageSequence(images, durations, 0), Encoding("gif")), "-")
    assert back.durations == (MAX_GIF_DURATION, MAX_GIF_DURATION, 500, 100)
    first, *others = [image.array for image in back.images]
    assert all(np.array_equal(first, other) for other in others[:2])
    assert not np.array_equal(first, others[2])


def test_webp_shows_a_frame_for_hours():
    black, white = plain((0, 0, 0), (255, 255, 255))
    sequence = ImageSequence((black, white), (2 * MAX_WEBP_DURATION, 100), 0)
    back = read_bytes(encode(sequence, Encoding("webp")), "-")
    assert back.durations == (MAX_WEBP_DURATION, 100)

"""`srgan upscale` on animations and pages."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from helpers import larger, made, refusal, smooth, upscale
from image_helpers import chunk
from PIL import Image as Pillow

from srgan_cli.images.formats import Encoding
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.read import read_header, read_image
from srgan_cli.images.write import write_image

pytestmark = pytest.mark.usefixtures("in_tmp_path")

TIMES = (40, 120, 1000)


@pytest.mark.parametrize("dtypes", [(np.uint16,) * 3, (np.uint16, np.uint8, np.uint16)])
def test_pages_keep_size_color_and_depth(dtypes):
    sizes = ((9, 8, 3), (12, 15, 1), (5, 6, 3))
    pages = tuple(Image(smooth(*size, dtype)) for size, dtype in zip(sizes, dtypes, strict=True))
    write_image(ImageSequence(pages), Path("in.tif"))
    after = made("in.tif", "out.tif", "-s", 2)
    assert not after.animated
    for before, page in zip(pages, after.images, strict=True):
        np.testing.assert_array_equal(page.pixels, larger(before.pixels, 2))
        assert page.depth == before.depth


def moving() -> tuple[Image, ...]:
    frames = np.full((3, 12, 16, 3), 200, np.uint8)
    for number in range(3):
        frames[number, 3:8, 4 * number + 1 : 4 * number + 4] = (250, 10, 60)
    return tuple(map(Image, frames))


@pytest.mark.parametrize("source", ["gif", "png", "webp"])
@pytest.mark.parametrize("target", ["gif", "png", "webp"])
def test_animations_change_their_format_and_nothing_else(source, target):
    exact = Encoding(lossless=source == "webp")
    write_image(ImageSequence(moving(), TIMES, 3), Path(f"in.{source}"), exact)
    after = made(f"in.{source}", f"out.{target}", *(["--lossless"] if target == "webp" else []))
    assert (after.durations, after.loop) == (TIMES, 3)
    for before, frame in zip(moving(), after.images, strict=True):
        difference = np.abs(frame.pixels.astype(int) - larger(before.pixels))
        assert difference.mean() <= (2 if target == "gif" else 0)


@pytest.mark.parametrize("name", ["out.jpg", "out.tif"])
def test_an_animation_does_not_become_a_still_image(name):
    write_image(ImageSequence(moving(), TIMES, 0), Path("in.gif"))
    result = upscale("in.gif", "-o", name)
    assert result.exit_code == 1
    assert "has no animations; use another suffix or --format: png, webp, gif" in result.stderr
    assert not Path(name).exists()


def deep_apng(channels: int) -> bytes:
    """Two frames of 16 bits."""
    row = b"\0" + np.arange(4 * channels, dtype=">u2").tobytes()
    rows, size = zlib.compress(row * 3), struct.pack(">IIIIHHBB", 4, 3, 0, 0, 50, 1000, 0, 0)
    color = {1: 0, 3: 2}[channels]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(name, data)
        for name, data in (
            (b"IHDR", struct.pack(">IIBBBBB", 4, 3, 16, color, 0, 0, 0)),
            (b"acTL", struct.pack(">II", 2, 0)),
            (b"fcTL", struct.pack(">I", 0) + size),
            (b"IDAT", rows),
            (b"fcTL", struct.pack(">I", 1) + size),
            (b"fdAT", struct.pack(">I", 2) + rows),
            (b"IEND", b""),
        )
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_an_animation_of_16_bits_is_refused_with_what_to_do(channels):
    Path("in.png").write_bytes(deep_apng(channels))
    assert read_header(Path("in.png")).depth == 16
    line = refusal("in.png")
    assert "animations of 16 bits are not supported; convert it to 8 bits" in line
    assert read_image(Path("in.png")).pixels.shape == (3, 4, channels)


@pytest.mark.parametrize(
    ("name", "option"),
    [("clear.png", "--background"), ("deep.png", "--depth"), ("moving.gif", "--frame")],
)
def test_a_refusal_names_the_option_that_helps(name, option):
    Pillow.new("RGBA", (6, 5), (255, 0, 0, 0)).save("clear.png")
    Pillow.new("I;16", (6, 5), 40_000).save("deep.png")
    frames = [Pillow.new("L", (6, 5), level) for level in (0, 128, 255)]
    frames[0].save("moving.gif", save_all=True, append_images=frames[1:])
    value = {"--background": "#0000ff", "--depth": "8", "--frame": "2"}[option]
    for more in ([], ["--dry-run"]):
        refused = upscale(name, "-o", "out.jpg", *more)
        assert refused.exit_code == 1
        assert option in refused.stderr
    planned = upscale(name, "-o", "out.jpg", option, value, "--dry-run")
    assert planned.exit_code == 0, planned.output
    assert not Path("out.jpg").exists()
    made = upscale(name, "-o", "out.jpg", option, value)
    assert made.exit_code == 0, made.output
    with Pillow.open("out.jpg") as image:
        assert image.size == (24, 20)
        level = image.convert("RGB").getpixel((12, 10))
    expected = {"--background": (0, 0, 255), "--depth": (156,) * 3, "--frame": (128,) * 3}[option]
    assert max(abs(a - b) for a, b in zip(level, expected, strict=True)) <= 3

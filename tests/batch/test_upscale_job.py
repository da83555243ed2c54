"""Outputs that are written while they are computed."""

import io
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from image_helpers import chunk

from srgan_cli.batch.output_names import STREAM
from srgan_cli.batch.plan import Job
from srgan_cli.batch.run import JobOptions, run_jobs
from srgan_cli.batch.upscale_job import convert_header, convert_image, read_input
from srgan_cli.errors import ImageError, OptionError
from srgan_cli.images.codecs.png import SIGNATURE
from srgan_cli.images.formats import Encoding
from srgan_cli.images.icc import png_profile
from srgan_cli.images.image import Image, ImageSequence, LazyImage, blank
from srgan_cli.images.read import Header, read_bytes, read_frames
from srgan_cli.images.write import write_image
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.settings import Conversion, OutputSize

DEEP = Conversion(depth=16)


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


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("background", [(255, 0, 0), (9, 9, 9)])
def test_a_profile_of_gray_does_not_stay_with_colors(depth, background):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    profile = png_profile(SIGNATURE + header + chunk(b"gAMA", struct.pack(">I", 100_000)))
    source = replace(pixel(100, 255), icc_profile=profile)
    source = convert_image(source, Conversion(depth=depth))
    flat = convert_image(source, Conversion(background=background))
    if len(set(background)) == 1:
        assert (flat.icc_profile, flat.array[0, 0, 0]) == (profile, source.pixels[0, 0, 0])
        return
    assert flat.icc_profile is None
    lighter = depth == 8  # the same tone in sRGB
    assert (flat.pixels > source.pixels).all() == lighter
    assert bool(flat.notes) != lighter


def test_bands_of_rows_have_the_values_of_the_whole(monkeypatch):
    samples = np.random.default_rng(0).integers(0, 65536, (7, 5, 4)).astype("u2")
    conversions = [Conversion(background=(1, 2, 3)), Conversion(depth=8), Conversion(depth=16)]
    images = [Image.from_samples(samples), Image.from_samples((samples >> 8).astype("u1"))]
    whole = [convert_image(image, each).array for image in images for each in conversions]
    monkeypatch.setattr("srgan_cli.images.image.BAND_SAMPLES", 40)  # two rows
    bands = [convert_image(image, each).array for image in images for each in conversions]
    assert all(map(np.array_equal, whole, bands))


def test_conversions_take_little_more_memory_than_their_result():
    side = 1000
    image = Image(np.zeros((side, side, 3), "u1"), np.zeros((side, side), "u1"))
    for conversion, bytes_per_pixel in ((Conversion(background=(9, 0, 0)), 3), (DEEP, 8)):
        tracemalloc.start()
        convert_image(image, conversion)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < side**2 * bytes_per_pixel + 64 * (1 << 18)


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
    header = Header(4, 5, 16, alpha=True, frames=9, animated=True, format="GIF")
    found = convert_header(header, Conversion(frame=9, background=(0, 0, 0), depth=8))
    assert found == Header(4, 5, 8, alpha=False, format="GIF")
    with pytest.raises(ImageError, match="9 frames"):
        convert_header(header, Conversion(frame=10))


def test_a_frame_that_is_missing_is_said_with_the_file():
    header = Header(4, 5, 8, alpha=False, format="png")
    with pytest.raises(ImageError, match=r"in\.png: has one frame"):
        convert_image(pixel(1), Conversion(frame=2), Path("in.png"))
    with pytest.raises(ImageError, match=r"in\.png: has one frame"):
        convert_header(header, Conversion(frame=2), Path("in.png"))


BICUBIC = UpscalePipeline(size=OutputSize(scale=2))
PLENTY, NOTHING = 1 << 40, 1


@pytest.fixture
def source(tmp_path: Path) -> Path:
    frames = np.random.default_rng(0).integers(0, 256, (4, 9, 12, 4), dtype=np.uint8)
    path = tmp_path / "in.png"
    images = tuple(map(Image.from_samples, frames))
    write_image(ImageSequence(images, (30, 40, 50, 60), 2), path)
    return path


def upscaled(source: Path, target: Path, free: int, name: str | None = None) -> None:
    options = JobOptions(BICUBIC, Encoding(name), 10**6, free=lambda: free)
    (outcome,) = run_jobs([Job(source, target)], options)
    assert outcome.error is None


@pytest.mark.parametrize("suffix", ["png", "gif", "webp", "avif"])
def test_an_animation_that_memory_cannot_hold_is_written_by_frames(
    suffix: str, source: Path, tmp_path: Path
) -> None:
    targets = [tmp_path / f"{free}.{suffix}" for free in (PLENTY, NOTHING)]
    for target, free in zip(targets, (PLENTY, NOTHING), strict=True):
        upscaled(source, target, free)
    whole, by_frames = map(read_frames, targets)
    assert isinstance(whole, ImageSequence)
    assert isinstance(by_frames, ImageSequence)
    assert (whole.durations, whole.loop) == (by_frames.durations, by_frames.loop)
    assert whole.durations == (30, 40, 50, 60)
    for a, b in zip(whole.images, by_frames.images, strict=True):
        assert np.array_equal(a.array, b.array)


def test_it_can_go_to_standard_output(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdout = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr("sys.stdout", stdout)
    upscaled(source, STREAM, NOTHING, "gif")
    upscaled(source, tmp_path / "out.gif", NOTHING)
    data = stdout.buffer.getvalue()  # type: ignore[attr-defined]
    assert data == (tmp_path / "out.gif").read_bytes()
    assert isinstance(read_bytes(data, "-"), ImageSequence)


def test_what_is_read_by_parts_has_no_limit_of_pixels(tmp_path):
    side = 8200
    write_image(blank(side, side, 1, np.uint8), tmp_path / "a.tif")
    image = read_input(tmp_path / "a.tif", max_pixels=100, max_bytes=0)
    assert isinstance(image, LazyImage)
    assert not image.rows(side - 20, side).any()

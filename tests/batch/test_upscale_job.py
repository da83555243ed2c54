"""Outputs that are written while they are computed."""

import io
from pathlib import Path

import numpy as np
import pytest

from srgan_cli.batch.output_names import STREAM
from srgan_cli.batch.plan import Job
from srgan_cli.batch.run import JobOptions, run_jobs
from srgan_cli.images.formats import Encoding
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.read import read_bytes, read_frames
from srgan_cli.images.write import write_image
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.settings import OutputSize

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

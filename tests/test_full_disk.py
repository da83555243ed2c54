"""A disk that is full: one error line, the old file as it was, and nothing half written beside it.

The limit on the size of a file stands in for the disk: past it, writing fails in the same place.
"""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from helpers import srgan

from srgan_cli.errors import TrainingError
from srgan_cli.images.formats import FORMAT_NAMES
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.images.write import write_image
from srgan_cli.networks import GENERATORS
from srgan_cli.training.run_folder import TrainingState, save_state
from srgan_cli.weights.container import Weights, write_weights
from srgan_cli.weights.metadata import Metadata

ROOM = 600
"""Bytes that still fit."""


@contextmanager
def full_disk(room: int = ROOM) -> Iterator[None]:
    """Python ignores the signal that comes with it, so that writing ends in an OSError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def check_one_line(result: Result, name: str) -> None:
    assert result.exit_code == 1
    (line,) = [each for each in result.stderr.splitlines() if each.startswith("Error: ")]
    assert name in line
    assert "cannot be written (File too large)" in line


def names(folder: str = ".") -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def noisy(path: Path, side: int) -> Path:
    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    write_image(Image(pixels), path)
    return path


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("format", FORMAT_NAMES)
def test_an_image(format):
    noisy(Path("in.png"), 32)
    Path("out.bin").write_bytes(b"old")
    with full_disk():
        result = srgan("upscale", "in.png", "-o", "out.bin", "--format", format, "-m", "bicubic")
    check_one_line(result, "out.bin")
    assert Path("out.bin").read_bytes() == b"old"
    assert names() == ["in.png", "out.bin"]


def test_of_a_batch_what_fits_is_done():
    Path("in").mkdir()
    for name, side in (("a", 4), ("b", 40), ("c", 4)):
        noisy(Path("in") / f"{name}.png", side)
    with full_disk(2000):
        result = srgan("upscale", "in", "-o", "out", "-m", "bicubic")
    check_one_line(result, "b_x4.png")
    assert names("out") == ["a_x4.png", "c_x4.png"]
    assert read_image(Path("out/a_x4.png")).width == 16


def test_a_blend(tiny_file, other_file):
    Path("out.safetensors").write_bytes(b"old")
    with full_disk():
        result = srgan("interp", tiny_file, other_file, "-o", "out.safetensors")
    check_one_line(result, "out.safetensors")
    assert Path("out.safetensors").read_bytes() == b"old"
    assert not list(Path().glob(".*"))


@pytest.mark.parametrize("name", ["out.safetensors", "out.pth"])
def test_a_conversion(name):
    sizes = {"scale": 2, "features": 3, "convolutions": 1}
    state = GENERATORS["compact"](**sizes).state_dict()
    write_weights(Weights("compact", sizes, state, Metadata(scale=2)), Path("in.safetensors"))
    Path(name).write_bytes(b"old")
    with full_disk():
        result = srgan("convert", "in.safetensors", "-o", name)
    check_one_line(result, name)
    assert Path(name).read_bytes() == b"old"
    assert names() == sorted(["in.safetensors", name])


@pytest.fixture
def training() -> tuple[str, ...]:
    Path("photos").mkdir()
    for number in range(3):
        noisy(Path("photos") / f"{number}.png", 64)
    words = ("train", "photos", "-o", "run", "--stages", "psnr", "--scale", "2", "--steps", "1")
    return (*words, "--blocks", "1", "--patch", "16", "--batch-size", "1", "--workers", "0")


def test_the_weights_of_a_training(training):
    with full_disk(100_000):
        result = srgan(*training)
    check_one_line(result, "run/psnr.safetensors")
    assert not list(Path("run").glob("*.safetensors"))
    assert not list(Path("run").glob(".*"))


def test_the_log_of_a_training(training):
    Path("run").mkdir()
    log = Path("run/log.jsonl")
    log.write_text('{"stage": "gan", "step": 1}\n' * 3000)
    with full_disk(log.stat().st_size):
        result = srgan(*training)
    check_one_line(result, "run/log.jsonl")


def test_a_checkpoint_leaves_the_older_one(tmp_path):
    state = TrainingState("psnr", 1, {}, {}, 0.0, 1.0, 0, torch.zeros(5_000))
    older = save_state(state, tmp_path)
    before = older.read_bytes()
    with full_disk(), pytest.raises(TrainingError, match="File too large"):
        save_state(replace(state, step=2), tmp_path)
    assert names() == [older.name]
    assert older.read_bytes() == before

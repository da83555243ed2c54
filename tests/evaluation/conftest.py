"""Two ends of a network, by themselves and in a folder of the user."""

from pathlib import Path

import pytest

from srgan_cli.weights.container import Weights, read_weights, write_weights


@pytest.fixture
def ends(tiny_file: Path, other_file: Path) -> tuple[Weights, Weights]:
    return read_weights(tiny_file), read_weights(other_file)


@pytest.fixture
def personal(
    ends: tuple[Weights, Weights], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """With a model of two ends, and one of a single end."""
    folder = tmp_path / "networks"
    folder.mkdir()
    monkeypatch.setenv("SRGAN_WEIGHTS", str(folder))
    write_weights(ends[0], folder / "tiny-x4-psnr.safetensors")
    write_weights(ends[1], folder / "tiny-x4-gan.safetensors")
    write_weights(ends[0], folder / "lone-x4-psnr.safetensors")
    return folder

"""The state of a run in one file: torch.save of tensors and plain values, replaced atomic_write."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from srgan_cli.errors import TrainingError
from srgan_cli.files import atomic_write
from srgan_cli.weights.tensor_files import write_torch_file

KEPT = 2
"""The newest checkpoints that stay."""


@dataclass(frozen=True, eq=False)
class TrainingState:
    """All that the next step depends on. The order of the data follows from `step`."""

    stage: str
    step: int
    """Steps done in this stage."""
    networks: dict[str, Any]
    average: dict[str, Any]
    best: float
    """The best validation figure so far."""
    seconds: float
    """Time spent in this stage."""
    skipped: int
    rng: torch.Tensor


def save_state(state: TrainingState, run: Path) -> Path:
    path = run / f"checkpoint-{state.stage}-{state.step:08d}.pt"
    with atomic_write(path, TrainingError) as file:
        write_torch_file(vars(state), file)
    for old in checkpoints(run)[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def checkpoints(run: Path) -> list[Path]:
    """Oldest first; the faithful stage comes before the vivid one."""
    found = run.glob("checkpoint-*.pt")
    return sorted(found, key=lambda p: (p.stem.split("-")[1] != "psnr", p.stem.split("-")[2]))


def load_state(path: Path) -> TrainingState:
    try:
        return TrainingState(**torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, EOFError, TypeError, pickle.UnpicklingError) as error:
        raise TrainingError(f"{path} is not a readable checkpoint: {error}") from error

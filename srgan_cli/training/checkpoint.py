"""Checkpoints: the state of a run in one file, written atomically by torch.save."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from srgan_cli.errors import TrainingError, WeightsError
from srgan_cli.files import atomic_write
from srgan_cli.weights.tensor_files import read_tensors, write_torch_file

NAME = re.compile(r"checkpoint-([a-z]+)-(\d{8,18})\.pt")
KEPT = 2
"""Checkpoints that are kept."""

KINDS: dict[str, tuple[type, ...]] = {
    "stage": (str,),
    "step": (int,),
    "networks": (dict,),
    "average": (dict,),
    "best": (int, float),
    "seconds": (int, float),
    "skipped": (int,),
    "rng": (torch.Tensor,),
}
"""The types of the values of a TrainingState."""


@dataclass(frozen=True, eq=False)
class TrainingState:
    """Everything that the next step depends on. `step` determines the order of the data."""

    stage: str
    step: int
    """Steps done in this stage."""
    networks: dict[str, Any]
    average: dict[str, Any]
    best: float
    """Best selection score so far."""
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
    """Oldest first; stage psnr before gan."""
    named = ((NAME.fullmatch(path.name), path) for path in run.glob("checkpoint-*.pt"))
    found = [(match[1] != "psnr", int(match[2]), path) for match, path in named if match]
    return [path for *_, path in sorted(found)]


def load_state(path: Path) -> TrainingState:
    """Raises TrainingError for a missing or damaged file, or values of other types."""
    try:
        state = TrainingState(**read_tensors(path))
    except (WeightsError, TypeError) as error:
        raise TrainingError(f"{path} is not a readable checkpoint: {error}") from error
    for name, kinds in KINDS.items():
        if not isinstance(getattr(state, name), kinds):
            kind = type(getattr(state, name)).__name__
            raise TrainingError(f"{path} is not a readable checkpoint: its {name} is a {kind}")
    if min(state.step, state.skipped, state.seconds) < 0:
        raise TrainingError(f"{path} is not a readable checkpoint: it counts below 0")
    return state

"""TensorBoard's view of a run, for those who have installed it: RUN/tensorboard."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ScalarWriter = Callable[[str, int, Mapping[str, Any]], None]
"""Told the stage, the step and figures by name."""


def scalar_writer(run: Path) -> ScalarWriter:
    """Writes what it is told, or nothing where the package is missing."""
    try:
        from torch.utils.tensorboard import SummaryWriter  # optional, and adapted here alone
    except ImportError:
        return lambda stage, step, figures: None
    writer = SummaryWriter(str(run / "tensorboard"))

    def write_scalars(stage: str, step: int, figures: Mapping[str, Any]) -> None:
        for name, value in figures.items():
            if isinstance(value, int | float):
                writer.add_scalar(f"{stage}/{name}", value, step)
        writer.flush()

    return write_scalars

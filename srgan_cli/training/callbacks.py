"""Callbacks of a training run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from srgan_cli.training.train_step import Losses
from srgan_cli.training.validation import Score


@dataclass(frozen=True)
class Progress:
    """The state after a step."""

    stage: str
    step: int
    steps: int | None
    losses: Losses
    score: Score | None = None


class TrainingCallback(Protocol):
    def progress(self, now: Progress) -> None: ...

    def message(self, line: str) -> None:
        """A line to show."""


class NoCallback:
    """Ignores everything."""

    def progress(self, now: Progress) -> None: ...

    def message(self, line: str) -> None: ...


ScalarWriter = Callable[[str, int, Mapping[str, Any]], None]
"""Called with stage, step and values by name."""


def scalar_writer(run: Path) -> ScalarWriter:
    """Writes scalars to RUN/tensorboard; does nothing if the package is missing."""
    try:
        from torch.utils.tensorboard import SummaryWriter  # optional
    except ImportError:
        return lambda stage, step, figures: None
    writer = SummaryWriter(str(run / "tensorboard"))

    def write_scalars(stage: str, step: int, figures: Mapping[str, Any]) -> None:
        for name, value in figures.items():
            if isinstance(value, int | float):
                writer.add_scalar(f"{stage}/{name}", value, step)
        writer.flush()

    return write_scalars

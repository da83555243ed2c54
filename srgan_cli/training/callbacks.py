"""Around the steps of a training: progress, TensorBoard, a warning, and signals that stop it."""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
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


KEEP = 0.98
"""Share of the running mean of the accuracy that each step keeps."""

LOW_ACCURACY, HIGH_ACCURACY = 0.55, 0.99

WARN_AFTER = 300
"""Steps at one of the extremes before a warning."""


@dataclass
class GanMonitor:
    """Running mean of the discriminator's accuracy."""

    mean: float = 0.5
    low_steps: int = 0
    high_steps: int = 0
    warned: bool = False

    def __call__(self, losses: Losses) -> str | None:
        """Returns a warning, once, after WARN_AFTER steps at chance or always right."""
        if "discriminator_accuracy" not in losses:
            return None
        self.mean = KEEP * self.mean + (1 - KEEP) * losses["discriminator_accuracy"]
        self.low_steps = self.low_steps + 1 if self.mean < LOW_ACCURACY else 0
        self.high_steps = self.high_steps + 1 if self.mean > HIGH_ACCURACY else 0
        if self.warned or max(self.low_steps, self.high_steps) < WARN_AFTER:
            return None
        self.warned = True
        return f"{self._description()} (accuracy {self.mean:.3f} over {WARN_AFTER} steps)"

    def _description(self) -> str:
        if self.high_steps >= WARN_AFTER:
            return (
                "the discriminator is always right, so the generator learns little from it: "
                "lower --lr or train the PSNR stage longer"
            )
        return (
            "the discriminator is at chance, so its loss is noise to the generator: "
            "use larger patches or batches"
        )


SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass
class Stop:
    """The received signal, if any."""

    number: int | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.number == number == signal.SIGINT:
            raise KeyboardInterrupt  # a second Ctrl-C does not wait
        self.number = number


@contextmanager
def catch_signals() -> Iterator[Stop]:
    """Handle signals within. Does nothing outside of the main thread."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = [signal.signal(number, stop) for number in SIGNALS]
    try:
        yield stop
    finally:
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)

"""What a run tells of itself while it goes on."""

from dataclasses import dataclass
from typing import Protocol

from srgan_cli.training.train_step import Losses
from srgan_cli.training.validation import Score


@dataclass(frozen=True)
class Progress:
    """A step has been done."""

    stage: str
    step: int
    steps: int | None
    losses: Losses
    score: Score | None = None


class TrainingCallback(Protocol):
    def progress(self, now: Progress) -> None: ...

    def message(self, line: str) -> None:
        """Something worth a line of its own."""


class NoCallback:
    """A watcher that keeps to itself."""

    def progress(self, now: Progress) -> None: ...

    def message(self, line: str) -> None: ...

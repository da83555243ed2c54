"""A stage from its first step to its last: step, average, validate, log, save."""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch import nn

from srgan_cli.errors import TrainingError
from srgan_cli.training.checkpoint import TrainingState, save_state
from srgan_cli.training.patches import Pair
from srgan_cli.training.recipes import Stage
from srgan_cli.training.schedule import average_, learning_rate
from srgan_cli.training.steps import Losses, NonFiniteError
from srgan_cli.training.validation import Score

LOG_EVERY = 50
SAVE_EVERY = 120.0  # seconds
PATIENCE = 10
"""Steps in a row that may fail before the run stops."""

CALIBRATION = 30
"""Steps after which a budget is turned into a number of steps; the first third is not counted."""


class Step(Protocol):
    def __call__(self, pairs: list[Pair], share: float) -> Losses: ...
    def rate(self, lr: float) -> None: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Interrupted(Exception):  # noqa: N818 it is not an error
    """The user asked the run to stop; it has been saved. `code` is the shell's exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Progress:
    stage: str
    step: int
    steps: int | None
    losses: Losses
    score: Score | None = None


@dataclass
class Trainer:
    """One stage of a run. `batches(first)` yields batch number `first` and all that follow."""

    run: Path
    stage: Stage
    step: Step
    network: nn.Module
    average: nn.Module
    batches: Callable[[int], Iterator[Pair]]
    validate: Callable[[nn.Module], Score]
    keep: Callable[["Trainer", Score], None]
    """What to do with an average that is the best so far."""
    tell: Callable[[Progress], None]
    lr: float
    accumulate: int = 1
    steps: int | None = None
    """None until `budget` has been turned into steps."""
    budget: float | None = None
    decide: Callable[[int], None] = lambda steps: None
    """Told the number of steps that a budget came to."""

    done: int = 0
    best: float = float("-inf")
    skipped: int = 0
    seconds: float = 0.0
    _failures: int = field(default=0, init=False)
    _stopped_by: int | None = field(default=None, init=False)

    def restore(self, state: TrainingState) -> None:
        self.step.load_state_dict(state.networks)
        self.average.load_state_dict(state.average)
        self.done, self.best = state.step, state.best
        self.seconds, self.skipped = state.seconds, state.skipped
        torch.set_rng_state(state.rng)

    def save(self) -> Path:
        state = TrainingState(
            stage=self.stage.end,
            step=self.done,
            networks=self.step.state_dict(),
            average=self.average.state_dict(),
            best=self.best,
            seconds=self.seconds,
            skipped=self.skipped,
            rng=torch.get_rng_state(),
        )
        return save_state(state, self.run)

    def train(self) -> None:
        """All steps that are left; raises Interrupted after Ctrl-C, once the state is saved."""
        with self._signals():
            saved = clock = time.monotonic()
            batches = self.batches(self.done * self.accumulate)
            while self.steps is None or self.done < self.steps:
                losses = self._one_step([next(batches) for _ in range(self.accumulate)])
                now = time.monotonic()
                self.seconds, clock = self.seconds + now - clock, now
                self._turn_budget_into_steps()
                self._report(losses)
                if self._stopped_by is not None:
                    self.save()
                    raise Interrupted(128 + self._stopped_by)
                if now - saved > SAVE_EVERY or self.done == self.steps:
                    self.save()
                    saved = time.monotonic()

    def _one_step(self, pairs: list[Pair]) -> Losses:
        self.network.train()
        self.step.rate(learning_rate(self.stage, self.lr, self.done, self.steps or 10**9))
        try:
            losses = self.step(pairs, 1 / len(pairs))
            self._failures = 0
        except NonFiniteError as error:
            losses = {}
            self._fail(str(error))
        self.done += 1
        average_(self.average, self.network, self.stage.ema, self.done)
        return losses

    def _fail(self, what: str) -> None:
        self.skipped += 1
        self._failures += 1
        self._log({"skipped": what})
        if self._failures == PATIENCE:
            raise TrainingError(
                f"{what} was not a number {PATIENCE} steps in a row, up to step {self.done}; "
                f"the last good checkpoint is in {self.run}: try a lower --lr with --resume"
            )

    def _turn_budget_into_steps(self) -> None:
        if self.steps is not None or self.budget is None:
            return
        if self.done == CALIBRATION // 3:
            self._calibrated_from = self.seconds
        if self.done >= CALIBRATION:
            pace = (self.seconds - self._calibrated_from) / (self.done - CALIBRATION // 3)
            left = max(0.0, 0.95 * self.budget - self.seconds)  # the rest is for validation
            self.steps = self.done + max(1, int(left / pace))
            self.decide(self.steps)

    def _report(self, losses: Losses) -> None:
        score = None
        if self.steps is not None and self._validation_is_due():
            score = self.validate(self.average)
            if score.psnr > self.best:
                self.best = score.psnr
                self.keep(self, score)
            self._log({"psnr": score.psnr, "ssim": score.ssim})
        elif self.done % LOG_EVERY == 0:
            self._log(
                {"lr": learning_rate(self.stage, self.lr, self.done - 1, self.steps or 10**9)}
                | losses
            )
        self.tell(Progress(self.stage.end, self.done, self.steps, losses, score))

    def _validation_is_due(self) -> bool:
        assert self.steps is not None
        return self.done == self.steps or self.done % max(1, min(1000, self.steps // 10)) == 0

    def _log(self, row: dict[str, Any]) -> None:
        about = {"stage": self.stage.end, "step": self.done, "seconds": round(self.seconds, 1)}
        with (self.run / "log.jsonl").open("a") as log:
            log.write(json.dumps(about | row) + "\n")

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM let the step in hand finish."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        watched = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self._stop) for number in watched]
        try:
            yield
        finally:
            for number, handler in zip(watched, before, strict=True):
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopped_by = number

"""A stage from its first step to its last: step, average, validate, log, save."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from srgan_cli.errors import TrainingError
from srgan_cli.files import atomic_write
from srgan_cli.training.budget import Length
from srgan_cli.training.checkpoint import TrainingState, save_state
from srgan_cli.training.distributed import World
from srgan_cli.training.gan_watch import GanWatch
from srgan_cli.training.patches import Pair
from srgan_cli.training.progress import Progress, Watcher
from srgan_cli.training.recipes import Stage
from srgan_cli.training.report import read_log
from srgan_cli.training.schedule import average_, learning_rate, settle_
from srgan_cli.training.stop_signals import Stop, watched_signals
from srgan_cli.training.tensorboard import Chart
from srgan_cli.training.train_step import Losses, NonFiniteError, TrainStep
from srgan_cli.training.validation import Judgement, Score

LOG_EVERY = 50
SAVE_EVERY = 120.0  # seconds
VALIDATE_EVERY = 1000
VALIDATIONS = 10
"""At least so many in a stage."""

MANY_SILENT = 0.2

PATIENCE = 10
"""Steps in a row that may fail before the run stops."""

ENDLESS = 10**9
"""Stands for a length that is not decided yet."""


class Interrupted(Exception):  # noqa: N818 it is not an error
    """The user asked the run to stop; it has been saved. `code` is the shell's exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Outlets:
    """Where a stage's results go."""

    run: Path
    watcher: Watcher
    keep: Callable[[nn.Module, "Position", Score], None]
    """What to do with an average that is the best so far."""
    draw: Callable[[Judgement, int], None]
    """What to show of a validation at that step."""
    chart: Chart
    """Told what is logged."""


@dataclass
class Position:
    """How far a stage has come."""

    done: int = 0
    best: float = float("-inf")
    skipped: int = 0
    seconds: float = 0.0


@dataclass
class Trainer:
    """One stage of a run. `batches(first)` yields batch number `first` and all that follow."""

    stage: Stage
    step: TrainStep
    average: nn.Module
    batches: Callable[[int], Iterator[Pair]]
    validate: Callable[[nn.Module], Judgement]
    outlets: Outlets
    lr: float
    length: Length
    accumulate: int = 1
    world: World = field(default_factory=World)
    position: Position = field(default_factory=Position)
    gan_watch: GanWatch = field(default_factory=GanWatch)
    silent_share: Callable[[nn.Module], float | None] = lambda network: None
    """The share of channels that hardly ever fire, of networks that have such."""
    _failures: int = field(default=0, init=False)
    _warned_of_silence: bool = field(default=False, init=False)

    @property
    def network(self) -> nn.Module:
        return self.step.generator.alone

    def restore(self, state: TrainingState) -> None:
        """Raises TrainingError for a state of other networks."""
        try:
            self.step.load_state_dict(state.networks)
            self.average.load_state_dict(state.average)
        except (RuntimeError, KeyError, ValueError) as error:
            raise TrainingError(
                "the checkpoint holds other networks than this version of srgan trains with "
                f"this recipe: begin a new run with --from {state.stage}.safetensors of this one"
            ) from error
        self.position = Position(state.step, state.best, state.skipped, state.seconds)
        torch.set_rng_state(state.rng)
        if self.world.leads:
            self._forget_log_after(state.step)

    def save(self) -> None:
        if not self.world.leads:
            return
        at = self.position
        state = TrainingState(
            stage=self.stage.end,
            step=at.done,
            networks=self.step.state_dict(),
            average=self.average.state_dict(),
            best=at.best,
            seconds=at.seconds,
            skipped=at.skipped,
            rng=torch.get_rng_state(),
        )
        save_state(state, self.outlets.run)

    def train(self) -> None:
        """All steps that are left; raises Interrupted after Ctrl-C, once the state is saved."""
        saved = clock = time.monotonic()
        batches = self.batches(self.position.done * self.accumulate)
        with watched_signals() as stop:
            while not self.length.reached(self.position.done):
                losses = self._one_step([next(batches) for _ in range(self.accumulate)])
                now = time.monotonic()
                self.position.seconds, clock = self.position.seconds + now - clock, now
                settled = self.length.settle(self.position.done, self.position.seconds, self.world)
                validated = self._report(losses)
                self._stop_if_asked(stop)
                due = settled or validated or now - saved > SAVE_EVERY
                if due and not self._failures:  # what may be broken replaces nothing good
                    self.save()
                    saved = time.monotonic()

    def _one_step(self, pairs: list[Pair]) -> Losses:
        self.network.train()
        if self.position.done >= self.stage.settled * (self.length.steps or ENDLESS):
            settle_(self.network, self.average)
        self.step.set_learning_rate(self._rate(), self.position.done, self.length.steps or ENDLESS)
        try:
            losses = self.step(pairs)
        except NonFiniteError as error:
            self.position.done += 1
            self._fail(str(error))
            return {}
        self._failures = 0
        self.position.done += 1
        average_(self.average, self.network, self.stage.ema, self.position.done)
        return losses

    def _rate(self) -> float:
        return learning_rate(self.stage, self.lr, self.position.done, self.length.steps or ENDLESS)

    def _fail(self, what: str) -> None:
        self.position.skipped += 1
        self._failures += 1
        self._log({"skipped": what})
        if self._failures == PATIENCE:
            raise TrainingError(
                f"{what} was not a number {PATIENCE} steps in a row, up to step "
                f"{self.position.done} of stage {self.stage.end}; the last good checkpoint is in "
                f"{self.outlets.run}: begin a new run with a lower --lr, --from its weights"
            )

    def _stop_if_asked(self, stop: Stop) -> None:
        asked = float(stop.number is not None)
        if self.world.mean([asked]) != [0.0]:  # one process asked, all stop
            self.save()
            raise Interrupted(128 + (stop.number or signal.SIGINT))

    def _report(self, losses: Losses) -> bool:
        """Returns whether there was a validation, which only the first process makes."""
        due = self._validation_is_due()
        if self.world.leads:
            warning = self.gan_watch(losses)
            if warning is not None:
                self.outlets.watcher.say(warning)
                self._log({"warning": warning})
            with torch.random.fork_rng(devices=[]):  # the other processes' dice do not move either
                score = self._validated() if due else None
            at = self.position
            if at.done % LOG_EVERY == 0 and losses:
                self._log({"lr": self._rate()} | losses | self.step.shares(losses))
            self.outlets.watcher.progress(
                Progress(self.stage.end, at.done, self.length.steps, losses, score)
            )
        return due

    def _validated(self) -> Score:
        judged = self.validate(self.average)
        score = judged.score
        silent = self.silent_share(self.average)
        figures = {name: value for name, value in vars(score).items() if value is not None}
        self._log(figures if silent is None else figures | {"silent_channels": silent})
        if silent is not None and silent > MANY_SILENT and not self._warned_of_silence:
            self._warned_of_silence = True
            self.outlets.watcher.say(
                f"{silent:.0%} of the channels behind activations are silent (positive on less "
                "than 0.2 % of the pixels): they are computed for nothing"
            )
        if score.merit(self.stage.end) > self.position.best:
            self.position.best = score.merit(self.stage.end)
            self.outlets.keep(self.average, self.position, score)
        self.outlets.draw(judged, self.position.done)
        return score

    def _validation_is_due(self) -> bool:
        done, steps = self.position.done, self.length.steps
        if steps is None:
            return False
        return done == steps or done % max(1, min(VALIDATE_EVERY, steps // VALIDATIONS)) == 0

    def _log(self, row: dict[str, Any]) -> None:
        if not self.world.leads:
            return
        at = self.position
        about = {"stage": self.stage.end, "step": at.done, "seconds": round(at.seconds, 1)}
        path = self.outlets.run / "log.jsonl"
        try:
            with path.open("a") as log:
                log.write(json.dumps(about | row) + "\n")
        except OSError as error:
            why = f"{path}: cannot be written ({error.strerror})"
            raise TrainingError(f"{why}; make room, then go on with --resume") from error
        self.outlets.chart(self.stage.end, at.done, row)

    def _forget_log_after(self, step: int) -> None:
        """What a killed run has done since its checkpoint is done, and logged, again."""
        path = self.outlets.run / "log.jsonl"
        rows = [
            row
            for row in read_log(path)
            if row.get("stage") != self.stage.end or row.get("step", 0) <= step
        ]
        with atomic_write(path, TrainingError) as file:
            file.write("".join(json.dumps(row) + "\n" for row in rows).encode())

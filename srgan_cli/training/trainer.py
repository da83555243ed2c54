"""The training loop of a stage: step, EMA, validation, log, checkpoints."""

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from srgan_cli.errors import TrainingError
from srgan_cli.training.callbacks import (
    GanMonitor,
    Progress,
    ScalarWriter,
    Stop,
    TrainingCallback,
    catch_signals,
)
from srgan_cli.training.patches import Pair
from srgan_cli.training.run_folder import TrainingState, append_log, save_state, truncate_log
from srgan_cli.training.schedule import StageLength, average_, freeze_norms_, learning_rate
from srgan_cli.training.stages import Stage
from srgan_cli.training.train_step import Losses, NonFiniteError, TrainStep
from srgan_cli.training.validation import Score, ValidationResult

LOG_EVERY = 50
FIRST_STEPS = 10
"""A stage's first steps are all logged, then every fifth, so that a short run has curves."""
SAVE_EVERY = 120.0  # seconds
CURVES_EVERY = 30.0  # seconds at least, but for the last ones
VALIDATE_EVERY = 1000
VALIDATIONS = 10
"""Least number of validations in a stage."""

MANY_SILENT = 0.2

LOAD_ERRORS = (RuntimeError, LookupError, ValueError, TypeError, AttributeError)
"""What torch raises for the state of another network, or a damaged one."""

MAX_FAILURES = 10
"""Steps in a row that may fail before the run stops."""

UNKNOWN_STEPS = 10**9
"""Stands for a number of steps that is not known yet."""


class StopTraining(Exception):  # noqa: N818 it is not an error
    """The user asked the run to stop.

    code: the shell's exit code. saved: whether the last step is in a checkpoint, which a step that
    failed is not.
    """

    def __init__(self, code: int, *, saved: bool) -> None:
        super().__init__(code)
        self.code = code
        self.saved = saved


@dataclass(frozen=True)
class StageOutputs:
    """Outputs of a stage."""

    run: Path
    callback: TrainingCallback
    save_best: "SaveBest"
    keep_latest: bool
    """Whether the latest average counts as the best: trained on a teacher alone, a network gets
    farther from the originals, by PSNR, the more it learns."""
    draw_sheet: Callable[[ValidationResult, int], None]
    """Called with a validation and its step."""
    draw_curves: Callable[[], None]
    """Draws the log. Called after validations, among them the first and the last."""
    write_scalars: ScalarWriter
    """Called with each logged row."""


@dataclass
class StageProgress:
    """Progress of a stage."""

    done: int = 0
    best: float = float("-inf")
    skipped: int = 0
    seconds: float = 0.0


SaveBest = Callable[[nn.Module, StageProgress, Score], None]
"""Called with an EMA network that is the best so far."""


@dataclass
class Trainer:
    """One stage of a run. `batches(first)` yields batch number `first` and all that follow."""

    stage: Stage
    step: TrainStep
    average: nn.Module
    batches: Callable[[int], Iterator[Pair]]
    validate: Callable[[nn.Module], ValidationResult]
    outputs: StageOutputs
    length: StageLength
    accumulate: int = 1
    progress: StageProgress = field(default_factory=StageProgress)
    gan_monitor: GanMonitor = field(default_factory=GanMonitor)
    silent_share: Callable[[nn.Module], float | None] = lambda network: None
    """Share of silent channels; None for networks without blocks."""
    _failures: int = field(default=0, init=False)
    _warned_of_silent: bool = field(default=False, init=False)
    _curves_drawn: float = field(default=float("-inf"), init=False)

    @property
    def network(self) -> nn.Module:
        return self.step.generator.module

    def restore(self, state: TrainingState) -> None:
        """Raises TrainingError for a state of other networks."""
        try:
            self.step.load_state_dict(state.networks)
            self.average.load_state_dict(state.average)
            torch.set_rng_state(state.rng)
        except LOAD_ERRORS as error:
            raise TrainingError(
                "the checkpoint is damaged, or holds other networks than this version of srgan "
                "trains with this recipe: begin a new run with --from "
                f"{state.stage}.safetensors of this one"
            ) from error
        self.progress = StageProgress(state.step, state.best, state.skipped, state.seconds)

    def save(self) -> None:
        if not self.step.processes.is_main_process:
            return
        at = self.progress
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
        save_state(state, self.outputs.run)

    def train(self) -> None:
        """Run all remaining steps. Raises StopTraining after Ctrl-C or SIGTERM, once the state is
        saved.
        """
        self._truncate_log()
        saved = clock = time.monotonic()
        batches = self.batches(self.progress.done * self.accumulate)
        with catch_signals() as stop:
            while not self.length.reached(self.progress.done):
                losses = self._one_step([next(batches) for _ in range(self.accumulate)])
                now = time.monotonic()
                self.progress.seconds, clock = self.progress.seconds + now - clock, now
                length_known = self.length.update(
                    self.progress.done, self.progress.seconds, self.step.processes
                )
                validated = self._report(losses)
                self._stop_on_signal(stop)
                due = length_known or validated or now - saved > SAVE_EVERY
                if due and not self._failures:  # a state that may be broken replaces no checkpoint
                    self.save()
                    saved = time.monotonic()

    def _truncate_log(self) -> None:
        """Drop rows of steps that are repeated: those after the checkpoint, or of a stage that
        ended before its first one.
        """
        if not self.step.processes.is_main_process:
            return
        run = self.outputs.run
        if broken := truncate_log(run, self.stage.end, self.progress.done):
            text = f"{run / 'log.jsonl'}: {broken} damaged lines are left out"
            self.outputs.callback.message(text)

    def _one_step(self, pairs: list[Pair]) -> Losses:
        self.network.train()
        if self.progress.done >= self.stage.freeze_norms_at * self._steps:
            freeze_norms_(self.network, self.average)
        self.step.set_learning_rate(self._rate(), self.progress.done, self._steps)
        self.progress.done += 1
        try:
            losses = self.step(pairs)
        except NonFiniteError as error:
            self._fail(str(error))
            return {}
        self._failures = 0
        average_(self.average, self.network, self.stage.ema, self.progress.done)
        return losses

    def _rate(self) -> float:
        return learning_rate(self.stage, self.progress.done, self._steps)

    @property
    def _steps(self) -> int:
        return self.length.steps or UNKNOWN_STEPS

    def _fail(self, what: str) -> None:
        self.progress.skipped += 1
        self._failures += 1
        self._log({"skipped": what})
        if self._failures == MAX_FAILURES:
            raise TrainingError(
                f"{what} was not a number {MAX_FAILURES} steps in a row, up to step "
                f"{self.progress.done} of stage {self.stage.end}; the last good checkpoint is in "
                f"{self.outputs.run}: begin a new run with a lower --lr, --from its weights"
            )

    def _stop_on_signal(self, stop: Stop) -> None:
        received = float(stop.number is not None)
        if self.step.processes.mean([received]) != [0.0]:  # one process asked, all stop
            saved = not self._failures
            if saved:
                self.save()
            raise StopTraining(128 + (stop.number or signal.SIGINT), saved=saved)

    def _report(self, losses: Losses) -> bool:
        """Returns whether there was a validation, which only the first process makes."""
        due = self._validation_is_due()
        if self.step.processes.is_main_process:
            warning = self.gan_monitor(losses)
            if warning is not None:
                self.outputs.callback.message(warning)
                self._log({"warning": warning})
            with torch.random.fork_rng(devices=[]):  # the others do not validate
                score = self._validated() if due else None
            at = self.progress
            every = 1 if at.done <= FIRST_STEPS else 5 if at.done < LOG_EVERY else LOG_EVERY
            if losses and (at.done % every == 0 or at.done == self.length.steps):
                self._log({"lr": self._rate()} | losses | self.step.shares(losses))
            self.outputs.callback.progress(
                Progress(self.stage.end, at.done, self.length.steps, losses, score)
            )
        return due

    def _validated(self) -> Score:
        result = self.validate(self.average)
        score = result.score
        silent = self.silent_share(self.average)
        figures = {name: value for name, value in vars(score).items() if value is not None}
        self._log(figures if silent is None else figures | {"silent_channels": silent})
        if silent is not None and silent > MANY_SILENT and not self._warned_of_silent:
            self._warned_of_silent = True
            self.outputs.callback.message(
                f"{silent:.0%} of the channels behind activations are silent (positive on less "
                "than 0.2 % of the pixels): they are computed for nothing"
            )
        is_best = score.selection_score(self.stage.end) > self.progress.best
        if is_best or self.outputs.keep_latest:
            self.progress.best = score.selection_score(self.stage.end)
            self.outputs.save_best(self.average, self.progress, score)
        self.outputs.draw_sheet(result, self.progress.done)
        self._draw_curves()
        return score

    def _draw_curves(self) -> None:
        is_last = self.progress.done == self.length.steps
        if is_last or time.monotonic() - self._curves_drawn > CURVES_EVERY:
            self.outputs.draw_curves()
            self._curves_drawn = time.monotonic()

    def _validation_is_due(self) -> bool:
        done, steps = self.progress.done, self.length.steps
        if steps is None:
            return False
        return done == steps or done % max(1, min(VALIDATE_EVERY, steps // VALIDATIONS)) == 0

    def _log(self, row: dict[str, Any]) -> None:
        if not self.step.processes.is_main_process:
            return
        at = self.progress
        row_start = {"stage": self.stage.end, "step": at.done, "seconds": round(at.seconds, 1)}
        append_log(self.outputs.run, row_start | row)
        self.outputs.write_scalars(self.stage.end, at.done, row)

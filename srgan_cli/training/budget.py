"""Number of steps of a stage: given, or computed from a time budget and the first steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from srgan_cli.training.distributed import ProcessGroup
from srgan_cli.training.recipes import Stage
from srgan_cli.training.train_options import TrainOptions

WARMUP_STEPS = 10
"""First steps, which are slower and not timed."""

TIMED_STEPS = 20
"""Steps after those, which are timed."""

GAN_STEP_COST = 3.0
"""Factor by which a step with a discriminator is slower."""

TRAINING_SHARE = 0.95
"""Share of a budget that goes into steps; the rest is for validation."""


@dataclass
class StageLength:
    """Length of a stage. steps: None until computed from the budget. budget: seconds."""

    steps: int | None = None
    budget: float | None = None
    on_steps: Callable[[int], None] = lambda steps: None
    """Called with the number of steps that fit the budget."""
    _start: tuple[int, float] | None = field(default=None, init=False)
    _timed: int = field(default=0, init=False)

    def reached(self, done: int) -> bool:
        return self.steps is not None and done >= self.steps

    def update(self, done: int, seconds: float, processes: ProcessGroup) -> bool:
        """Call after each step. Returns whether the number of steps was decided just now."""
        if self.steps is not None or self.budget is None:
            return False
        self._timed += 1
        if self._timed == WARMUP_STEPS:
            self._start = done, seconds
        if self._start is None or self._timed < WARMUP_STEPS + TIMED_STEPS:
            return False
        seconds_per_step = max(1e-6, (seconds - self._start[1]) / (done - self._start[0]))
        left = max(0.0, TRAINING_SHARE * self.budget - seconds)
        self.steps = done + round(processes.broadcast(max(1, int(left / seconds_per_step))))
        self.on_steps(self.steps)
        return True


def stage_shares(stages: Sequence[Stage], cost: float) -> dict[str, float]:
    """Stage -> its share of a run, if a GAN step counts `cost`."""
    costs = {stage.end: stage.steps * (cost if stage.gan else 1.0) for stage in stages}
    return {end: part / sum(costs.values()) for end, part in costs.items()}


def stage_steps(options: TrainOptions, stages: Sequence[Stage]) -> dict[str, int | None]:
    """Stage -> its steps; None where a budget will decide."""
    if options.steps is not None:
        return _split_steps(options.steps, stages)
    if options.budget is not None:
        return {stage.end: options.planned.get(stage.end) for stage in stages}
    return {stage.end: stage.steps for stage in stages}


def _split_steps(steps: int, stages: Sequence[Stage]) -> dict[str, int | None]:
    """Divide steps in proportion to the recipe's; at least one per stage."""
    part = stage_shares(stages, cost=1.0)
    found: dict[str, int | None] = {}
    left = steps
    for number, stage in enumerate(stages, start=1):
        last = number == len(stages)
        found[stage.end] = max(1, left if last else round(steps * part[stage.end]))
        left -= found[stage.end] or 0
    return found


def stage_budget(options: TrainOptions, stages: Sequence[Stage], stage: Stage) -> float | None:
    """Seconds for one stage."""
    return options.budget and options.budget * stage_shares(stages, GAN_STEP_COST)[stage.end]

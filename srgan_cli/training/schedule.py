"""A stage of a run: a recipe's, with options; its rate and length; EMA and frozen BatchNorms."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import torch
from torch import nn

from srgan_cli.training.distillation import effective_teacher_weight
from srgan_cli.training.distributed import ProcessGroup
from srgan_cli.training.loss_terms import LossTerm, PixelDistance, PixelTerm, with_teacher
from srgan_cli.training.recipes import Recipe
from srgan_cli.training.stages import OptimizerName, Stage
from srgan_cli.training.train_options import TrainOptions

RATES = {"adam": 1.0, "muon": 2.0}
"""Factor of a recipe's learning rate, which is Adam's, for each optimizer."""


def chosen_stages(options: TrainOptions, recipe: Recipe) -> tuple[Stage, ...]:
    """The stages of a run, resolved."""
    return tuple(resolve_stage(options, stage) for stage in recipe.chosen(options.stages))


def resolve_stage(options: TrainOptions, stage: Stage) -> Stage:
    """A recipe's stage with the options of a run in place of its values: to be trained as it says.

    Its patch is at the run's scale, its rate the peak for its optimizer. --optimizer and --loss
    apply to the PSNR stage only: GAN stages need balanced networks.
    """
    of_psnr = stage.end == "psnr"
    optimizer = (options.optimizer if of_psnr else None) or stage.optimizer
    lr = options.lr or stage.lr * RATES[optimizer]
    terms = _with_distance(stage.losses, options.loss) if of_psnr else stage.losses
    teacher_weight = effective_teacher_weight(options, stage)
    gan = stage.gan and replace(stage.gan, lr=lr * ((stage.gan.lr or stage.lr) / stage.lr))
    if gan is not None and not teacher_weight:
        gan = replace(gan, target="original")
    return replace(
        stage,
        patch=options.patch or stage.patch * options.scale // 4,
        batch_size=options.batch_size or stage.batch_size,
        optimizer=cast(OptimizerName, optimizer),
        lr=lr,
        losses=with_teacher(terms, teacher_weight),
        gan=gan,
    )


def _with_distance(terms: Sequence[LossTerm], distance: str | None) -> tuple[LossTerm, ...]:
    """The terms with --loss as the distance of pixels, if it is given."""
    if distance is None:
        return tuple(terms)
    given = cast(PixelDistance, distance)
    return tuple(replace(t, distance=given) if isinstance(t, PixelTerm) else t for t in terms)


def learning_rate(stage: Stage, step: int, steps: int) -> float:
    """The rate of step number `step` (from 0) of `steps`."""
    warmup = min(1.0, (step + 1) / stage.warmup) if stage.warmup else 1.0
    progress = step / steps
    if stage.milestones is None:
        return stage.lr * warmup * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return stage.lr * warmup * stage.drop ** sum(progress >= share for share in stage.milestones)


@torch.no_grad()
def average_(average: nn.Module, network: nn.Module, keep: float, step: int) -> None:
    """Update the exponential moving average of parameters and buffers.

    keep: decay; smaller in the first steps, so that the random start is forgotten.
    """
    keep = min(keep, (1 + step) / (10 + step))
    current = network.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(current[name].to(value), 1 - keep)
        else:
            value.copy_(current[name])


@torch.no_grad()
def freeze_norms_(network: nn.Module, average: nn.Module) -> None:
    """Set the BatchNorms of `network` to eval mode with the statistics of `average`.

    From then on the network is trained as it is used, not with the statistics of a few patches.
    """
    for ours, average_norm in zip(norms(network), norms(average), strict=True):
        for buffer, value in zip(ours.buffers(), average_norm.buffers(), strict=True):
            buffer.copy_(value)
        ours.eval()


def norms(network: nn.Module) -> list[nn.Module]:
    kinds = (nn.BatchNorm2d, nn.SyncBatchNorm)
    return [module for module in network.modules() if isinstance(module, kinds)]


WARMUP_STEPS = 10
"""First steps, which are slower and not timed."""

TIMED_STEPS = 20
"""Steps after those, which are timed."""

TIMING_SHARE = 0.3
"""Share of a budget in which they are timed: of slow steps fewer are."""

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
    _ends: list[float] = field(default_factory=list, init=False)
    """When each step since the start of this process ended, in seconds."""

    def reached(self, done: int) -> bool:
        return self.steps is not None and done >= self.steps

    def update(self, done: int, seconds: float, processes: ProcessGroup) -> bool:
        """Call after each step. Returns whether the number of steps was decided just now."""
        if self.steps is not None or self.budget is None:
            return False
        self._ends.append(processes.broadcast(seconds))  # so that all decide the same
        if not self._timed_enough(self.budget):
            return False
        left = max(0.0, TRAINING_SHARE * self.budget - self._ends[-1])
        self.steps = done + int(left / self._seconds_per_step())
        self.on_steps(self.steps)
        return True

    def _timed_enough(self, budget: float) -> bool:
        first, last = self._ends[0], self._ends[-1]
        over = last - first > TIMING_SHARE * budget or last > TRAINING_SHARE * budget
        return len(self._ends) == WARMUP_STEPS + TIMED_STEPS or (len(self._ends) > 1 and over)

    def _seconds_per_step(self) -> float:
        timed = self._ends[WARMUP_STEPS - 1 :] if len(self._ends) > WARMUP_STEPS else self._ends
        return max(1e-6, (timed[-1] - timed[0]) / (len(timed) - 1))


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

"""The parts of a stage, put together: networks, lesson, batches, validation."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.optim import Adam

from srgan_cli import __version__
from srgan_cli.device import pick_precision
from srgan_cli.errors import OptionError
from srgan_cli.figures import plots
from srgan_cli.networks import DISCRIMINATORS
from srgan_cli.networks.srcnn import is_luma_only
from srgan_cli.training.budget import Length, budget_of, steps_of
from srgan_cli.training.data import (
    Data,
    Loading,
    batch_size,
    cutter,
    deciding,
    load_batches,
    made_pairs,
    shrinker,
)
from srgan_cli.training.distillation import Teaching, open_teachers, weight_of_teachers
from srgan_cli.training.distributed import World
from srgan_cli.training.feature_extractors import Eyes, Judge, judge, perceptual_loss
from srgan_cli.training.high_batches import HighBatches, with_lows
from srgan_cli.training.initial_weights import stage_weights, weights_file
from srgan_cli.training.losses import (
    DISTANCES,
    GAMES,
    ColourLoss,
    Distance,
    PhaseLoss,
    RowLoss,
    of_luma,
    shifted,
)
from srgan_cli.training.muon import Muon
from srgan_cli.training.objectives import AdversarialLesson, PixelLesson, Term
from srgan_cli.training.patches import Batches, Pair, own_places
from srgan_cli.training.progress import Watcher
from srgan_cli.training.recipes import Adversary, Recipe, Stage
from srgan_cli.training.report import Moment, draw_curves, draw_sheet
from srgan_cli.training.run_folder import write_options
from srgan_cli.training.schedule import optimizer_of, pixel_of, rate_of
from srgan_cli.training.tensorboard import charts
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.training.train_step import Learner, Lesson, Numerics, Step
from srgan_cli.training.trainer import Outlets, Position, Trainer
from srgan_cli.training.validation import Judgement, Score, centre_samples, validator
from srgan_cli.weights.container import Weights, write_weights
from srgan_cli.weights.loading import load_generator

OPTIMIZERS: dict[str, type[Adam]] = {"adam": Adam, "muon": Muon}


@dataclass(frozen=True, eq=False)
class Job:
    """A run and where it happens."""

    options: TrainOptions
    recipe: Recipe
    data: Data
    eyes: Sequence[Eyes]
    device: torch.device
    world: World
    watcher: Watcher
    command: str
    at_once: bool | None = None
    """Whether low pictures are made on the device, a batch at once; None says where it is a GPU."""

    @property
    def makes_lows(self) -> bool:
        """On the device; the processes that cut patches make them otherwise."""
        if self.data.training.low is not None:
            return False
        return self.device.type == "cuda" if self.at_once is None else self.at_once

    @property
    def stages(self) -> tuple[Stage, ...]:
        return self.recipe.chosen(self.options.stages)

    @property
    def numerics(self) -> Numerics:
        return Numerics(self.device, pick_precision(self.options.precision, self.device))


def build_trainer(job: Job, stage: Stage) -> Trainer:
    """Stage `stage`, at its first step."""
    torch.manual_seed(job.options.seed)
    weights = stage_weights(job.options, job.recipe, stage.end)
    network = placed(load_generator(weights), job.device)
    average = copy.deepcopy(network)
    lesson = build_lesson(job, stage, network)
    check_batch(job, stage)
    return Trainer(
        stage=stage,
        step=Step(lesson, job.numerics, job.world),
        average=average,
        batches=lambda first: _batches(job, stage, first),
        validate=_validation(job),
        outlets=_outlets(job, stage, weights),
        lr=rate_of(job.options, stage),
        length=_length(job, stage),
        accumulate=job.options.accumulate,
        world=job.world,
    )


def placed(network: nn.Module, device: torch.device) -> nn.Module:
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def build_lesson(job: Job, stage: Stage, network: nn.Module) -> Lesson:
    """What the stage teaches `network`, which is as it shall begin; a discriminator is made for it
    if it needs one."""
    generator = _learner(job, stage, "generator", network)
    if stage.adversary is None:
        return PixelLesson(generator, dict(_terms(job, stage, network)))
    rival = placed(build_discriminator(stage.adversary, job.options.scale), job.device)
    return AdversarialLesson(
        generator=generator,
        discriminator=_learner(job, stage, "discriminator", rival),
        game=GAMES[stage.adversary.game],
        adversarial_weight=stage.adversary.weight,
        terms=dict(_terms(job, stage, network)),
        shift=0 if stage.adversary.aligned else stage.shift,
    )


def build_discriminator(adversary: Adversary, scale: int) -> nn.Module:
    told = {"scale": scale} if adversary.aligned else {}
    return DISCRIMINATORS[adversary.discriminator](**adversary.hyperparameters, **told)


def _learner(job: Job, stage: Stage, name: str, network: nn.Module) -> Learner:
    make = OPTIMIZERS[optimizer_of(job.options, stage)]
    optimizer = make(
        network.parameters(), lr=rate_of(job.options, stage), betas=stage.betas, fused=True
    )
    return Learner(name, job.world.shared(network, job.device), optimizer, stage.clip)


def _terms(job: Job, stage: Stage, network: nn.Module) -> Iterator[tuple[str, Term]]:
    taught = weight_of_teachers(job.options, stage)
    distance = DISTANCES[pixel_of(job.options, stage)]
    if is_luma_only(network):
        distance = of_luma(distance)
    if stage.pixel_weight:
        yield "pixel", Term(stage.pixel_weight * (1 - taught), distance)
    if taught:
        yield "taught", Term(stage.pixel_weight * taught, distance, _teaching(job))
    if stage.perceptual is not None:
        loss = perceptual_loss(job.eyes, stage.perceptual).to(job.device)
        yield "perceptual", Term(stage.perceptual.weight, _shifting(loss, stage.shift))
    if stage.phase_weight:
        # not against originals, whose own textures hide what it looks for
        began = copy.deepcopy(network).eval()
        yield "phase", Term(stage.phase_weight, PhaseLoss(job.options.scale), began)
    if stage.row_weight:
        yield "rows", Term(stage.row_weight, RowLoss(job.options.scale))
    if stage.colour_weight:
        yield "colour", Term(stage.colour_weight, ColourLoss(job.options.scale))


def _teaching(job: Job) -> Teaching:
    given = open_teachers(job.options)
    return Teaching([placed(load_generator(one), job.device).eval() for one in given])


def _shifting(distance: Distance, shift: int) -> Distance:
    """The distance of the same cut of both."""
    return lambda made, real: distance(*shifted(shift, made, real))


def check_batch(job: Job, stage: Stage) -> None:
    size, processes = batch_size(job.options, stage), job.world.size
    if size % processes:
        raise OptionError(
            f"--batch-size {size} cannot be divided among {processes} processes: take a multiple"
        )


def _batches(job: Job, stage: Stage, first: int) -> Iterator[Pair]:
    loading = Loading(job.options.workers, pinned=job.device.type == "cuda")
    if job.makes_lows:
        return _batches_at_once(job, stage, first, loading)
    batches = Batches(
        cutter(job.options, job.recipe, stage, job.data.training),
        batch_size(job.options, stage),
        job.options.seed,
        job.world.rank,
        job.world.size,
    )
    return load_batches(batches, first, loading)


def _batches_at_once(job: Job, stage: Stage, first: int, loading: Loading) -> Iterator[Pair]:
    """The same high patches, with low ones that the device makes."""
    patches = made_pairs(job.options, job.recipe, stage, job.data.training)
    places = own_places(batch_size(job.options, stage), job.world.rank, job.world.size)
    batches = HighBatches(patches, deciding(job.recipe), job.options.seed, places)
    for highs in load_batches(batches, first, loading):
        yield with_lows(highs, patches.cut, job.device)


def _validation(job: Job) -> Callable[[nn.Module], Judgement]:
    samples = centre_samples(job.data.validation, job.options.scale, shrinker(job.recipe))
    return validator(samples, job.device, job_judge(job))


def job_judge(job: Job) -> Judge | None:
    return judge(job.eyes, job.stages, job.device)


def _length(job: Job, stage: Stage) -> Length:
    options = job.options

    def decide(steps: int) -> None:
        options.planned[stage.end] = steps
        if job.world.leads:
            write_options(options)

    steps = steps_of(options, job.stages)[stage.end]
    return Length(steps, budget_of(options, job.stages, stage), decide)


def _outlets(job: Job, stage: Stage, weights: Weights) -> Outlets:
    run = job.options.out
    samples = centre_samples(job.data.validation, job.options.scale, shrinker(job.recipe))
    metadata = replace(
        weights.metadata,
        objective=stage.end,
        measured_receptive_field=None,
        reflect_padding=None,
        figures={},
    )

    def keep(average: nn.Module, position: Position, best: Score) -> None:
        told = _record(job) | {
            "steps": position.done,
            "seconds": round(position.seconds),
            "skipped": position.skipped,
            "validation": {k: v for k, v in asdict(best).items() if v is not None},
        }
        result = replace(
            weights, state=average.state_dict(), metadata=replace(metadata, training=told)
        )
        write_weights(result, weights_file(run, stage.end))

    def draw(judged: Judgement, step: int) -> None:
        draw_sheet(samples, judged.pictures, Moment(stage.end, step), run / "samples")
        if plots.can_plot():
            draw_curves(run)

    if not plots.can_plot() and job.world.leads:
        job.watcher.say(f"no curves.png: {plots.MISSING}")
    chart = charts(run) if job.world.leads else lambda stage, step, figures: None
    return Outlets(run, job.watcher, keep, draw, chart)


def _record(job: Job) -> dict[str, Any]:
    """What a weights file says of the run."""
    sides = [entry.area for entry in job.data.training.high.entries]
    judged_by = job_judge(job)
    return {
        "command": job.command,
        "recipe": job.recipe.name,
        "version": __version__,
        "data": {"pictures": len(sides), "megapixels": round(sum(sides) / 1e6, 1)},
        "judged_by": judged_by.layers if judged_by else {},
    }

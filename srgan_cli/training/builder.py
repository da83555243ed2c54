"""The parts of a stage, put together: networks, train step, batches, validation."""

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
from srgan_cli.training.data import Data, Loading, batch_size, cutter, load_batches, shrinker
from srgan_cli.training.distillation import TeacherEnsemble, open_teachers, weight_of_teachers
from srgan_cli.training.distributed import World
from srgan_cli.training.feature_extractors import Eyes, Judge, judge
from srgan_cli.training.initial_weights import stage_weights, weights_file
from srgan_cli.training.loss_terms import GanTerm, LossInputs
from srgan_cli.training.losses import GAN_LOSSES
from srgan_cli.training.muon import Muon
from srgan_cli.training.patches import Batches, Pair
from srgan_cli.training.progress import Watcher
from srgan_cli.training.provenance import CARRIED_OVER, HISTORY, history_of, without_folders
from srgan_cli.training.recipes import Recipe, Stage
from srgan_cli.training.report import Moment, draw_curves, draw_sheet
from srgan_cli.training.run_folder import write_options
from srgan_cli.training.schedule import gan_of, losses_of, optimizer_of, rate_of
from srgan_cli.training.silent_channels import redraw_silent_, silent_share
from srgan_cli.training.tensorboard import charts
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.training.train_step import (
    GanObjective,
    Numerics,
    OptimizedNetwork,
    TrainStep,
    WeightedLoss,
)
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
    samples = centre_samples(job.data.validation, job.options.scale, shrinker(job.recipe))
    if weights.metadata.training.get(CARRIED_OVER):
        count = redraw_silent_(network, samples)
        job.watcher.say(f"kept the body of {job.options.start}; redrew {count} silent channels")
    average = copy.deepcopy(network)
    check_batch(job, stage)
    return Trainer(
        stage=stage,
        step=build_step(job, stage, network),
        average=average,
        batches=lambda first: _batches(job, stage, first),
        validate=_validation(job),
        outlets=_outlets(job, stage, weights),
        lr=rate_of(job.options, stage),
        length=_length(job, stage),
        accumulate=job.options.accumulate,
        world=job.world,
        silent_share=lambda network: silent_share(network, samples),
    )


def placed(network: nn.Module, device: torch.device) -> nn.Module:
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def build_step(job: Job, stage: Stage, network: nn.Module) -> TrainStep:
    """The step that trains `network`; a discriminator is made for it if it needs one."""
    inputs = LossInputs(job.eyes, job.device, is_luma_only(network))
    terms = losses_of(job.options, stage)
    needs_teacher = any(term.target == "teacher" for term in terms) and stage.end == "psnr"
    return TrainStep(
        generator=_optimized(job, stage, "generator", network),
        terms=[WeightedLoss(t.name, t.weight, t.build(inputs), t.target) for t in terms],
        numerics=job.numerics,
        gan=_gan_objective(job, stage),
        teacher=_teacher(job) if needs_teacher and job.options.pool is None else None,
        world=job.world,
    )


def _gan_objective(job: Job, stage: Stage) -> GanObjective | None:
    gan = gan_of(job.options, stage)
    if gan is None:
        return None
    network = placed(build_discriminator(gan), job.device)
    factor = (gan.lr or stage.lr) / stage.lr
    return GanObjective(
        discriminator=_optimized(job, stage, "discriminator", network, factor),
        loss=GAN_LOSSES[gan.loss],
        weight=gan.weight,
        target=gan.target,
        warmup=gan.warmup,
    )


def build_discriminator(gan: GanTerm) -> nn.Module:
    return DISCRIMINATORS[gan.discriminator](**gan.hyperparameters)


def _optimized(
    job: Job, stage: Stage, name: str, network: nn.Module, lr_factor: float = 1.0
) -> OptimizedNetwork:
    make = OPTIMIZERS[optimizer_of(job.options, stage)]
    rate = rate_of(job.options, stage) * lr_factor
    optimizer = make(network.parameters(), lr=rate, betas=stage.betas, fused=True)
    shared = job.world.shared(network, job.device)
    return OptimizedNetwork(name, shared, optimizer, stage.clip, lr_factor)


def _teacher(job: Job) -> TeacherEnsemble:
    given = open_teachers(job.options)
    return TeacherEnsemble([placed(load_generator(one), job.device).eval() for one in given])


def check_batch(job: Job, stage: Stage) -> None:
    size, processes = batch_size(job.options, stage), job.world.size
    if size % processes:
        raise OptionError(
            f"--batch-size {size} cannot be divided among {processes} processes: take a multiple"
        )


def _batches(job: Job, stage: Stage, first: int) -> Iterator[Pair]:
    loading = Loading(job.options.workers, pinned=job.device.type == "cuda")
    batches = Batches(
        cutter(job.options, job.recipe, stage, job.data.training),
        batch_size(job.options, stage),
        job.options.seed,
        job.world.rank,
        job.world.size,
    )
    return load_batches(batches, first, loading)


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
        told = _record(job, stage, history_of(weights)) | {
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


def _record(job: Job, stage: Stage, history: list[dict[str, Any]]) -> dict[str, Any]:
    """What a weights file says of the run; `history` is of the runs before it."""
    sides = [entry.area for entry in job.data.training.high.entries]
    judged_by = job_judge(job)
    teachers = [path.name for path in job.options.teachers]
    record = {
        "command": job.command,
        "recipe": job.recipe.name,
        "stage": stage.end,
        **({"from": job.options.start.name} if job.options.start else {}),
        **({"teachers": teachers} if weight_of_teachers(job.options, stage) else {}),
        "version": __version__,
        "data": {"pictures": len(sides), "megapixels": round(sum(sides) / 1e6, 1)},
        "judged_by": judged_by.layers if judged_by else {},
    }
    return without_folders(record) | ({HISTORY: history} if history else {})

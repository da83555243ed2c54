"""Builds the trainer of a stage: networks, train step, batches, validation, outputs."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

from srgan_cli import __version__
from srgan_cli.figures import plots
from srgan_cli.networks import DISCRIMINATORS
from srgan_cli.networks.quantization_aware import QuantizationAware
from srgan_cli.networks.srcnn import is_luma_only
from srgan_cli.training.callbacks import TrainingCallback, scalar_writer
from srgan_cli.training.data import Data, downsample_function, load_batches, pair_sampler
from srgan_cli.training.distillation import TeacherEnsemble, effective_teacher_weight, load_teachers
from srgan_cli.training.distributed import ProcessGroup
from srgan_cli.training.feature_extractors import FeatureExtractor, LoadedVgg, metric_extractor
from srgan_cli.training.initial_weights import (
    CARRIED_OVER,
    HISTORY,
    collect_history,
    stage_weights,
    weights_file,
    without_folders,
)
from srgan_cli.training.int8_stage import stage_network, stage_precision, with_network
from srgan_cli.training.loss_terms import GanTerm, LossInputs, Target
from srgan_cli.training.losses import GAN_LOSSES
from srgan_cli.training.muon import Muon
from srgan_cli.training.net2net import reinit_silent_, silent_share
from srgan_cli.training.patches import Batches, Pair
from srgan_cli.training.recipes import Recipe, declared_family
from srgan_cli.training.report import draw_curves, draw_sheet
from srgan_cli.training.run_folder import write_options
from srgan_cli.training.schedule import StageLength, chosen_stages, stage_budget, stage_steps
from srgan_cli.training.stages import Stage
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.training.train_step import (
    GanObjective,
    Numerics,
    OptimizedNetwork,
    TrainStep,
    WeightedLoss,
)
from srgan_cli.training.trainer import SaveBest, StageOutputs, StageProgress, Trainer
from srgan_cli.training.validation import Sample, Score, ValidationResult, center_samples, validator
from srgan_cli.weights.container import Weights, write_weights
from srgan_cli.weights.loading import load_generator
from srgan_cli.weights.metadata import Metadata, without_int8

OPTIMIZERS: dict[str, type[Adam]] = {"adam": Adam, "muon": Muon}


@dataclass(frozen=True, eq=False)
class TrainRun:
    """Everything that the stages of a run share."""

    options: TrainOptions
    recipe: Recipe
    data: Data
    vggs: Sequence[LoadedVgg]
    device: torch.device
    processes: ProcessGroup
    callback: TrainingCallback
    command: str

    @property
    def stages(self) -> tuple[Stage, ...]:
        return chosen_stages(self.options, self.recipe)

    def numerics(self, stage: Stage) -> Numerics:
        return Numerics(self.device, stage_precision(self.options, stage, self.device))


def build_trainer(run: TrainRun, stage: Stage) -> Trainer:
    """The trainer of a stage at its first step."""
    torch.manual_seed(run.options.seed)
    weights = stage_weights(run.options, run.recipe, stage.end)
    samples = validation_samples(run)
    low_res = [sample.low_res for sample in samples]
    network = to_channels_last(stage_network(weights, stage, low_res), run.device)
    if weights.metadata.training.get(CARRIED_OVER):
        count = reinit_silent_(network, samples)
        run.callback.message(
            f"kept the body of {run.options.start}; redrew {count} silent channels"
        )
    average = copy.deepcopy(network)
    step = build_step(run, stage, network)
    extractor = metric_extractor(run.vggs, run.stages, run.device)
    return Trainer(
        stage=stage,
        step=step,
        average=average,
        batches=lambda first: _batches(run, stage, first),
        validate=validator(samples, run.device, extractor),
        outputs=_outputs(run, stage, samples, _save_best(run, stage, weights, extractor)),
        length=_length(run, stage),
        accumulate=run.options.accumulate,
        silent_share=lambda network: silent_share(network, samples),
    )


def to_channels_last(network: nn.Module, device: torch.device) -> nn.Module:
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def build_step(run: TrainRun, stage: Stage, network: nn.Module) -> TrainStep:
    """The train step of `network`, with a discriminator if the stage has a GAN loss."""
    inputs = LossInputs(run.vggs, run.device, is_luma_only(network))
    return TrainStep(
        generator=_optimized(run, stage, "generator", network),
        terms=[WeightedLoss(t.name, t.weight, t.build(inputs), t.target) for t in stage.losses],
        numerics=run.numerics(stage),
        gan=_gan_objective(run, stage),
        target_networks=_target_networks(run, stage, network),
        processes=run.processes,
    )


def _target_networks(
    run: TrainRun, stage: Stage, network: nn.Module
) -> dict[Target, Callable[[Tensor], Tensor]]:
    """Those of the loss terms' targets that are made at each step."""
    targets = {term.target for term in stage.losses}
    found: dict[Target, Callable[[Tensor], Tensor]] = {}
    if "teacher" in targets and stage.end == "psnr" and run.options.pool is None:
        found["teacher"] = _teacher(run)
    if "start" in targets and isinstance(network, QuantizationAware):
        found["start"] = network.network  # its weights stay
    return found


def _gan_objective(run: TrainRun, stage: Stage) -> GanObjective | None:
    gan = stage.gan
    if gan is None:
        return None
    network = to_channels_last(build_discriminator(gan), run.device)
    factor = (gan.lr or stage.lr) / stage.lr
    return GanObjective(
        discriminator=_optimized(run, stage, "discriminator", network, factor),
        loss=GAN_LOSSES[gan.loss],
        weight=gan.weight,
        target=gan.target,
        warmup=gan.warmup,
    )


def build_discriminator(gan: GanTerm) -> nn.Module:
    return DISCRIMINATORS[gan.discriminator](**gan.hyperparameters)


def _optimized(
    run: TrainRun, stage: Stage, name: str, network: nn.Module, lr_factor: float = 1.0
) -> OptimizedNetwork:
    make = OPTIMIZERS[stage.optimizer]
    rate = stage.lr * lr_factor
    optimizer = make(network.parameters(), lr=rate, betas=stage.betas, fused=True)
    wrapped = run.processes.wrap(network, run.device)
    return OptimizedNetwork(name, wrapped, optimizer, stage.max_grad_norm, lr_factor)


def _teacher(run: TrainRun) -> TeacherEnsemble:
    given = load_teachers(run.options)
    return TeacherEnsemble(
        [to_channels_last(load_generator(one), run.device).eval() for one in given]
    )


def _batches(run: TrainRun, stage: Stage, first: int) -> Iterator[Pair]:
    batches = Batches(
        pair_sampler(run.options, run.recipe, stage, run.data.training),
        stage.batch_size,
        run.options.seed,
        run.processes.rank,
        run.processes.world_size,
    )
    return load_batches(batches, first, run.options.workers, pinned=run.device.type == "cuda")


def _length(run: TrainRun, stage: Stage) -> StageLength:
    options = run.options

    def on_steps(steps: int) -> None:
        options.planned[stage.end] = steps
        if run.processes.is_main_process:
            write_options(options)

    steps = stage_steps(options, run.stages)[stage.end]
    return StageLength(steps, stage_budget(options, run.stages, stage), on_steps)


def validation_samples(run: TrainRun) -> list[Sample]:
    return center_samples(run.data.validation, run.options.scale, downsample_function(run.recipe))


def _outputs(
    run: TrainRun, stage: Stage, samples: Sequence[Sample], save_best: SaveBest
) -> StageOutputs:
    folder, is_main = run.options.out, run.processes.is_main_process

    def sheet(result: ValidationResult, step: int) -> None:
        draw_sheet(samples, result.images, stage.end, step, folder / "samples")

    def curves() -> None:
        if plots.can_plot():
            draw_curves(folder)

    if not plots.can_plot() and is_main:
        run.callback.message(f"no curves.png: {plots.MISSING}")
    return StageOutputs(
        folder,
        run.callback,
        save_best,
        keep_latest=_keeps_latest(run, stage),
        draw_sheet=sheet,
        draw_curves=curves,
        write_scalars=scalar_writer(folder) if is_main else lambda stage, step, figures: None,
    )


def _keeps_latest(run: TrainRun, stage: Stage) -> bool:
    """Of a stage that learns from other networks' outputs alone."""
    by_teacher = stage.end == "psnr" and effective_teacher_weight(run.options, stage) == 1
    return by_teacher or stage.end == "int8"


def _save_best(
    run: TrainRun, stage: Stage, weights: Weights, extractor: FeatureExtractor | None
) -> SaveBest:
    """Writes the stage's weights file. weights: those that the stage starts from."""
    record = _record(run, stage, collect_history(weights), extractor)
    metadata = _new_metadata(run, stage, weights)

    def save_best(average: nn.Module, progress: StageProgress, best: Score) -> None:
        training = record | {
            "steps": progress.done,
            "seconds": round(progress.seconds),
            "skipped": progress.skipped,
            "validation": {k: v for k, v in asdict(best).items() if v is not None},
        }
        result = with_network(
            replace(weights, metadata=replace(metadata, training=training)), average
        )
        write_weights(result, weights_file(run.options.out, stage.end))

    return save_best


def _new_metadata(run: TrainRun, stage: Stage, weights: Weights) -> Metadata:
    """Of the stage's weights file. int8 changes neither end nor place in the family."""
    metadata = replace(
        without_int8(weights.metadata),
        measured_receptive_field=None,
        reflect_padding=None,
        figures={},
    )
    if stage.end == "int8":
        return metadata
    family = declared_family(run.recipe, weights.architecture, weights.hyperparameters)
    return replace(metadata, objective=stage.end, family=family)


def _record(
    run: TrainRun,
    stage: Stage,
    history: list[dict[str, Any]],
    extractor: FeatureExtractor | None,
) -> dict[str, Any]:
    """The training record of a weights file. history: records of the runs before it."""
    areas = [entry.area for entry in run.data.training.high_res.entries]
    pool = [run.options.pool] if run.options.pool else []
    teachers = [path.name for path in run.options.teachers or pool]
    record = {
        "command": run.command,
        "recipe": run.recipe.name,
        "stage": stage.end,
        **({"from": run.options.start.name} if run.options.start else {}),
        **({"teachers": teachers} if effective_teacher_weight(run.options, stage) else {}),
        "version": __version__,
        "data": {"pictures": len(areas), "megapixels": round(sum(areas) / 1e6, 1)},
        "judged_by": extractor.layers if extractor else {},
    }
    return without_folders(record) | ({HISTORY: history} if history else {})

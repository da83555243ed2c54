"""A training run: from options to trained weights files."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from srgan_cli.device import keep_memory, out_of_memory, pick_device
from srgan_cli.errors import DeviceError, OptionError
from srgan_cli.training.builder import (
    TrainRun,
    build_discriminator,
    build_trainer,
    validation_samples,
)
from srgan_cli.training.callbacks import Progress, TrainingCallback
from srgan_cli.training.data import Data, dead_worker_error, load_data, worker_died
from srgan_cli.training.distillation import load_teachers
from srgan_cli.training.distributed import ProcessGroup, distributed_context, process_group
from srgan_cli.training.feature_extractors import (
    LoadedVgg,
    load_vggs,
    perceptual_loss,
    perceptual_terms,
    require_files,
)
from srgan_cli.training.image_checks import skipped_lines
from srgan_cli.training.initial_weights import starting_weights, weights_file
from srgan_cli.training.loss_terms import GanTerm
from srgan_cli.training.memory_estimate import (
    MemoryRequest,
    available_bytes,
    memory_hint,
    stage_memory,
)
from srgan_cli.training.recipes import RECIPES, Recipe
from srgan_cli.training.run_folder import checkpoints, load_state
from srgan_cli.training.schedule import chosen_stages
from srgan_cli.training.stages import Stage
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.weights.activation_ranges import complete_ranges_of_file
from srgan_cli.weights.container import write_weights
from srgan_cli.weights.measured_field import complete_file

Memory = Callable[[torch.device], float]
"""Bytes that a device can give to this process."""


def check(options: TrainOptions) -> list[LoadedVgg]:
    """Check everything possible before a run folder is made. Returns the VGG files."""
    recipe = RECIPES[options.recipe]
    stages = recipe.chosen(options.stages)
    _check_out(options)
    pick_device(options.device)
    for stage in chosen_stages(options, recipe):
        check_batch(stage, process_group())
    starting_weights(options, recipe)
    load_teachers(options)
    files = options.vgg_files()
    require_files(recipe.name, stages, files)
    vggs = load_vggs(files)
    for stage in stages:
        for term in perceptual_terms(stage):
            perceptual_loss(vggs, term)
    return vggs


def check_batch(stage: Stage, processes: ProcessGroup) -> None:
    """Raises OptionError where the processes would get parts of different size, or too few pixels
    for the discriminator.
    """
    size, count = stage.batch_size, processes.world_size
    if size % count:
        raise OptionError(
            f"--batch-size {size} cannot be divided among {count} processes: take a multiple"
        )
    if stage.gan is not None and size == count:
        _check_single_patch(stage.gan, stage.patch)


@torch.no_grad()
def _check_single_patch(gan: GanTerm, side: int) -> None:
    """A small patch ends as one pixel in the discriminator, and BatchNorm needs two values."""
    try:
        build_discriminator(gan).train()(torch.zeros(1, 3, side, side))
    except ValueError as error:
        raise OptionError(
            f"one patch of {side} pixels is too little for the discriminator: take a larger "
            "--patch or --batch-size"
        ) from error


def _check_out(options: TrainOptions) -> None:
    """Raises OptionError where a new run would train on its own sheets and curves."""
    folders = {folder.resolve() for folder in options.folders}
    if options.out.resolve() in folders and not checkpoints(options.out):
        raise OptionError(f"-o {options.out} holds the images to train on: name another folder")


def train(
    options: TrainOptions,
    vggs: Sequence[LoadedVgg],
    callback: TrainingCallback,
    command: str,
    memory: Memory = available_bytes,
) -> list[Path]:
    """Run all stages of `options`, from the newest checkpoint if there is one.

    Returns the weights files written, one a stage, with measured receptive fields.
    """
    recipe = RECIPES[options.recipe]
    keep_memory()
    device = pick_device(options.device)
    with distributed_context(device) as processes:
        data = _data(options, recipe, processes, callback)
        run = TrainRun(options, recipe, data, vggs, device, processes, callback, command)
        if processes.is_main_process:
            _report_network(run)
            _write_start(run)
        processes.barrier()
        for stage in _stages_left(run):
            _train_stage(run, stage, memory)
    files = [weights_file(options.out, stage.end) for stage in run.stages]
    for file in files if processes.is_main_process else []:
        complete_file(file, callback.message)
    return files


def _data(
    options: TrainOptions, recipe: Recipe, processes: ProcessGroup, callback: TrainingCallback
) -> Data:
    """Process 0 decodes; the others then use its cache."""
    if not processes.is_main_process:
        processes.barrier()

    def show_pool(done: int, wanted: int) -> None:
        callback.progress(Progress("pool", done, wanted, {}, None))

    data = load_data(options, recipe, show_pool)
    if processes.is_main_process:
        processes.barrier()
        for line in skipped_lines(data.skipped):
            callback.message(line)
        for changes in data.changes:
            callback.message(f"images have changed since the run began ({changes}): read again")
    return data


def _report_network(run: TrainRun) -> None:
    """Report a network that is not the recipe's: --from may name the wrong file."""
    if run.options.start is None:
        return
    weights = starting_weights(run.options, run.recipe)
    if weights.architecture != run.recipe.architecture:
        run.callback.message(f"recipe {run.recipe.name} trains {weights}: {run.options.start}")


def _write_start(run: TrainRun) -> None:
    """Write the initial weights as RUN/psnr.safetensors if only the GAN stage runs. Those of a run
    that failed before its first checkpoint are replaced."""
    file = weights_file(run.options.out, "psnr")
    if run.stages[0].end == "gan" and not (file.exists() and checkpoints(run.options.out)):
        weights = starting_weights(run.options, run.recipe)
        write_weights(replace(weights, metadata=replace(weights.metadata, objective="psnr")), file)


def _stages_left(run: TrainRun) -> tuple[Stage, ...]:
    """The stages from that of the newest checkpoint on."""
    saved = checkpoints(run.options.out)
    ends = [stage.end for stage in run.stages]
    if not saved:
        return run.stages
    reached = load_state(saved[-1]).stage
    return run.stages[ends.index(reached) :] if reached in ends else run.stages


def _train_stage(run: TrainRun, stage: Stage, memory: Memory) -> None:
    trainer = build_trainer(run, stage)
    saved = checkpoints(run.options.out)
    state = load_state(saved[-1]) if saved else None
    if state is not None and state.stage == stage.end:
        trainer.restore(state)
    run.processes.barrier()
    try:
        trainer.train()
    except RuntimeError as error:
        if worker_died(error):
            raise dead_worker_error(error) from error
        if not out_of_memory(error):
            raise
        raise DeviceError(_memory_hint(run, stage, memory)) from error
    if run.processes.is_main_process:
        crops = [sample.low_res for sample in validation_samples(run)]
        complete_ranges_of_file(weights_file(run.options.out, stage.end), crops)
    run.processes.barrier()


def _memory_hint(run: TrainRun, stage: Stage, memory: Memory) -> str:
    options, processes = run.options, run.processes.world_size
    request = MemoryRequest(
        run.device, stage.batch_size, options.accumulate, stage.patch, options.scale, processes
    )
    estimate = stage_memory(options, stage, run.vggs, run.device)
    return memory_hint(request, estimate, memory(run.device))

"""`srgan train`, below the command line: from options to trained weights files."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from srgan_cli.device import keep_memory, local_device, out_of_memory, pick_device
from srgan_cli.errors import DeviceError
from srgan_cli.training.builder import Job, build_trainer
from srgan_cli.training.checkpoint import checkpoints, load_state
from srgan_cli.training.data import Data, load_data
from srgan_cli.training.dataset import Refusal
from srgan_cli.training.distillation import open_teachers
from srgan_cli.training.distributed import World, world
from srgan_cli.training.feature_extractors import (
    Eyes,
    open_eyes,
    perceptual_loss,
    perceptual_terms,
    require_files,
)
from srgan_cli.training.initial_weights import starting_weights, weights_file
from srgan_cli.training.memory_estimate import available_bytes
from srgan_cli.training.memory_hint import advice, asked, stage_need
from srgan_cli.training.progress import Progress, Watcher
from srgan_cli.training.recipes import RECIPES, Recipe, Stage
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.weights.container import write_weights

Memory = Callable[[torch.device], float]
"""Bytes that a device can give to this process."""

SHOWN = 10
"""Refused files that are named one by one."""


def check(options: TrainOptions) -> list[Eyes]:
    """All that can be found wrong before a run folder is made; the VGG files of the run."""
    recipe = RECIPES[options.recipe]
    stages = recipe.chosen(options.stages)
    starting_weights(options, recipe)
    open_teachers(options)
    files = options.vgg_files()
    require_files(recipe.name, stages, files)
    opened = open_eyes(files)
    for stage in stages:
        for term in perceptual_terms(stage):
            perceptual_loss(opened, term)
    return opened


def train(
    options: TrainOptions,
    opened: Sequence[Eyes],
    watcher: Watcher,
    command: str,
    memory: Memory = available_bytes,
) -> list[Path]:
    """Run all stages of `options`, from the newest checkpoint if there is one.

    Returns the weights files written, one a stage.
    """
    recipe = RECIPES[options.recipe]
    keep_memory()
    device = pick_device(local_device(options.device))
    with world(device) as here:
        data = _data(options, recipe, here, watcher)
        job = Job(options, recipe, data, opened, device, here, watcher, command)
        if here.leads:
            _tell_network(job)
            _provide_start(job)
        here.wait()
        for stage in _stages_left(job):
            _train_stage(job, stage, memory)
    return [weights_file(options.out, stage.end) for stage in job.stages]


def _data(options: TrainOptions, recipe: Recipe, here: World, watcher: Watcher) -> Data:
    """The first process decodes; the others then find the cache complete."""
    if not here.leads:
        here.wait()

    def show_pool(there: int, wanted: int) -> None:
        watcher.progress(Progress("pool", there, wanted, {}, None))

    data = load_data(options, recipe, show_pool)
    if here.leads:
        here.wait()
        _tell_refusals(data.refusals, watcher)
    return data


def _tell_refusals(refusals: Sequence[Refusal], watcher: Watcher) -> None:
    for refusal in refusals[:SHOWN]:
        watcher.say(f"left out: {refusal.line}")
    if len(refusals) > SHOWN:
        watcher.say(f"left out: {len(refusals) - SHOWN} more files; srgan check lists all")


def _tell_network(job: Job) -> None:
    """Where it is not the recipe's own, somebody may have named the wrong file."""
    if job.options.start is None:
        return
    weights = starting_weights(job.options, job.recipe)
    if weights.architecture != job.recipe.architecture:
        job.watcher.say(f"recipe {job.recipe.name} trains {weights}: {job.options.start}")


def _provide_start(job: Job) -> None:
    """A run of the GAN stage alone holds the other end as well, ready for `srgan interp`."""
    file = weights_file(job.options.out, "psnr")
    if job.stages[0].end == "gan" and not file.exists():
        weights = starting_weights(job.options, job.recipe)
        write_weights(replace(weights, metadata=replace(weights.metadata, objective="psnr")), file)


def _stages_left(job: Job) -> tuple[Stage, ...]:
    """From the stage of the newest checkpoint on."""
    saved = checkpoints(job.options.out)
    ends = [stage.end for stage in job.stages]
    if not saved:
        return job.stages
    reached = load_state(saved[-1]).stage
    return job.stages[ends.index(reached) :] if reached in ends else job.stages


def _train_stage(job: Job, stage: Stage, memory: Memory) -> None:
    trainer = build_trainer(job, stage)
    saved = checkpoints(job.options.out)
    state = load_state(saved[-1]) if saved else None
    if state is not None and state.stage == stage.end:
        trainer.restore(state)
    job.world.wait()
    try:
        trainer.train()
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        what = asked(job.options, stage, job.device, job.world.size)
        need = stage_need(job.options, stage, job.eyes, job.device)
        raise DeviceError(advice(what, need, memory(job.device))) from error
    job.world.wait()

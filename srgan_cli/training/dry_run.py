"""`srgan train --dry-run`: what a run would do."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import torch
from torch import nn

from srgan_cli.device import dtype_name, keep_memory, out_of_memory, pick_device
from srgan_cli.errors import DatasetError
from srgan_cli.training.builder import TrainRun, build_step, to_channels_last
from srgan_cli.training.callbacks import NoCallback
from srgan_cli.training.data import Data, Source
from srgan_cli.training.dataset import ImageSet
from srgan_cli.training.distillation import (
    indices_for_pool,
    pool_names,
    pool_needs_crops,
    pool_side,
)
from srgan_cli.training.distributed import ProcessGroup
from srgan_cli.training.feature_extractors import LoadedVgg, metric_extractor
from srgan_cli.training.image_checks import check_dataset, skipped_lines
from srgan_cli.training.initial_weights import starting_weights
from srgan_cli.training.int8_stage import stage_network, stage_precision
from srgan_cli.training.memory_estimate import estimate_memory, stage_networks
from srgan_cli.training.patches import Pair
from srgan_cli.training.recipes import RECIPES, Recipe
from srgan_cli.training.schedule import TRAINING_SHARE, chosen_stages, stage_budget, stage_steps
from srgan_cli.training.stages import Stage
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.training.train_step import NonFiniteError, TrainStep
from srgan_cli.weights.loading import load_generator

TIMED_STEPS = 2
LONGEST = 20.0
"""Seconds after which one step must do."""


def describe_run(options: TrainOptions, vggs: list[LoadedVgg]) -> Iterator[str]:
    """Lines for people. Reads every image and times a few steps; writes nothing.

    Raises DatasetError where there is no image to train on.
    """
    recipe = RECIPES[options.recipe]
    stages = chosen_stages(options, recipe)
    weights = starting_weights(options, recipe)
    report = check_dataset(options, exclude=options.other_folders)
    if not report.valid:
        first = f", the first: {report.invalid[0].reason}" if report.invalid else ""
        raise DatasetError(f"no image to train on{first}")
    origin = f"from {options.start}" if options.start else "from random numbers"
    yield f"recipe {recipe.name}: {recipe.paper}"
    yield f"generator: {weights}, {count(load_generator(weights))} parameters, {origin}"
    yield f"images: {report.summary}"
    for line in skipped_lines(report.invalid):
        yield f"  {line}"
    yield f"low-resolution images: {_describe_low_res(options, recipe)}"
    yield from _pool_lines(options, report.sides)
    keeps_colors = options.low is not None or options.stages == "int8"
    if recipe.color_augmentation and not keeps_colors:
        yield f"color augmentation: {recipe.color_augmentation:.0%} of the patches"
    if recipe.color_blocks and not keeps_colors:
        yield f"with a block of one color: {recipe.color_blocks:.0%} of the patches"
    for stage in stages:
        steps = stage_steps(options, stages)[stage.end]
        budget = stage_budget(options, stages, stage)
        yield from _stage_lines(options, stage, vggs, steps, budget)
    metric = metric_extractor(vggs, stages, torch.device("cpu"))
    for name, layers in (metric.layers if metric else {}).items():
        yield f"validation features: {name}: {', '.join(layers)}"
    yield f"written to: {options.out}"


def _pool_lines(options: TrainOptions, sides: Sequence[int]) -> Iterator[str]:
    """sides: the shorter one of each image. Raises DatasetError if all are too small."""
    if options.pool is None:
        return
    needs_crops = pool_needs_crops(options)
    crops = options.pool_size if needs_crops else len(pool_names(options.pool))
    yield f"trained on a pool of {crops} crops: {options.pool}"
    if needs_crops:
        count = len(indices_for_pool(sides, options))
        yield f"  cut from {count} images of at least {pool_side(options)} pixels a side"


def _describe_low_res(options: TrainOptions, recipe: Recipe) -> str:
    if options.low is not None:
        return f"from {options.low}"
    return "blurred, noisy and compressed by chance" if recipe.degrade else "by MATLAB's bicubic"


def _stage_lines(
    options: TrainOptions,
    stage: Stage,
    vggs: list[LoadedVgg],
    steps: int | None,
    budget: float | None,
) -> Iterator[str]:
    device = pick_device(options.device)
    dtype = stage_precision(options, stage, device)
    length = f"{steps} steps" if steps else f"as many steps as fit {budget:.0f} seconds"
    batches = f" x {options.accumulate}" if options.accumulate > 1 else ""
    yield (
        f"stage {stage.end}: {length} of {stage.batch_size}{batches} patches, {stage.patch} pixels "
        f"({stage.patch // options.scale} low-resolution), {stage.optimizer}, "
        f"learning rate {stage.lr:g}"
    )
    networks = stage_networks(options, stage, vggs)
    terms, gan = [term.describe(vggs) for term in stage.losses], stage.gan
    if gan is not None:
        terms.append(f"{gan.loss} GAN x {gan.weight:g}, real is the {gan.target}")
    yield f"  losses: {', '.join(terms)}"
    if networks.discriminator is not None and gan is not None:
        yield f"  discriminator: {gan.discriminator}, {count(networks.discriminator)} parameters"
    estimate = estimate_memory(networks, stage.patch, options.scale, dtype).of(stage.batch_size)
    yield f"  memory: about {estimate / 1e9:.1f} GB on {device}, computing in {dtype_name(dtype)}"
    yield f"  time: {_describe_time(seconds_per_step(options, stage, vggs), steps, budget)}"


def _describe_time(seconds: float | None, steps: int | None, budget: float | None) -> str:
    """seconds: of a step."""
    if seconds is None:
        return "not known: a step does not fit into memory"
    measured = f"{seconds:.2g} s a step on random images"
    if steps is not None:
        return f"about {timedelta(seconds=round(seconds * steps))}, {measured}"
    return f"about {int(TRAINING_SHARE * (budget or 0) / seconds)} steps, {measured}"


def count(network: nn.Module) -> str:
    return f"{sum(p.numel() for p in network.parameters()):,}"


def seconds_per_step(options: TrainOptions, stage: Stage, vggs: list[LoadedVgg]) -> float | None:
    """Seconds of a step with all of a stage's losses, on noise; None if memory does not suffice.

    In one process, even where several will share the batch.
    """
    try:
        return _measure(options, stage, vggs)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        return None


def _measure(options: TrainOptions, stage: Stage, vggs: list[LoadedVgg]) -> float:
    keep_memory()
    recipe, device = RECIPES[options.recipe], pick_device(options.device)
    nothing = Source(ImageSet(Path(), []))
    data, single = Data(nothing, nothing, []), ProcessGroup()
    run = TrainRun(options, recipe, data, vggs, device, single, NoCallback(), "")
    network = to_channels_last(stage_network(starting_weights(options, recipe), stage), device)
    step = build_step(run, stage, network)
    pairs = [_random_pair(options, stage)] * options.accumulate
    started = time.monotonic()
    _timed(step, pairs)  # slower than the others, and not counted
    seconds: list[float] = []
    while len(seconds) < TIMED_STEPS and (not seconds or time.monotonic() - started < LONGEST):
        seconds.append(_timed(step, pairs))
    return min(seconds)


def _timed(step: TrainStep, pairs: list[Pair]) -> float:
    """Seconds of a step. It reads the losses, so that the device has finished."""
    started = time.monotonic()
    with suppress(NonFiniteError):  # fp16's gradient scaler begins too high for some losses
        step(pairs)
    return time.monotonic() - started


def _random_pair(options: TrainOptions, stage: Stage) -> Pair:
    """A batch of noise, as load_batches yields them."""
    size, high = stage.batch_size, stage.patch

    def noise(side: int) -> torch.Tensor:
        return torch.randint(0, 256, (size, 3, side, side), dtype=torch.uint8)

    pair: Pair = {"low_res": noise(high // options.scale), "high_res": noise(high)}
    return pair | {"teacher": noise(high)} if options.pool is not None else pair

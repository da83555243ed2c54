"""How long a stage would take: a few of its steps, on random images."""

import time
from pathlib import Path

import torch

from srgan_cli.device import keep_memory, out_of_memory, pick_device
from srgan_cli.training.builder import TrainRun, build_step, to_channels_last
from srgan_cli.training.callbacks import NoCallback
from srgan_cli.training.data import Data, Source, batch_size, patch_side
from srgan_cli.training.dataset import ImageSet
from srgan_cli.training.distributed import ProcessGroup
from srgan_cli.training.feature_extractors import LoadedVgg
from srgan_cli.training.initial_weights import starting_weights
from srgan_cli.training.patches import Pair
from srgan_cli.training.recipes import RECIPES, Stage
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.weights.loading import load_generator

TIMED_STEPS = 2
LONGEST = 20.0
"""Seconds after which one step must do."""


def seconds_per_step(options: TrainOptions, stage: Stage, vggs: list[LoadedVgg]) -> float | None:
    """With all of a stage's losses, without reading images; None where memory does not suffice.

    Of one process, even where several will share the batch.
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
    data, alone = Data(nothing, nothing, []), ProcessGroup()
    run = TrainRun(options, recipe, data, vggs, device, alone, NoCallback(), "")
    network = to_channels_last(load_generator(starting_weights(options, recipe)), device)
    step = build_step(run, stage, network)
    pairs = [_random_pair(options, stage)] * options.accumulate
    started = time.monotonic()
    step(pairs)  # slower than the others, and not counted
    seconds: list[float] = []
    while len(seconds) < TIMED_STEPS and (not seconds or time.monotonic() - started < LONGEST):
        before = time.monotonic()
        step(pairs)  # it reads the losses, so that the device has finished
        seconds.append(time.monotonic() - before)
    return min(seconds)


def _random_pair(options: TrainOptions, stage: Stage) -> Pair:
    """A batch of noise, as load_batches yields them."""
    size, high = batch_size(options, stage), patch_side(options, stage)

    def noise(side: int) -> torch.Tensor:
        return torch.randint(0, 256, (size, 3, side, side), dtype=torch.uint8)

    pair: Pair = {"low_res": noise(high // options.scale), "high_res": noise(high)}
    return pair | {"teacher": noise(high)} if options.pool is not None else pair

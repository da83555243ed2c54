"""Options of `srgan train` that a run records."""

from functools import partial
from pathlib import Path
from typing import get_args

import click

from srgan_cli.cli.command import option
from srgan_cli.cli.flags import device_option, option_group, precision_option
from srgan_cli.cli.parameter_types import POSITIVE, complete_file, folder, weights_file
from srgan_cli.settings import FLOAT_PRECISION_NAMES
from srgan_cli.training.loss_terms import PixelDistance
from srgan_cli.training.recipes import RECIPES, OptimizerName
from srgan_cli.training.train_options import STAGES, TEACHER_WEIGHT, TrainOptions, seconds, size

BY_RECIPE = "by recipe"

run_option = partial(option, heading="Run")
image_option = partial(option, heading="Images")
network_option = partial(option, heading="Network")
optimization_option = partial(option, heading="Optimization")
machine_option = partial(option, heading="Machine")


def parse_duration(
    ctx: click.Context, parameter: click.Parameter, text: str | None
) -> float | None:
    return None if text is None else seconds(text)


def parse_size(ctx: click.Context, parameter: click.Parameter, text: str | None) -> float:
    return TrainOptions.cache if text is None else size(text)


train_options = option_group(
    "given",
    dict,
    click.argument("folders", metavar="FOLDER...", nargs=-1, type=folder),
    run_option(
        "-o",
        "--out",
        metavar="RUN",
        required=True,
        type=click.Path(file_okay=False, path_type=Path),
        help="Log, checkpoints and weights",
    ),
    run_option(
        "--recipe",
        metavar="NAME",
        type=click.Choice(list(RECIPES)),
        default=TrainOptions.recipe,
        help="Network and settings, see Notes",
    ),
    run_option(
        "-s",
        "--scale",
        metavar="N",
        type=POSITIVE,
        default=TrainOptions.scale,
        help="Scale to train for",
    ),
    run_option(
        "--stages",
        metavar="NAME",
        type=click.Choice(STAGES),
        show_default=BY_RECIPE,
        help="psnr, gan or both",
    ),
    run_option(
        "--steps", metavar="N", type=POSITIVE, show_default=BY_RECIPE, help="Steps of all stages"
    ),
    run_option(
        "--budget",
        metavar="TIME",
        callback=parse_duration,
        help="Train for 90s, 20m, 2h or 1d instead of N steps",
    ),
    run_option(
        "--seed",
        metavar="N",
        type=click.IntRange(min=0),
        default=TrainOptions.seed,
        help="Of all random numbers",
    ),
    image_option(
        "--low", metavar="FOLDER", type=folder, show_default=BY_RECIPE, help="Low-resolution images"
    ),
    image_option(
        "--val",
        metavar="FOLDER",
        type=folder,
        show_default="1 of 20 images",
        help="Validation images",
    ),
    image_option(
        "--patch",
        metavar="N",
        type=POSITIVE,
        show_default=BY_RECIPE,
        help="High-res crop in pixels",
    ),
    image_option(
        "--cache",
        metavar="SIZE",
        callback=parse_size,
        show_default=f"{TrainOptions.cache / 1e9:g}GB",
        help="Decoded images kept on disk",
    ),
    network_option(
        "--from", "start", metavar="FILE", type=weights_file, help="Start from these weights"
    ),
    network_option(
        "--blocks", metavar="N", type=POSITIVE, show_default=BY_RECIPE, help="Depth of the network"
    ),
    network_option(
        "--teacher",
        "teachers",
        metavar="FILE",
        multiple=True,
        type=weights_file,
        help="Distill this network; repeat to average several",
    ),
    network_option(
        "--teacher-weight",
        metavar="0-1",
        type=click.FloatRange(0, 1, min_open=True),
        show_default=f"{TEACHER_WEIGHT:g}",
        help="Share of the pixel loss against it",
    ),
    network_option(
        "--pool",
        metavar="FOLDER",
        type=click.Path(file_okay=False, path_type=Path),
        help="Crops upscaled once by the teacher",
    ),
    network_option(
        "--pool-size",
        metavar="N",
        type=POSITIVE,
        default=TrainOptions.pool_size,
        help="Crops in the pool",
    ),
    optimization_option(
        "--vgg",
        metavar="FILE",
        multiple=True,
        shell_complete=complete_file,
        help="VGG19 for the GAN stage, or download; see Notes",
    ),
    optimization_option(
        "--loss",
        metavar="NAME",
        type=click.Choice(get_args(PixelDistance)),
        show_default=BY_RECIPE,
        help="Pixel loss, l1 or mse",
    ),
    optimization_option(
        "--optimizer",
        metavar="NAME",
        type=click.Choice(get_args(OptimizerName)),
        show_default=BY_RECIPE,
        help="Of stage psnr, adam or muon",
    ),
    optimization_option(
        "--lr",
        metavar="X",
        type=click.FloatRange(min=0, min_open=True),
        show_default=BY_RECIPE,
        help="Learning rate",
    ),
    optimization_option(
        "--batch-size", metavar="N", type=POSITIVE, show_default=BY_RECIPE, help="Of all processes"
    ),
    optimization_option(
        "--accumulate",
        metavar="N",
        type=POSITIVE,
        default=TrainOptions.accumulate,
        help="Micro-batches per step",
    ),
    device_option,
    precision_option(TrainOptions.precision, FLOAT_PRECISION_NAMES),
    machine_option(
        "--workers",
        metavar="N",
        type=click.IntRange(min=0),
        default=TrainOptions.workers,
        help="Processes that cut patches",
    ),
)

"""Options of `srgan train` that a run records."""

from functools import partial
from typing import get_args

import click

from srgan_cli.cli.command import option
from srgan_cli.cli.flags import device_option, option_group, precision_option
from srgan_cli.cli.parameter_types import (
    ABOVE_0,
    NOT_NEGATIVE,
    POSITIVE,
    ParsedType,
    complete_file,
    folder,
    new_folder,
    weights_file,
)
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


train_options = option_group(
    "given",
    dict,
    click.argument("folders", metavar="FOLDER...", nargs=-1, type=folder),
    run_option(
        "-o, --out RUN",
        "Log, checkpoints and weights",
        required=True,
        type=new_folder,
    ),
    run_option(
        "--recipe NAME",
        "Network and settings, see Notes",
        type=click.Choice(list(RECIPES)),
        default=TrainOptions.recipe,
    ),
    run_option("-s, --scale N", "Scale to train for", type=POSITIVE, default=TrainOptions.scale),
    run_option(
        "--stages NAME", "psnr, gan or both", type=click.Choice(STAGES), show_default=BY_RECIPE
    ),
    run_option("--steps N", "Steps of all stages", type=POSITIVE, show_default=BY_RECIPE),
    run_option(
        "--budget TIME",
        "Train for 90s, 20m, 2h or 1d instead of N steps",
        type=ParsedType("TIME", seconds),
    ),
    run_option("--seed N", "Of all random numbers", type=NOT_NEGATIVE, default=TrainOptions.seed),
    image_option("--low FOLDER", "Low-resolution images", type=folder, show_default=BY_RECIPE),
    image_option("--val FOLDER", "Validation images", type=folder, show_default="1 of 20 images"),
    image_option("--patch N", "High-res crop in pixels", type=POSITIVE, show_default=BY_RECIPE),
    image_option(
        "--cache SIZE",
        "Decoded images kept on disk",
        type=ParsedType("SIZE", size),
        default=TrainOptions.cache,
        show_default=f"{TrainOptions.cache / 1e9:g}GB",
    ),
    network_option("--from FILE", "Start from these weights", name="start", type=weights_file),
    network_option("--blocks N", "Depth of the network", type=POSITIVE, show_default=BY_RECIPE),
    network_option(
        "--teacher FILE",
        "Distill this network; repeat to average several",
        name="teachers",
        multiple=True,
        type=weights_file,
    ),
    network_option(
        "--teacher-weight 0-1",
        "Share of the pixel loss against it",
        type=click.FloatRange(0, 1, min_open=True),
        show_default=f"{TEACHER_WEIGHT:g}",
    ),
    network_option(
        "--pool FOLDER",
        "Crops upscaled once by the teacher",
        type=new_folder,
    ),
    network_option(
        "--pool-size N", "Crops in the pool", type=POSITIVE, default=TrainOptions.pool_size
    ),
    optimization_option(
        "--vgg FILE",
        "VGG19 for the GAN stage, or download; see Notes",
        multiple=True,
        shell_complete=complete_file,
    ),
    optimization_option(
        "--loss NAME",
        "Pixel loss, l1 or mse",
        type=click.Choice(get_args(PixelDistance)),
        show_default=BY_RECIPE,
    ),
    optimization_option(
        "--optimizer NAME",
        "Of stage psnr, adam or muon",
        type=click.Choice(get_args(OptimizerName)),
        show_default=BY_RECIPE,
    ),
    optimization_option(
        "--lr X",
        "Learning rate",
        type=ABOVE_0,
        show_default=BY_RECIPE,
    ),
    optimization_option(
        "--batch-size N", "Of all processes", type=POSITIVE, show_default=BY_RECIPE
    ),
    optimization_option(
        "--accumulate N", "Micro-batches per step", type=POSITIVE, default=TrainOptions.accumulate
    ),
    device_option,
    precision_option(TrainOptions.precision, FLOAT_PRECISION_NAMES),
    machine_option(
        "--workers N",
        "Processes that cut patches",
        type=NOT_NEGATIVE,
        default=TrainOptions.workers,
    ),
)

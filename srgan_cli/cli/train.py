"""`srgan train`."""

import shlex
import sys
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, get_args

import click

from srgan_cli.cli.command import Command, option, option_group
from srgan_cli.cli.console import Output
from srgan_cli.cli.flags import (
    ABOVE_0,
    NOT_NEGATIVE,
    POSITIVE,
    ParsedType,
    complete_file,
    device_option,
    folder,
    new_folder,
    precision_option,
    weights_file,
)
from srgan_cli.cli.progress_bars import training_progress
from srgan_cli.cli.signals import handle_signals
from srgan_cli.errors import OptionError
from srgan_cli.settings import FLOAT_PRECISION_NAMES
from srgan_cli.training.loss_terms import PixelDistance
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.stages import OptimizerName
from srgan_cli.training.train_options import (
    STAGES,
    TEACHER_WEIGHT,
    TrainOptions,
    gan_stage_command,
    seconds,
    size,
)

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
        "--stages NAME",
        "psnr, gan, both or int8",
        type=click.Choice(STAGES),
        show_default=BY_RECIPE,
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
        "Crops upscaled once, by the teacher or elsewhere",
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


RESUME_OPTIONS = {"steps", "budget", "device"}
"""Options that may be changed with --resume."""

SAVE_TEXT = "finishing the step and saving"


@click.command(
    "train",
    cls=Command,
    short_help="Train a network on your images",
    examples=(
        "srgan train photos/ -o run --budget 2h",
        "srgan train photos/ -o run --recipe esrgan --vgg download",
        "srgan train --resume -o run                # go on after a stop",
    ),
    notes=(
        f"--recipe is {', '.join(list(RECIPES)[:-1])} or {list(RECIPES)[-1]}.",
        "Without --vgg, recipes with a GAN stage train the faithful network only.",
        "--vgg FILE:conv2_2=0.5,conv3_1=1 chooses layers and their weights, and can be "
        "repeated; --vgg download fetches torchvision's file once.",
        "RUN/psnr.safetensors (faithful) and RUN/gan.safetensors (vivid) are the best networks so "
        "far: srgan upscale -w reads them, srgan interp blends them.",
        "--stages int8 trains --from FILE to run in int8 as in floats: RUN/int8.safetensors.",
        "Several GPUs: torchrun --nproc-per-node N -m srgan_cli train ...",
    ),
)
@train_options
@option(
    "--resume", "Go on with RUN; takes --steps, --budget, --device", is_flag=True, heading="Run"
)
@option("--dry-run", "Print what would happen, and stop", is_flag=True, heading="Run")
def train_command(given: dict[str, Any], resume: bool, dry_run: bool) -> None:
    """Train a network on the images in FOLDER..., scaled to the machine at hand."""
    options = _resume_options(given) if resume else _new_options(given)
    _check_vgg_files(options)
    vivid_hint = "" if resume or not _needs_vgg(options) else _vivid_stage_hint(options)
    if vivid_hint:
        options = replace(options, stages="psnr")

    from srgan_cli.training.train_run import check

    vggs = check(options)
    if dry_run:
        from srgan_cli.training.dry_run import describe_run

        output = Output(only_prints=True)
        for line in describe_run(options, vggs):
            output.result(line)
        if vivid_hint:
            output.info(vivid_hint)
        output.exit_on_write_error()
        return

    from srgan_cli.training.distributed import process_group
    from srgan_cli.training.trainer import StopTraining

    go_on = f"srgan train --resume -o {shlex.quote(str(options.out))}"
    output = Output(quiet=not process_group().is_main_process)
    try:
        with handle_signals(f"go on with: {go_on}", before_exit=SAVE_TEXT, print_line=output.info):
            _run(options, vggs, resume, output)
    except StopTraining as stop:
        text = "Saved." if stop.saved else "The last steps failed and are not saved."
        output.info(f"{text} Go on with: {go_on}")
        sys.exit(stop.code)
    if vivid_hint:
        output.info(vivid_hint)


def _new_options(given: dict[str, Any]) -> TrainOptions:
    options = TrainOptions(**given)
    options.check_new()
    return options


def _check_vgg_files(options: TrainOptions) -> None:
    """Raises OptionError for one that is not there."""
    for file in options.vgg_files():
        if file.path is not None and not file.path.exists():
            raise OptionError(f"--vgg {file.path}: no such file; --vgg download fetches one")


def _needs_vgg(options: TrainOptions) -> bool:
    """Whether a stage needs a VGG file, and neither --stages nor --vgg is given."""
    from srgan_cli.training.feature_extractors import perceptual_terms

    stages = RECIPES[options.recipe].stages
    has_psnr = any(stage.end == "psnr" for stage in stages)
    named = options.stages is not None or options.vgg
    return not named and has_psnr and any(perceptual_terms(stage) for stage in stages)


def _vivid_stage_hint(options: TrainOptions) -> str:
    """How to train the GAN stage that was omitted."""
    return (
        "Without --vgg only the faithful network is trained. For the vivid one, which needs "
        f"torchvision's VGG19 (548 MB, once): {shlex.join(gan_stage_command(options))}"
    )


def _run(options: TrainOptions, vggs: list[Any], resume: bool, output: Output) -> None:
    from srgan_cli.training.distributed import process_group
    from srgan_cli.training.run_folder import begin, locked_run, write_options
    from srgan_cli.training.train_run import train

    is_main = process_group().is_main_process
    with locked_run(options.out) if is_main else nullcontext():
        if is_main:
            (write_options if resume else begin)(options)
        with training_progress(output, options.budget) as callback:
            files = train(options, vggs, callback, shlex.join(["srgan", *sys.argv[1:]]))
    output.info(", ".join(map(str, files)))


def _resume_options(given: dict[str, Any]) -> TrainOptions:
    """The recorded options with those changed on the command line."""
    from srgan_cli.training.run_folder import resume_options

    ctx = click.get_current_context()
    named = {
        name
        for name in given
        if ctx.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
    }
    if named - RESUME_OPTIONS - {"out"}:
        raise OptionError(
            "--resume takes all from RUN; only --steps, --budget and --device may differ"
        )
    return resume_options(given["out"], {name: given[name] for name in named & RESUME_OPTIONS})

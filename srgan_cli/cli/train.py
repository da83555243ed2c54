"""`srgan train`."""

import shlex
import sys
from pathlib import Path
from typing import Any, get_args

import click

from srgan_cli.cli.console import Output
from srgan_cli.cli.flags import device_option, gathered, precision_option
from srgan_cli.cli.parameter_types import POSITIVE, folder, weights_file
from srgan_cli.cli.progress_bars import training_progress
from srgan_cli.errors import OptionError
from srgan_cli.training.loss_terms import PixelDistance
from srgan_cli.training.recipes import RECIPES, OptimizerName
from srgan_cli.training.train_options import STAGES, TEACHER_WEIGHT, TrainOptions, seconds, size

CHANGEABLE = {"steps", "budget", "device"}
"""What may differ when a run is resumed."""

RECIPES_OWN = "[default: the recipe's]"


def span(ctx: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
    return None if text is None else seconds(text)


def room(ctx: click.Context, parameter: click.Parameter, text: str | None) -> float:
    return TrainOptions.cache if text is None else size(text)


train_options = gathered(
    "given",
    dict,
    click.argument("folders", metavar="FOLDER...", nargs=-1, type=folder),
    click.option(
        "-o",
        "--out",
        metavar="RUN",
        required=True,
        type=click.Path(file_okay=False, path_type=Path),
        help="The run folder: options, log, checkpoints and the finished weights.",
    ),
    click.option(
        "--recipe",
        type=click.Choice(list(RECIPES)),
        default=TrainOptions.recipe,
        help="Network and settings of a paper.",
    ),
    click.option("-s", "--scale", type=POSITIVE, default=TrainOptions.scale),
    click.option(
        "--stages",
        type=click.Choice(STAGES),
        help="Faithful, vivid or one after the other.  [default: all that the recipe has]",
    ),
    click.option(
        "--steps",
        type=POSITIVE,
        help=f"Length of the run; two stages share it.  {RECIPES_OWN}",
    ),
    click.option(
        "--budget",
        metavar="SPAN",
        callback=span,
        help="Length of the run in time, such as 90s, 20m or 2h.",
    ),
    click.option(
        "--from",
        "start",
        type=weights_file,
        help="Begin with these weights, whatever their network; --blocks makes it deeper.",
    ),
    click.option(
        "--teacher",
        "teachers",
        metavar="FILE",
        multiple=True,
        type=weights_file,
        help="Teacher network for distillation; repeat to average several.",
    ),
    click.option(
        "--teacher-weight",
        type=click.FloatRange(0, 1, min_open=True),
        help="Share of the pixel loss with the teacher's images as its target.  "
        f"[default: {TEACHER_WEIGHT}]",
    ),
    click.option(
        "--pool",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Train on crops that the teacher upscales once, in DIR/low, DIR/teacher, DIR/high; "
        "they are made if missing.",
    ),
    click.option(
        "--pool-size",
        type=POSITIVE,
        default=TrainOptions.pool_size,
        help="Crops to make for the pool.",
    ),
    click.option(
        "--val", type=folder, help="Pictures to validate with.  [default: one in twenty held out]"
    ),
    click.option(
        "--low",
        type=folder,
        help="The low pictures, of the same names.  [default: made from the high ones]",
    ),
    click.option(
        "--vgg",
        metavar="FILE[:LAYERS]",
        multiple=True,
        help="VGG19 for a GAN stage, with layers such as conv2_2=0.5,conv3_1=1; repeatable; "
        "download fetches torchvision's.",
    ),
    click.option("--batch-size", type=POSITIVE, help=RECIPES_OWN),
    click.option(
        "--patch",
        type=POSITIVE,
        help=f"Side of the high-resolution crop, in pixels.  {RECIPES_OWN}",
    ),
    click.option(
        "--optimizer",
        type=click.Choice(get_args(OptimizerName)),
        help=f"Of the PSNR stage: Muon gets further in as many steps.  {RECIPES_OWN}",
    ),
    click.option(
        "--loss",
        type=click.Choice(get_args(PixelDistance)),
        help=f"Of pixels, in the PSNR stage.  {RECIPES_OWN}",
    ),
    click.option(
        "--lr",
        type=click.FloatRange(min=0, min_open=True),
        help=f"Learning rate.  {RECIPES_OWN}",
    ),
    click.option(
        "--blocks", type=POSITIVE, help=f"Depth of the network; VDSR's layers.  {RECIPES_OWN}"
    ),
    click.option(
        "--accumulate",
        type=POSITIVE,
        default=TrainOptions.accumulate,
        help="Batches whose gradients make one step.",
    ),
    click.option("--seed", type=click.IntRange(min=0), default=TrainOptions.seed),
    click.option(
        "--workers",
        type=click.IntRange(min=0),
        default=TrainOptions.workers,
        help="Processes that cut patches.",
    ),
    click.option(
        "--cache",
        metavar="SIZE",
        callback=room,
        help="Decoded pictures kept on disk; those beyond are decoded when needed.  [default: 8GB]",
    ),
    device_option,
    precision_option(TrainOptions.precision),
)


@click.command("train")
@train_options
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with RUN, as if nothing had happened; only --steps, --budget and --device may "
    "differ.",
)
@click.option("--dry-run", is_flag=True, help="Say what would happen, and stop.")
def train_command(given: dict[str, Any], resume: bool, dry_run: bool) -> None:
    """Train a network on the pictures in FOLDER..., scaled to the machine at hand.

    RUN/psnr.safetensors, and gan.safetensors of a recipe with a GAN stage, are the best networks so
    far: `srgan upscale -w` reads them, `srgan interp` blends them.

    On several GPUs or machines: torchrun --nproc-per-node N -m srgan_cli train ...
    """
    options = _recorded(given) if resume else TrainOptions(**given)

    from srgan_cli.training.train_run import check

    opened = check(options)
    if dry_run:
        from srgan_cli.training.plan import plan

        for line in plan(options, opened):
            click.echo(line)
        return

    from srgan_cli.training.distributed import leads
    from srgan_cli.training.run_folder import begin, locked_run, write_options

    if not leads():
        _train(options, opened)
        return
    with locked_run(options.out):
        (write_options if resume else begin)(options)
        _train(options, opened)


def _train(options: TrainOptions, opened: list[Any]) -> None:
    from srgan_cli.training.distributed import leads
    from srgan_cli.training.train_run import train
    from srgan_cli.training.trainer import Interrupted
    from srgan_cli.weights.measured_field import complete_file

    again = f"srgan train --resume -o {shlex.quote(str(options.out))}"
    output = Output()
    speak = output.info if leads() else silent
    try:
        with training_progress(output, options.budget) as watcher:
            files = train(options, opened, watcher, shlex.join(["srgan", *sys.argv[1:]]))
        for file in files if leads() else []:
            complete_file(file, speak)
    except Interrupted as stop:
        speak(f"Saved. Go on with: {again}")
        sys.exit(stop.code)
    except KeyboardInterrupt:
        speak(f"Stopped. Go on from the last checkpoint with: {again}")
        sys.exit(130)
    speak(", ".join(map(str, files)))


def silent(line: str) -> None:
    """What all processes but the first say."""


def _recorded(given: dict[str, Any]) -> TrainOptions:
    """The options of the run, with the few that may differ."""
    from srgan_cli.training.run_folder import resumed

    ctx = click.get_current_context()
    named = {
        name
        for name in given
        if ctx.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
    }
    if named - CHANGEABLE - {"out"}:
        raise OptionError(
            "--resume takes all from RUN; only --steps, --budget and --device may differ"
        )
    return resumed(given["out"], {name: given[name] for name in named & CHANGEABLE})

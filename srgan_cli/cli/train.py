"""`srgan train`."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from srgan_cli.cli.display import training_display
from srgan_cli.cli.options import device_option, folder, weights_file
from srgan_cli.errors import OptionError
from srgan_cli.training.options import TrainOptions, seconds
from srgan_cli.training.recipes import RECIPES

POSITIVE = click.IntRange(min=1)


def span(ctx: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
    return None if text is None else seconds(text)


@click.command("train")
@click.argument("folders", metavar="FOLDER...", nargs=-1, type=folder)
@click.option(
    "-o",
    "--out",
    "out",
    metavar="RUN",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The run folder: options, log, checkpoints and the finished weights.",
)
@click.option(
    "--recipe",
    type=click.Choice(list(RECIPES)),
    default=TrainOptions.recipe,
    help="Network and settings of a paper.",
)
@click.option("-s", "--scale", type=POSITIVE, default=TrainOptions.scale)
@click.option("--steps", type=POSITIVE, help="Length of the run.  [default: the recipe's]")
@click.option(
    "--budget",
    metavar="SPAN",
    callback=span,
    help="Length of the run in time, such as 90s, 20m or 2h.",
)
@click.option("--from", "start", type=weights_file, help="Begin with these weights.")
@click.option(
    "--val", type=folder, help="Pictures to validate with.  [default: one in twenty held out]"
)
@click.option("--batch-size", type=POSITIVE, help="[default: the recipe's]")
@click.option(
    "--patch",
    type=POSITIVE,
    help="Side of the high-resolution crop, in pixels.  [default: the recipe's]",
)
@click.option(
    "--lr",
    type=click.FloatRange(min=0, min_open=True),
    help="Learning rate.  [default: the recipe's]",
)
@click.option("--blocks", type=POSITIVE, help="Depth of the network.  [default: the recipe's]")
@click.option(
    "--accumulate",
    type=POSITIVE,
    default=TrainOptions.accumulate,
    help="Batches whose gradients make one step.",
)
@click.option("--seed", type=click.IntRange(min=0), default=TrainOptions.seed)
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    default=TrainOptions.workers,
    help="Processes that cut patches.",
)
@device_option
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    default=TrainOptions.precision,
    help="In which convolutions are computed.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with RUN, as if nothing had happened; all options come from there.",
)
def train_command(resume: bool, **given: Any) -> None:
    """Train a network on the pictures in FOLDER..., scaled to the machine at hand.

    RUN/psnr.safetensors is the best network so far: `srgan upscale -w` reads it.
    """
    options = _resumed(given) if resume else TrainOptions(**given)

    from srgan_cli.training.loop import Interrupted
    from srgan_cli.training.run import begin, train

    if not resume:
        begin(options)
    try:
        with training_display() as tell:
            files = train(options, tell, shlex.join(["srgan", *sys.argv[1:]]))
    except Interrupted as stop:
        click.echo(
            f"Saved. Go on with: srgan train --resume -o {shlex.quote(str(options.out))}", err=True
        )
        sys.exit(stop.code)
    click.echo(f"{', '.join(map(str, files))}", err=True)


def _resumed(given: dict[str, Any]) -> TrainOptions:
    """The recorded options, with the few that may differ."""
    from srgan_cli.training.run import read_options, write_options

    ctx = click.get_current_context()
    allowed = {"out", "steps", "budget", "device", "resume"}
    named = {
        name
        for name in given
        if ctx.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE
    }
    if named - allowed:
        raise OptionError(
            "--resume takes all from RUN; only --steps, --budget and --device may differ"
        )
    recorded = read_options(given["out"])
    changed = {name: given[name] for name in named & {"steps", "budget", "device"}}
    if "budget" in changed:
        changed["steps"] = None
    options = replace(recorded, **changed, out=given["out"])
    write_options(options, options.out)
    return options

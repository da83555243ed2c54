"""`srgan check`."""

import sys
from pathlib import Path

import click

from srgan_cli.cli.flags import POSITIVE, folder
from srgan_cli.training.train_options import TrainOptions


@click.command("check")
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=folder)
@click.option("--low", type=folder, help="The low pictures, of the same names.")
@click.option("-s", "--scale", type=POSITIVE, default=TrainOptions.scale)
@click.option(
    "--patch",
    type=POSITIVE,
    help="Side of the high-resolution crop, in pixels.  [default: the largest of --recipe clean]",
)
def check_command(
    folders: tuple[Path, ...], low: Path | None, scale: int, patch: int | None
) -> None:
    """Look at every picture in FOLDER... as `srgan train` would, and say which it cannot use.

    With --low, each must have a low picture of its name, exactly SCALE times smaller. Exits with 1
    where a picture is broken or unfit; files that are no pictures are only named.
    """
    options = TrainOptions(folders=folders, out=Path(), low=low, scale=scale, patch=patch)

    from srgan_cli.training.check import inspect

    found = inspect(options)
    for refusal in [*found.others, *found.unfit]:
        click.echo(refusal.line)
    click.echo(found.summary, err=True)
    sys.exit(1 if found.unfit or not found.usable else 0)

"""`srgan check`."""

import sys
from pathlib import Path

import click

from srgan_cli.cli.command import Command, option
from srgan_cli.cli.console import Output
from srgan_cli.cli.flags import POSITIVE, folder
from srgan_cli.training.train_options import TrainOptions


@click.command(
    "check",
    cls=Command,
    short_help="Find images that training could not use",
    examples=("srgan check photos/", "srgan check photos/ --low photos_small/ --scale 2"),
    notes=(
        "Exits with 1 where an image is broken or unfit. Other files are only listed.",
        "With --low, each image needs one of its name there, exactly SCALE times smaller.",
    ),
)
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=folder)
@option(
    "-s, --scale N",
    "Scale to train for",
    type=POSITIVE,
    default=TrainOptions.scale,
    heading="Training",
)
@option(
    "--low FOLDER",
    "Low-resolution images",
    type=folder,
    show_default="made by bicubic",
    heading="Training",
)
@option(
    "--patch N",
    "Crop in pixels",
    type=POSITIVE,
    show_default="the recipe's largest",
    heading="Training",
)
def check_command(
    folders: tuple[Path, ...], low: Path | None, scale: int, patch: int | None
) -> None:
    """Check every image in FOLDER... as `srgan train` would, and list what it cannot use."""
    options = TrainOptions(folders=folders, out=Path(), low=low, scale=scale, patch=patch)

    from srgan_cli.training.image_checks import check_dataset

    output, report = Output(only_prints=True), check_dataset(options, exclude=[low] if low else [])
    for file in [*report.others, *report.invalid]:
        output.result(file.line)
    output.info(report.summary)
    sys.exit(1 if report.invalid or not report.valid or output.write_errors else 0)

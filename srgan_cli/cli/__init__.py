"""The `srgan` command."""

import os

import click

from srgan_cli import __version__
from srgan_cli.cli.check import check_command
from srgan_cli.cli.command import Group
from srgan_cli.cli.compare import compare_command
from srgan_cli.cli.completion import completion_command
from srgan_cli.cli.convert import convert_command
from srgan_cli.cli.evaluate import eval_command
from srgan_cli.cli.info import info_command
from srgan_cli.cli.interp import interp_command
from srgan_cli.cli.models import models_command
from srgan_cli.cli.rate import rate_command
from srgan_cli.cli.train import train_command
from srgan_cli.cli.upscale import upscale_command

SECTIONS = {
    "Upscale": (upscale_command, models_command),
    "Train": (check_command, train_command, interp_command),
    "Weights files": (info_command, convert_command),
    "Compare": (eval_command, compare_command, rate_command),
    "Shell": (completion_command,),
}

# OpenCV reads these once, when it is imported. --max-pixels refuses before any codec decodes, so
# OpenCV's own fixed limits would only refuse a larger one.
for _name, _bits in (("PIXELS", 44), ("WIDTH", 31), ("HEIGHT", 31)):
    os.environ.setdefault(f"OPENCV_IO_MAX_IMAGE_{_name}", str(2**_bits - 1))


@click.group(
    cls=Group,
    sections={heading: [str(one.name) for one in part] for heading, part in SECTIONS.items()},
)
@click.version_option(__version__, prog_name="srgan")
def main() -> None:
    """Make images larger, with sharp and believable detail.

    \b
      srgan upscale photo.jpg              # writes photo_x4.jpg beside it
      srgan COMMAND -h                     # options and examples of a command
    """


for part in SECTIONS.values():
    for command in part:
        main.add_command(command)

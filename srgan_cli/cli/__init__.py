"""The `srgan` command: arguments in, one call down, one line out."""

import click

from srgan_cli import __version__
from srgan_cli.cli.check import check_command
from srgan_cli.cli.compare import compare_command
from srgan_cli.cli.convert import convert_command
from srgan_cli.cli.evaluate import eval_command
from srgan_cli.cli.info import info_command
from srgan_cli.cli.interp import interp_command
from srgan_cli.cli.models import models_command
from srgan_cli.cli.rate import rate_command
from srgan_cli.cli.train import train_command
from srgan_cli.cli.upscale import upscale_command
from srgan_cli.errors import OptionError, SrganError


class WrongCommandLine(click.ClickException):
    """In one line, unlike Click's own, which repeats the usage."""

    exit_code = 2


class FriendlyGroup(click.Group):
    """Shows the errors we foresaw as `Error: ...`; all others keep their traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except OptionError as error:
            raise WrongCommandLine(str(error)) from error
        except SrganError as error:
            raise click.ClickException(str(error)) from error


@click.group(
    cls=FriendlyGroup,
    context_settings={"show_default": True, "help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="srgan")
def main() -> None:
    """Make pictures larger, with believable detail."""


COMMANDS = (
    upscale_command,
    train_command,
    check_command,
    interp_command,
    models_command,
    info_command,
    convert_command,
    eval_command,
    compare_command,
    rate_command,
)
for command in COMMANDS:
    main.add_command(command)

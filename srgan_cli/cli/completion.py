"""`srgan completion`."""

import click
from click.shell_completion import ShellComplete, get_completion_class

from srgan_cli.cli.command import Command
from srgan_cli.cli.console import Output

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "srgan"
VARIABLE = f"_{PROGRAM.upper()}_COMPLETE"
"""Environment variable by which the script asks for completions, as Click names it."""


@click.command(
    "completion",
    cls=Command,
    short_help="Print a script that completes commands with Tab",
    examples=(
        "srgan completion bash > ~/.local/share/bash-completion/completions/srgan",
        "srgan completion zsh > ~/.zfunc/_srgan     # with fpath+=~/.zfunc in .zshrc",
        "srgan completion fish > ~/.config/fish/completions/srgan.fish",
    ),
    notes=(
        "Commands, options, their values, names of models and of files are completed. bash needs "
        "version 4.4 or newer; make the folder first where it does not exist.",
    ),
)
@click.argument("shell", metavar="bash|zsh|fish", type=click.Choice(SHELLS))
def completion_command(shell: str) -> None:
    """Print a script for bash, zsh or fish that completes srgan's command lines."""
    output = Output(only_prints=True)
    for line in script(shell).splitlines():
        output.result(line)
    output.exit_on_write_error()


def script(shell: str) -> str:
    """Click's script for one of SHELLS, without a check of the installed shell's version."""
    shell_class = get_completion_class(shell)
    assert shell_class is not None, shell
    group = click.get_current_context().find_root().command
    return ShellComplete.source(shell_class(group, {}, PROGRAM, VARIABLE))

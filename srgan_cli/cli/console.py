"""How much a command says: results to stdout, talk to stderr."""

from dataclasses import dataclass

import click

from srgan_cli.cli.flags import gathered
from srgan_cli.errors import OptionError


@dataclass(frozen=True)
class Talk:
    json: bool = False
    verbose: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.verbose and self.quiet:
            raise OptionError("--verbose and --quiet exclude each other")

    def line(self, text: str) -> None:
        if not self.quiet:
            click.echo(text, err=True)

    def detail(self, text: str) -> None:
        if self.verbose:
            click.echo(text, err=True)


talk_options = gathered(
    "talk",
    Talk,
    click.option("--json", is_flag=True, help="A JSON line for each result, on stdout."),
    click.option("-v", "--verbose", is_flag=True, help="Say how it is done."),
    click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
)

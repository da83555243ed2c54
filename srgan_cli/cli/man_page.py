"""The man page, made of what the commands' help is made of.

python -m srgan_cli.cli.man_page > docs/srgan.1
"""

from collections.abc import Iterable, Iterator

import click

from srgan_cli import __version__
from srgan_cli.cli.command import Command, Group

HELP_OPTION = "-h, --help"


def man_page(group: Group) -> str:
    """The page in roff, with the commands in the order of their sections."""
    ctx = click.Context(group, info_name="srgan", **group.context_settings)
    return "\n".join(_lines(group, ctx)) + "\n"


def _lines(group: Group, ctx: click.Context) -> Iterator[str]:
    summary, _, examples = (group.help or "").partition("\b\n")
    yield f'.TH SRGAN 1 "" "srgan {__version__}" "User Commands"'
    yield ".SH NAME"
    yield rf"srgan \- {_escape(summary.strip().rstrip('.').lower())}"
    yield ".SH SYNOPSIS"
    yield ".B srgan"
    yield r".I COMMAND \fR[\fIOPTIONS\fR] [\fIARGUMENTS\fR]"
    yield ".SH EXAMPLES"
    yield from _literal(line.strip() for line in examples.strip().splitlines())
    yield ".SH COMMANDS"
    for names in group.sections.values():
        for name in names:
            command = group.commands[name]
            assert isinstance(command, Command)
            yield from _command(command, click.Context(command, parent=ctx, info_name=name))


def _command(command: Command, ctx: click.Context) -> Iterator[str]:
    arguments = " ".join(command.collect_usage_pieces(ctx))
    yield f'.SS "srgan {command.name} {_escape(arguments)}"'
    yield _escape(command.help or "")
    yield ".PP"
    yield from _literal(command.examples)
    for heading, rows in command.option_groups(ctx).items():
        shown = [row for row in rows if not row[0].strip().startswith(HELP_OPTION)]
        if shown:
            yield ".PP"
            yield rf"\fI{heading}\fR"
        for names, text in shown:
            yield ".TP"
            yield rf"\fB{_escape(names.strip())}\fR"
            yield _escape(text)
    for note in command.notes:
        yield ".PP"
        yield _escape(note)


def _literal(lines: Iterable[str]) -> Iterator[str]:
    """Lines that are not filled."""
    yield ".nf"
    for line in lines:
        yield _escape(line)
    yield ".fi"


def _escape(text: str) -> str:
    """Text that roff shows as it is, on one line."""
    line = " ".join(text.splitlines()).replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{line}" if line.startswith((".", "'")) else line


if __name__ == "__main__":
    from srgan_cli.cli import main

    click.echo(man_page(main), nl=False)

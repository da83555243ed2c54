"""Click's classes with grouped options, examples and one-line errors."""

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from srgan_cli.cli.console import split_stderr
from srgan_cli.cli.hints import COMMANDS_OF_OTHERS, explain_option, is_image_name
from srgan_cli.cli.signals import handle_signals
from srgan_cli.errors import MissingDeviceError, OptionError, SrganError
from srgan_cli.files import printable

OTHER = "Other"
"""Heading of the options that name none."""

CONTEXT = {"show_default": True, "help_option_names": ["-h", "--help"]}

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]


class Option(click.Option):
    """An option on one line of its group in the help.

    aliases: names in other programs; not shown in the help.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        heading: str = OTHER,
        aliases: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        super().__init__([*names, *aliases], **settings)
        self.heading = heading
        self.aliases = frozenset(aliases)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        if self.hidden:
            return None
        names = [name for name in self.opts if name not in self.aliases] + self.secondary_opts
        first = "" if len(names[0]) == 2 else " " * 4
        value = "" if self.is_flag or self.count else f" {self.make_metavar(ctx)}"
        text, default = self.help or "", self.shown_default(ctx)
        return f"{first}{', '.join(names)}{value}", f"{text}  [{default}]" if default else text

    def get_error_hint(self, ctx: click.Context | None) -> str:
        return " / ".join(repr(name) for name in self.opts if name not in self.aliases)

    def shown_default(self, ctx: click.Context) -> str:
        """The default for the help; "" if there is none."""
        if isinstance(self.show_default, str):
            return f"default: {self.show_default}"
        extra = self.get_help_extra(ctx)
        return extra.get("required") or (
            f"default: {extra['default']}" if extra.get("default") else ""
        )


def option(
    declaration: str,
    help: str | None = None,
    *,
    name: str | None = None,
    heading: str = OTHER,
    **settings: Any,
) -> Decorator:
    """`click.option` of the class `Option`, declared as the help shows it: "-s, --scale N".

    name: of the command's parameter, where it is not the option's.
    """
    *short, last = declaration.split(", ")
    long, _, metavar = last.partition(" ")
    settings |= {"help": help, "metavar": metavar or None, "heading": heading}
    names = [*short, long, *([] if name is None else [name])]
    return click.option(*names, cls=Option, **settings)


def option_group(
    name: str, build: Callable[..., Any], *options: Decorator, heading: str = OTHER
) -> Decorator:
    """`options` as one decorator that hands the command `build(...)` of them, as `name`.

    heading: above these options in the help.
    """

    def decorate(command: Function) -> Function:
        own: list[click.Parameter] = []

        @functools.wraps(command)
        def with_value(*args: Any, **given: Any) -> Any:
            value = build(**{str(one.name): given.pop(str(one.name)) for one in own})
            return command(*args, **given, **{name: value})

        first = len(getattr(command, "__click_params__", ()))
        decorated: Function = with_value
        for each in reversed(options):
            decorated = each(decorated)
        own += decorated.__click_params__[first:]  # type: ignore[attr-defined]
        for parameter in own:
            if isinstance(parameter, Option) and parameter.heading == OTHER:
                parameter.heading = heading
        return decorated

    return decorate


class Command(click.Command):
    """A command whose help begins with examples, and whose options are in groups.

    examples: command lines, with a remark after ` # ` where one helps. notes: the end of the help.
    own_signals: whether the command itself answers Ctrl-C and SIGTERM.
    """

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str] = (),
        notes: Sequence[str] = (),
        own_signals: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.own_signals = own_signals
        self.examples = tuple(examples)
        self.notes = tuple(notes)

    def invoke(self, ctx: click.Context) -> Any:
        if self.own_signals:
            return super().invoke(ctx)
        with handle_signals("no unfinished file was written"):
            return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")
        groups = self.option_groups(ctx)
        width = max(len(left) for rows in groups.values() for left, _ in rows)
        for heading, rows in groups.items():
            with formatter.section(heading):
                padded = [(f"{left:{width}}", text) for left, text in rows]
                formatter.write_dl(padded, col_max=width, col_spacing=2)
        if self.notes:
            with formatter.section("Notes"):
                for note in self.notes:
                    formatter.write_text(note)

    def option_groups(self, ctx: click.Context) -> dict[str, list[tuple[str, str]]]:
        """Heading -> (names, text) of each option, in the order of definition."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            is_option = isinstance(parameter, click.Option)
            record = parameter.get_help_record(ctx) if is_option else None
            if record is not None:
                groups.setdefault(getattr(parameter, "heading", OTHER), []).append(record)
        groups[OTHER] = groups.pop(OTHER)  # at the end: --help is always there
        return groups

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Click's completions without the aliases, which the help does not show either."""
        aliases = {name for one in self.get_params(ctx) for name in getattr(one, "aliases", ())}
        found = super().shell_complete(ctx, incomplete)
        return [item for item in found if item.value not in aliases]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = list(args)  # Click empties the list
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            hint = explain_option([error.option_name, *words])
            raise click.UsageError(f"{error.format_message()}{hint}", ctx) from error


class CommandError(click.ClickException):
    """An error of ours, as one line `Error: ...`."""


class CommandLineError(CommandError):
    exit_code = 2


class Group(click.Group):
    """Shows an SrganError as one line; all other exceptions keep their traceback.

    sections: heading -> names of the commands below it.
    """

    command_class = Command

    def __init__(
        self, *args: Any, sections: Mapping[str, Sequence[str]] | None = None, **settings: Any
    ) -> None:
        super().__init__(*args, context_settings=CONTEXT, **settings)
        self.sections = sections or {}

    def main(self, *args: Any, **settings: Any) -> Any:
        split_stderr()
        logging.getLogger("PIL").addHandler(logging.NullHandler())  # errors say it
        return super().main(*args, **settings)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except SrganError as error:
            is_usage = isinstance(error, OptionError | MissingDeviceError)
            kind = CommandLineError if is_usage else CommandError
            raise kind(printable(error)) from error
        except click.UsageError as error:
            raise click.UsageError(printable(error.format_message()), error.ctx) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] == "help":  # `srgan help train`
            args = [*args[1:2], "--help"]
            if len(args) == 1:
                click.echo(ctx.get_help())
                ctx.exit()
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            ctx.fail(self._unknown(ctx, args))
        return super().resolve_command(ctx, args)

    def _unknown(self, ctx: click.Context, args: Sequence[str]) -> str:
        """The message for an unknown command."""
        import difflib

        name = args[0]
        if is_image_name(name):
            return f"There is no command {name!r}. To upscale it: srgan upscale {name}"
        if name in COMMANDS_OF_OTHERS:
            return f"There is no command {name!r}: use srgan {COMMANDS_OF_OTHERS[name]}"
        close = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
        hint = f"Did you mean {close[0]!r}?" if close else "srgan -h lists all commands."
        return f"There is no command {name!r}. {hint}"

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        with formatter.section("Options"):
            records = (parameter.get_help_record(ctx) for parameter in self.get_params(ctx))
            formatter.write_dl([record for record in records if record is not None])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(name) for name in self.commands)
        for heading, names in self.sections.items():
            rows = [(f"{name:{width}}", self.commands[name].short_help or "") for name in names]
            with formatter.section(heading):
                formatter.write_dl(rows, col_max=width, col_spacing=2)

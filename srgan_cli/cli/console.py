"""Console output: results to stdout, everything else to stderr.

Nothing that comes from a file or its name reaches a terminal unescaped, and nothing is taken as
rich markup. Where stderr is not a terminal there are plain lines only.
"""

import io
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

import click

from srgan_cli.errors import OptionError
from srgan_cli.files import discard_stream, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

WIDTH_OF_PIPES = 1000
"""Columns of a table where no terminal limits them: rows are never wrapped."""


def cell(text: object, style: str = "") -> "Text":
    """A cell of a table, or a line, that shows `text` as it is."""
    from rich.text import Text

    return Text(printable(text), style=style)


@dataclass(frozen=True)
class Output:
    """The lines of a command: where they go, and which are shown."""

    json: bool = False
    verbose: bool = False
    quiet: bool = False
    only_prints: bool = False
    """Whether lines are the command's only result: then a pipe closed by `head` is no error."""
    write_errors: list[str] = field(default_factory=list, compare=False)
    """Why results could not be written to stdout; empty if they all were."""

    def __post_init__(self) -> None:
        if self.verbose and self.quiet:
            raise OptionError("--verbose and --quiet exclude each other")

    @cached_property
    def console(self) -> "Console":
        """The one console of stderr: progress bars and lines share it."""
        from rich.console import Console

        return Console(stderr=True, force_terminal=self.interactive, highlight=False)

    @property
    def interactive(self) -> bool:
        """Whether progress bars can be shown."""
        return can_draw_bars(sys.stderr)

    def result(self, text: str) -> None:
        """A line on stdout."""
        try:
            click.echo(printable(text))
        except OSError as error:
            self._handle_write_error(error)

    def record(self, values: Mapping[str, Any]) -> None:
        """A JSON line on stdout."""
        self.result(json.dumps(values))  # in ASCII: every control character is escaped

    def table(self, table: "Table") -> None:
        """On stdout; as wide as it needs to be where that is not a terminal."""
        from rich.console import Console

        if not _is_terminal(sys.stdout):
            plain = io.StringIO()
            Console(file=plain, highlight=False, width=WIDTH_OF_PIPES).print(table)
            for line in plain.getvalue().splitlines():
                self.result(line.rstrip())
            return
        try:
            Console(highlight=False, force_terminal=True).print(table)
        except OSError as error:
            self._handle_write_error(error)

    def info(self, text: str) -> None:
        if not self.quiet:
            self._line(text)

    def detail(self, text: str) -> None:
        if self.verbose:
            self._line(text)

    def warning(self, text: str) -> None:
        self._line(f"Warning: {text}")

    def error(self, text: str) -> None:
        self.failure(f"Error: {text}")

    def failure(self, text: str) -> None:
        """A line that --quiet does not suppress."""
        self._line(text)

    def exit_on_write_error(self) -> None:
        """Exit with 1 if results could not be written to stdout."""
        if self.write_errors:
            raise click.exceptions.Exit(1)

    def _line(self, text: str) -> None:
        """On stderr. One that is full or closed does not stop the work."""
        try:
            if self.interactive:
                self.console.print(cell(text), soft_wrap=True)
            else:
                click.echo(printable(text), err=True)
        except OSError:
            discard_stream(sys.stderr)

    def _handle_write_error(self, error: OSError) -> None:
        """Continue without stdout."""
        discard_stream(sys.stdout)
        if not self.write_errors:
            reason = str(error.strerror or error)
            self.write_errors.append(reason)
            if self.only_prints and isinstance(error, BrokenPipeError):
                return
            self.error(f"standard output cannot be written ({reason}); the work goes on")


def split_stderr() -> None:
    """Move Python's stderr from file descriptor 2, where libraries print, to one of its own.

    Nothing changes where stderr is closed, or has been replaced by another stream.
    """
    before = sys.__stderr__
    if before is None or sys.stderr is not before or before.fileno() != 2:
        return
    with suppress(OSError):
        before.flush()
        own = os.fdopen(os.dup(2), "w", 1, before.encoding, before.errors or "backslashreplace")
        sys.stderr = sys.__stderr__ = own  # type: ignore[misc]


def can_draw_bars(stream: TextIO | None) -> bool:
    """Whether it is a terminal whose lines can be redrawn."""
    return os.environ.get("TERM") != "dumb" and _is_terminal(stream)


def _is_terminal(stream: TextIO | None) -> bool:
    with suppress(ValueError):  # closed
        return stream is not None and stream.isatty()
    return False

"""Files that a command writes: never over what it reads, and by one process at a time."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from srgan_cli.errors import ImageError, OptionError, SrganError
from srgan_cli.files import locked_target


def check_outputs(outputs: Sequence[Path], inputs: Iterable[Path]) -> None:
    """Raises OptionError where an output is an input, through links too, or is named twice."""
    read = [path.resolve() for path in inputs]
    for number, output in enumerate(outputs):
        if output.resolve() in read or any(_same(output, path) for path in read):
            raise OptionError(f"{output} is an input: give another name with -o")
        if output in outputs[:number]:
            raise OptionError(f"{output} would be written twice: give different numbers")


def lock_outputs(outputs: Iterable[Path], error: type[SrganError] = ImageError) -> None:
    """Reserve the files until the command ends.

    Raises `error` where another process has one of them, or where one cannot be written.
    """
    context = click.get_current_context()
    for output in outputs:
        context.with_resource(locked_target(output, error))


def _same(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:
        return False

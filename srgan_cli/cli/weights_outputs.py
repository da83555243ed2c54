"""Weights files that a command writes: names that would overwrite what it reads are refused."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from srgan_cli.errors import OptionError


def check_outputs(outputs: Sequence[Path], inputs: Iterable[Path]) -> None:
    """Raises OptionError where an output is an input, through links too, or is named twice."""
    read = [path.resolve() for path in inputs]
    for number, output in enumerate(outputs):
        if output.resolve() in read or any(_same(output, path) for path in read):
            raise OptionError(f"{output} is an input: give another name with -o")
        if output in outputs[:number]:
            raise OptionError(f"{output} would be written twice: give different numbers")


def _same(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:
        return False

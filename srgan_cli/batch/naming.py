"""What is asked of a batch, and what results are called. Standard library only."""

import os
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from srgan_cli.errors import OptionError, SrganError
from srgan_cli.files import printable
from srgan_cli.images.formats import FORMAT_BY_SUFFIX, Encoding
from srgan_cli.settings import ImageSize

STREAM = Path("-")
"""Standard input or output."""

FIELDS = ("stem", "suffix", "scale", "width", "height", "model")

Measure = Callable[[Path], ImageSize]
"""The size of the result for the picture at a path, without decoding it."""


@dataclass(frozen=True)
class Batch:
    """What to do with the inputs, besides enlarging them."""

    inputs: tuple[str, ...]
    out: str | None = None
    recursive: bool = False
    skip_existing: bool = False
    keep_time: bool = False
    name: str | None = None
    dry_run: bool = False
    shard: tuple[int, int] | None = None
    """(number from 1, of how many)"""

    def __post_init__(self) -> None:
        if not self.inputs:
            raise OptionError("name at least one picture, folder or - for standard input")
        if "" in self.inputs or self.out == "":
            raise OptionError("a file without a name: is a variable of the shell empty?")
        if self.keep_time and str(STREAM) in (self.out, *self.inputs):
            raise OptionError("--keep-time is for files, not for - (stdin, stdout)")
        if self.name is not None:
            _check_template(self.name)
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            raise OptionError("--shard takes I/N with I from 1 to N, such as 2/8")


@dataclass(frozen=True)
class Job:
    """One picture: from where, to where. problem: why it cannot be done, known beforehand."""

    source: Path
    target: Path
    problem: str | None = None


@dataclass(frozen=True)
class Naming:
    """How results are called by default: the scale, or None where a size was asked for."""

    model: str
    scale: str | None
    encoding: Encoding
    measure: Measure


def _check_template(template: str) -> None:
    unknown = fields_of(template) - set(FIELDS)
    if unknown or not template.strip() or {"/", os.sep} & set(template):
        fields = ", ".join(f"{{{field}}}" for field in FIELDS)
        raise OptionError(f"--name takes a file name with {fields}, not {template!r}")


def fields_of(template: str) -> set[str]:
    try:
        return {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise OptionError(f"--name {template!r}: {error}") from error


def checked(path: Path, encoding: Encoding) -> Path:
    """`path`, whose format is known. Raises OptionError."""
    if encoding.format is None and path.suffix.lower() not in FORMAT_BY_SUFFIX:
        known = " ".join(FORMAT_BY_SUFFIX)
        raise OptionError(
            f"{printable(path)} does not say its format: end it in one of {known}, give --format, "
            "or end it in / for a folder"
        )
    return path


def name_of(source: Path, template: str | None, naming: Naming) -> str:
    """What the result for `source` is called. Raises OptionError for a template that cannot be."""
    default = "{stem}_x{scale}{suffix}" if naming.scale else "{stem}_{width}x{height}{suffix}"
    chosen = default if template is None else template
    try:
        name = chosen.format(**_values(source, fields_of(chosen), naming))
    except (ValueError, LookupError) as error:
        raise OptionError(f"--name {chosen!r}: {error}") from error
    return name if _ends_in_format(chosen) else name + suffix_of(source, naming.encoding)


def _ends_in_format(template: str) -> bool:
    return template.endswith("{suffix}") or Path(template).suffix.lower() in FORMAT_BY_SUFFIX


def _values(source: Path, fields: set[str], naming: Naming) -> dict[str, str]:
    known = {
        "stem": "stdin" if source == STREAM else source.stem,
        "suffix": suffix_of(source, naming.encoding),
        "scale": naming.scale or "",
        "model": naming.model,
    }
    if fields & {"width", "height"} or ("scale" in fields and naming.scale is None):
        known |= _sides(source, naming.measure)
    return known


def _sides(source: Path, measure: Measure) -> dict[str, str]:
    """An unreadable picture gets a name all the same; it is reported when its turn comes."""
    if source == STREAM:
        raise OptionError("the size of standard input is not known beforehand: give -o a file name")
    try:
        sides = measure(source)
    except SrganError:
        return {"width": "unknown", "height": "unknown"}
    return {"width": str(sides.width), "height": str(sides.height)}


def suffix_of(source: Path, encoding: Encoding) -> str:
    """The source's own, where it means the format that is written."""
    own = FORMAT_BY_SUFFIX.get(source.suffix.lower())
    if encoding.format in (None, own):
        return source.suffix if own else ".png"
    return next(suffix for suffix, name in FORMAT_BY_SUFFIX.items() if name == encoding.format)

"""The names of output files. Standard library only."""

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

TEMPLATE_FIELDS = ("stem", "suffix", "scale", "width", "height", "model")

SizeFunction = Callable[[Path], ImageSize]
"""Input file -> size of its output, without decoding it."""


@dataclass(frozen=True)
class OutputNames:
    """What default names and templates are made of.

    scale: as text, None where a size was requested. output_size: of an input's output.
    """

    model: str
    scale: str | None
    encoding: Encoding
    output_size: SizeFunction


def check_template(template: str) -> None:
    unknown = template_fields(template) - set(TEMPLATE_FIELDS)
    if unknown or not template.strip() or {"/", os.sep} & set(template):
        fields = ", ".join(f"{{{field}}}" for field in TEMPLATE_FIELDS)
        raise OptionError(f"--name takes a file name with {fields}, not {template!r}")


def template_fields(template: str) -> set[str]:
    """The names in braces. Raises OptionError for unbalanced braces."""
    try:
        return {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise OptionError(f"--name {template!r}: {error}") from error


def require_format(path: Path, encoding: Encoding) -> Path:
    """`path` itself. Raises OptionError if neither its suffix nor an option tells the format."""
    if encoding.format is None and path.suffix.lower() not in FORMAT_BY_SUFFIX:
        known = " ".join(FORMAT_BY_SUFFIX)
        raise OptionError(
            f"{printable(path)} does not say its format: end it in one of {known}, give --format, "
            "or end it in / for a folder"
        )
    return path


def output_name(source: Path, template: str | None, names: OutputNames) -> str:
    """File name of the output for `source`. Raises OptionError for an invalid template."""
    default = "{stem}_x{scale}{suffix}" if names.scale else "{stem}_{width}x{height}{suffix}"
    chosen = default if template is None else template
    try:
        name = chosen.format(**_field_values(source, template_fields(chosen), names))
    except (ValueError, LookupError) as error:
        raise OptionError(f"--name {chosen!r}: {error}") from error
    return name if _ends_in_format(chosen) else name + output_suffix(source, names.encoding)


def _ends_in_format(template: str) -> bool:
    return template.endswith("{suffix}") or Path(template).suffix.lower() in FORMAT_BY_SUFFIX


def _field_values(source: Path, fields: set[str], names: OutputNames) -> dict[str, str]:
    values = {
        "stem": "stdin" if source == STREAM else source.stem,
        "suffix": output_suffix(source, names.encoding),
        "scale": names.scale or "",
        "model": names.model,
    }
    if fields & {"width", "height"} or ("scale" in fields and names.scale is None):
        values |= _size_fields(source, names.output_size)
    return values


def _size_fields(source: Path, output_size: SizeFunction) -> dict[str, str]:
    """An unreadable image gets a name too; its job reports the error."""
    if source == STREAM:
        raise OptionError("the size of standard input is not known in advance: give -o a file name")
    try:
        size = output_size(source)
    except SrganError:
        return {"width": "unknown", "height": "unknown"}
    return {"width": str(size.width), "height": str(size.height)}


def output_suffix(source: Path, encoding: Encoding) -> str:
    """The input's own suffix where it means the output format."""
    own = FORMAT_BY_SUFFIX.get(source.suffix.lower())
    if encoding.format in (None, own):
        return source.suffix if own else ".png"
    return next(suffix for suffix, name in FORMAT_BY_SUFFIX.items() if name == encoding.format)

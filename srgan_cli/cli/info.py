"""`srgan info`."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from srgan_cli.cli.command import Command
from srgan_cli.cli.console import Output, cell
from srgan_cli.cli.convert import WeightsProperties, weights_property_options
from srgan_cli.cli.flags import json_option, weights_file

if TYPE_CHECKING:
    from rich.table import Table

    from srgan_cli.weights.description import WeightsDescription


@click.command(
    "info",
    cls=Command,
    short_help="Describe a weights file",
    examples=("srgan info mine.safetensors", "srgan info anime.pth --json"),
    notes=(
        "The receptive field is the radius, in input pixels, on which an output pixel depends. The "
        "measured receptive field is the radius beyond which no 8-bit output value changes. A "
        "multiplication and an addition count as two FLOP.",
        "Of several trainings that led to the file, the oldest comes first.",
    ),
)
@click.argument("file", type=weights_file)
@weights_property_options
@json_option
def info_command(file: Path, properties: WeightsProperties, as_json: bool) -> None:
    """Describe a weights file of any program: network, scale, cost, training, figures."""
    from srgan_cli.weights.description import describe_weights

    output = Output(only_prints=True)
    description = describe_weights(file, properties.scale, properties.activation)
    if as_json:
        output.record(asdict(description))
    else:
        output.table(_table(description))
    output.exit_on_write_error()


def _table(description: "WeightsDescription") -> "Table":
    from rich.table import Column, Table

    table = Table(Column(), Column(overflow="fold"), box=None, show_header=False)
    for name, value in rows(description):
        table.add_row(cell(name, "bold"), cell(value))
    return table


def rows(description: "WeightsDescription") -> Iterator[tuple[str, str]]:
    """Name and value of everything known, as text."""
    sizes = ", ".join(f"{name} {value}" for name, value in description.hyperparameters.items())
    size, dtypes = description.bytes / 1e6, " and ".join(description.dtype)
    yield "file", f"{description.file}, {size:,.1f} MB, {dtypes}"
    yield "written by", description.kind
    yield "license", description.license or "not known"
    yield "network", f"{description.architecture} ({sizes})"
    yield "scale", f"x{description.scale}"
    yield "receptive field", f"{description.receptive_field} pixels"
    yield "measured receptive field", _format_pixels(description.measured_receptive_field)
    yield "reflect padding", _format_pixels(description.reflect_padding)
    yield "parameters", f"{description.parameters:,}"
    yield "cost", f"{description.flop_per_megapixel / 1e9:,.1f} GFLOP per megapixel of input"
    yield "int8", _format_psnr(description.int8_psnr)
    yield "objective", description.objective
    yield "lineage", description.lineage or "not known"
    if description.family is not None:
        yield "family", f"{description.family}, denoise {description.denoise:g}"
    if description.teachers:
        yield "teachers", ", ".join(description.teachers)
    for number, record in enumerate(description.history, start=1):
        name = "training" if len(description.history) == 1 else f"training {number}"
        yield from flatten(name, record)
    yield from flatten("figures", description.figures)


def _format_psnr(psnr: float | None) -> str:
    return "not measured" if psnr is None else f"{psnr:.1f} dB from float32"


def _format_pixels(number: int | None) -> str:
    return "not measured" if number is None else f"{number} pixels"


def flatten(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Nested values, a row each: ("training options seed", "1")."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flatten(f"{name} {key}", inner)
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        for number, inner in enumerate(value, start=1):
            yield from flatten(f"{name} {number}", inner)
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value))
    else:
        yield name, f"{value:g}" if isinstance(value, float) else str(value)

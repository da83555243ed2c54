"""`srgan info`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from srgan_cli.cli.command import Command
from srgan_cli.cli.console import Output, cell
from srgan_cli.cli.convert import Told, told_options
from srgan_cli.cli.flags import json_option
from srgan_cli.cli.parameter_types import weights_file

if TYPE_CHECKING:
    from rich.table import Table

    from srgan_cli.weights.description import WeightsDescription


@click.command(
    "info",
    cls=Command,
    short_help="Describe a weights file",
    examples=("srgan info mine.safetensors", "srgan info anime.pth --json"),
    notes=(
        "The receptive field is the radius, in pixels of the input, that a pixel of the output "
        "depends on; the measured one, beyond which no 8-bit value changes. A multiplication and "
        "an addition count as two FLOP.",
        "Of several trainings that led to the file, the oldest comes first.",
    ),
)
@click.argument("file", type=weights_file)
@told_options
@json_option
def info_command(file: Path, told: Told, as_json: bool) -> None:
    """Describe a weights file of any program: network, scale, cost, training, figures."""
    from srgan_cli.weights.description import describe_weights

    output, found = Output(only_prints=True), describe_weights(file, told.scale, told.activation)
    if as_json:
        output.record(asdict(found))
    else:
        output.table(_table(found))
    output.exit_if_lost()


def _table(found: "WeightsDescription") -> "Table":
    from rich.table import Column, Table

    table = Table(Column(), Column(overflow="fold"), box=None, show_header=False)
    for name, value in rows(found):
        table.add_row(cell(name, "bold"), cell(value))
    return table


def rows(found: "WeightsDescription") -> Iterator[tuple[str, str]]:
    """What is known, in words."""
    sizes = ", ".join(f"{name} {value}" for name, value in found.hyperparameters.items())
    yield "file", f"{found.file}, {found.bytes / 1e6:,.1f} MB, {' and '.join(found.dtype)}"
    yield "written by", found.kind
    yield "license", found.license or "not known"
    yield "network", f"{found.architecture} ({sizes})"
    yield "scale", f"x{found.scale}"
    yield "receptive field", f"{found.receptive_field} pixels"
    yield "measured receptive field", _pixels(found.measured_receptive_field)
    yield "reflect padding", _pixels(found.reflect_padding)
    yield "parameters", f"{found.parameters:,}"
    yield "cost", f"{found.flop_per_megapixel / 1e9:,.1f} GFLOP per megapixel of input"
    yield "int8", _decibels(found.int8_psnr)
    yield "objective", found.objective
    yield "lineage", found.lineage or "not known"
    if found.teachers:
        yield "teachers", ", ".join(found.teachers)
    yield from _training_rows(found.history)
    yield from named("figures", found.figures)


def _training_rows(history: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Of each training, oldest first; numbered where there are several."""
    for number, record in enumerate(history, start=1):
        yield from named("training" if len(history) == 1 else f"training {number}", record)


def _pixels(number: int | None) -> str:
    return "not measured" if number is None else f"{number} pixels"


def _decibels(psnr: float | None) -> str:
    return "not measured" if psnr is None else f"{psnr:.1f} dB from float32"


def named(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Nested values, a row each: ("training options seed", "1")."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from named(f"{name} {key}", inner)
    elif isinstance(value, list) and any(isinstance(inner, Mapping) for inner in value):
        for number, inner in enumerate(value, start=1):
            yield from named(f"{name} {number}", inner)
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value))
    else:
        yield name, f"{value:g}" if isinstance(value, float) else str(value)

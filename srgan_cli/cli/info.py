"""`srgan info`."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from srgan_cli.cli.command import Command
from srgan_cli.cli.convert import Told, told_options
from srgan_cli.cli.flags import json_option
from srgan_cli.cli.parameter_types import weights_file

if TYPE_CHECKING:
    from srgan_cli.weights.description import WeightsDescription


@click.command(
    "info",
    cls=Command,
    short_help="Describe a weights file",
    examples=("srgan info mine.safetensors", "srgan info anime.pth --json"),
    notes=(
        "The receptive field is how far, in pixels of the input, a pixel of the output sees; the "
        "measured one, how far it matters. A multiplication and an addition count as two FLOP.",
    ),
)
@click.argument("file", type=weights_file)
@told_options
@json_option
def info_command(file: Path, told: Told, as_json: bool) -> None:
    """Describe a weights file of any program: network, scale, cost, training, figures."""
    from srgan_cli.weights.description import describe_weights

    found = describe_weights(file, told.scale, told.activation)
    if as_json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False))
    else:
        _print_table(found)


def _print_table(found: "WeightsDescription") -> None:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(Column(), Column(overflow="fold"), box=None, show_header=False)
    for name, value in rows(found):
        table.add_row(Text(name, style="bold"), Text(value))
    Console(highlight=False).print(table)


def rows(found: "WeightsDescription") -> Iterator[tuple[str, str]]:
    """What is known, in words."""
    sizes = ", ".join(f"{name} {value}" for name, value in found.hyperparameters.items())
    yield "file", f"{found.file}, {found.bytes / 1e6:,.1f} MB, {' and '.join(found.precision)}"
    yield "written by", found.kind
    yield "network", f"{found.architecture} ({sizes})"
    yield "scale", f"x{found.scale}"
    yield "reach", f"{found.reach} pixels"
    yield "effective reach", _pixels(found.effective_reach)
    yield "mirrored beyond edges", _pixels(found.mirrored)
    yield "parameters", f"{found.parameters:,}"
    yield "cost", f"{found.flop_per_megapixel / 1e9:,.1f} GFLOP per megapixel of input"
    yield "objective", found.objective
    yield "lineage", found.lineage or "not known"
    yield from named("training", found.training)
    yield from named("figures", found.figures)


def _pixels(number: int | None) -> str:
    return "not measured" if number is None else f"{number} pixels"


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

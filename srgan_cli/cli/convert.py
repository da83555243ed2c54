"""`srgan convert`."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from srgan_cli.cli.flags import gathered
from srgan_cli.cli.parameter_types import weights_file
from srgan_cli.cli.weights_outputs import check_outputs
from srgan_cli.errors import OptionError

if TYPE_CHECKING:
    from srgan_cli.weights.container import Weights

PICKLED = (".pth", ".pt")
SUFFIXES = {
    "srgan": (".safetensors",),
    "real-esrgan": (*PICKLED, ".safetensors"),
    "esrgan": (*PICKLED, ".safetensors"),
    "esrgan-old": (*PICKLED, ".safetensors"),
    "onnx": (".onnx",),
    "ncnn": (".param",),
}
"""Kind of file -> what its name may end in. The first kind with a suffix is its default."""


@dataclass(frozen=True)
class Told:
    """What the keys of a foreign file may leave open."""

    scale: int | None = None
    activation: str | None = None


told_options = gathered(
    "told",
    Told,
    click.option(
        "-s",
        "--scale",
        type=click.IntRange(1, 16),
        help="Of another program's file that does not tell it.",
    ),
    click.option(
        "--activation",
        type=click.Choice(["relu", "leakyrelu"]),
        help="Of another program's file that does not tell it.",
    ),
)


@click.command("convert")
@click.argument("source", metavar="IN", type=weights_file)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="The file to write."
)
@click.option(
    "--to",
    "kind",
    type=click.Choice(list(SUFFIXES)),
    help="[default: by the suffix: .safetensors srgan, .pth real-esrgan, .onnx onnx, .param ncnn]",
)
@click.option(
    "--half/--full",
    default=None,
    help="Numbers of 16 bits: half the size.  [default: full; for ncnn half]",
)
@told_options
def convert_command(
    source: Path, output: Path, kind: str | None, half: bool | None, told: Told
) -> None:
    """Turn any readable weights into ours, into other programs' naming, into ONNX or ncnn.

    Of Real-ESRGAN's and ESRGAN's networks there are RRDBNet and, for Real-ESRGAN, Compact; all
    others go to ONNX, which takes pictures of any height and width (opset 17, RGB in [0, 1]).

    \b
      srgan convert anime.pth -o anime.safetensors
      srgan convert mine.safetensors -o mine.pth --half        # for Upscayl, chaiNNer
      srgan convert mine.safetensors -o mine.onnx
      srgan convert mine.safetensors -o mine.param             # and mine.bin, for ncnn
    """
    kind = _kind(output, kind)
    if half and kind == "onnx":
        raise OptionError("--half does not go with ONNX: its 32 bits are checked against torch")
    outputs = [output, output.with_suffix(".bin")] if kind == "ncnn" else [output]
    check_outputs(outputs, [source])

    from srgan_cli.weights.container import to_half
    from srgan_cli.weights.loading import load_weights

    weights = load_weights(source, told.scale, told.activation)
    if kind == "ncnn":
        note = _write_ncnn(weights, output, half is not False)
    else:
        note = _write(to_half(weights) if half else weights, output, kind)
    click.echo(f"{source} -> {output} ({weights}; {note})", err=True)


def _kind(output: Path, kind: str | None) -> str:
    """Raises OptionError for a suffix that says nothing, or something else."""
    suffix = output.suffix.lower()
    found = kind or next((name for name in SUFFIXES if suffix in SUFFIXES[name]), None)
    if found is None or suffix not in SUFFIXES[found]:
        known = sorted({end for ends in SUFFIXES.values() for end in ends})
        allowed = known if found is None else SUFFIXES[found]
        raise OptionError(f"{output}: end its name in {' or '.join(allowed)}")
    return found


def _write(weights: "Weights", output: Path, kind: str) -> str:
    """Returns what there is to say about it."""
    from srgan_cli.weights.container import write_weights
    from srgan_cli.weights.foreign.conversion import export_foreign
    from srgan_cli.weights.measured_field import complete_metadata
    from srgan_cli.weights.onnx import OPSET, export_onnx

    if kind == "onnx":
        return f"ONNX opset {OPSET}, within {export_onnx(weights, output):.1g} of torch"
    if kind == "srgan":
        write_weights(complete_metadata(weights, partial(click.echo, err=True)), output)
    else:
        export_foreign(weights, output, kind)
    return f"{kind} naming"


def _write_ncnn(weights: "Weights", output: Path, half: bool) -> str:
    from srgan_cli.weights.ncnn.export import export_ncnn

    difference = export_ncnn(weights, output, half)
    numbers = f"ncnn in {'float16' if half else 'float32'}"
    if difference is None:
        return f"{numbers}, not run: the package ncnn is not installed"
    return f"{numbers}; its graph in float32 is within {difference:.1g} of torch"

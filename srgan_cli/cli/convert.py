"""`srgan convert`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from srgan_cli.cli.command import Command, option, option_group
from srgan_cli.cli.console import Output
from srgan_cli.cli.flags import ParsedType, any_path, check_outputs, lock_outputs, weights_file
from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.weights.metadata import ModelFamily, parse_family

if TYPE_CHECKING:
    from torch import Tensor

    from srgan_cli.weights.container import Weights

TORCH_SUFFIXES = (".pth", ".pt")
SUFFIXES = {
    "srgan": (".safetensors",),
    "real-esrgan": (*TORCH_SUFFIXES, ".safetensors"),
    "esrgan": (*TORCH_SUFFIXES, ".safetensors"),
    "esrgan-old": (*TORCH_SUFFIXES, ".safetensors"),
    "onnx": (".onnx",),
    "ncnn": (".param",),
}
"""Kind of file -> what its name may end in. The first kind with a suffix is its default."""


CALIBRATION_SIDE, CALIBRATION_IMAGES = 128, 24
"""Pixels a side, and how many images at most, on which int8 is measured."""


def _parse_family(text: str) -> ModelFamily:
    try:
        return parse_family(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not NAME:DENOISE, such as photo-clean:0") from error


@dataclass(frozen=True)
class WeightsProperties:
    """Properties that the keys of another program's file may not determine."""

    scale: int | None = None
    activation: str | None = None


weights_property_options = option_group(
    "properties",
    WeightsProperties,
    option(
        "-s, --scale N",
        "Scale of the network",
        type=click.IntRange(1, 16),
        show_default="as in the file",
    ),
    option(
        "--activation NAME",
        "relu or leakyrelu",
        type=click.Choice(["relu", "leakyrelu"]),
        show_default="as in the file",
    ),
    heading="If the file does not say",
)


@click.command(
    "convert",
    cls=Command,
    short_help="Convert weights to and from other formats",
    examples=(
        "srgan convert anime.pth -o anime.safetensors",
        "srgan convert rrdbnet.safetensors -o rrdbnet.pth --half  # for chaiNNer",
        "srgan convert mine.safetensors -o int8.safetensors --calibrate photos",
        "srgan convert mine.safetensors -o small.safetensors --prune --calibrate photos",
        "srgan convert mine.safetensors -o mine.onnx",
        "srgan convert mine.safetensors -o mine.param  # and mine.bin: Upscayl, ncnn",
    ),
    notes=(
        "--to is srgan, real-esrgan, esrgan, esrgan-old, onnx or ncnn. By default the suffix "
        "decides: .safetensors is srgan, .pth real-esrgan, .onnx onnx, .param ncnn.",
        "real-esrgan takes RRDBNet and Compact, esrgan RRDBNet; other networks go to ONNX "
        "(opset 17, RGB in [0, 1], any height and width).",
        "--calibrate takes a folder of images like those to upscale: int8's ranges and PSNR are "
        "measured on them, and --prune also removes channels that are zero on all of them. Without "
        "it the ranges are of a built-in image, and no PSNR is recorded.",
        "--denoise mixes clean and photo at x4 if their files declare one family. Files of srgan "
        "train do; --family photo-clean:0 declares it for another clean, photo-clean:1 for photo.",
    ),
)
@click.argument("source", metavar="IN", type=weights_file)
@option("-o, --output OUT", "File to write", required=True, type=any_path, heading="Output")
@option(
    "--to FORMAT",
    "Format to write",
    name="kind",
    type=click.Choice(list(SUFFIXES)),
    show_default="by the suffix",
    heading="Output",
)
@option(
    "--half/--full",
    "float16 or float32",
    default=None,
    show_default="full; half for ncnn",
    heading="Output",
)
@option("--prune", "Remove channels that are always zero", is_flag=True, heading="Output")
@option(
    "--calibrate FOLDER",
    "Images for int8 and --prune",
    name="images",
    type=click.Path(exists=True, path_type=Path),
    show_default="built-in image",
    heading="Output",
)
@option(
    "--family NAME:0-1",
    "Declare a family",
    type=ParsedType("family", _parse_family),
    show_default="as in the file",
    heading="Output",
)
@weights_property_options
def convert_command(
    source: Path,
    output: Path,
    kind: str | None,
    half: bool | None,
    prune: bool,
    images: Path | None,
    family: ModelFamily | None,
    properties: WeightsProperties,
) -> None:
    """Convert weights to srgan's format, to that of other programs, to ONNX or ncnn."""
    kind = _resolve_format(output, kind)
    if half and kind == "onnx":
        raise OptionError("--half does not go with ONNX: its 32 bits are checked against torch")
    if images is not None and kind != "srgan" and not prune:
        raise OptionError("--calibrate is for --prune, or for a file that ends in .safetensors")
    if family is not None and kind != "srgan":
        raise OptionError(f"--family goes into srgan's own files, not into {kind}")
    outputs = [output, output.with_suffix(".bin")] if kind == "ncnn" else [output]
    check_outputs(outputs, [source])
    lock_outputs(outputs, WeightsError)

    from srgan_cli.weights.container import to_half
    from srgan_cli.weights.loading import load_weights

    weights = load_weights(source, properties.scale, properties.activation)
    if prune:
        weights = _prune(weights, images)
    if family is not None:
        weights = replace(weights, metadata=replace(weights.metadata, family=family))
    if kind == "ncnn":
        note = _write_ncnn(weights, output, half is not False)
    else:
        note = _write(to_half(weights) if half else weights, output, kind, images)
    Output().info(f"{source} -> {output} ({weights}; {note})")


def _resolve_format(output: Path, kind: str | None) -> str:
    """The format by option or suffix. Raises OptionError if they contradict or do not tell."""
    suffix = output.suffix.lower()
    found = kind or next((name for name in SUFFIXES if suffix in SUFFIXES[name]), None)
    if found is None or suffix not in SUFFIXES[found]:
        known = sorted({end for ends in SUFFIXES.values() for end in ends})
        allowed = known if found is None else SUFFIXES[found]
        raise OptionError(f"{output}: end its name in {' or '.join(allowed)}")
    return found


def _write(weights: "Weights", output: Path, kind: str, images: Path | None) -> str:
    """Returns a note on the result."""
    from srgan_cli.weights.container import write_weights
    from srgan_cli.weights.foreign.conversion import export_foreign
    from srgan_cli.weights.measured_field import complete_metadata
    from srgan_cli.weights.onnx import OPSET, export_onnx

    if kind == "onnx":
        return f"ONNX opset {OPSET}, within {export_onnx(weights, output):.1g} of torch"
    if kind == "srgan":
        completed = _with_ranges(complete_metadata(weights, Output().info), images)
        write_weights(completed, output)
        if images is not None:
            psnr = completed.metadata.int8_psnr
            return "no int8" if psnr is None else f"int8 is {psnr:.1f} dB from float32"
    else:
        export_foreign(weights, output, kind)
    return f"{kind} naming"


def _prune(weights: "Weights", images: Path | None) -> "Weights":
    from srgan_cli.weights.pruning import prune

    pruned = prune(weights, _crops(images))
    if not pruned.removed:
        Output().info("no channels to prune: none is always zero")
        return weights
    Output().info(
        f"pruned {pruned.removed} of {pruned.channels} channels "
        f"({pruned.always_zero} are proven zero): {pruned.speedup:.2f} times as fast, "
        f"{pruned.psnr:.1f} dB from the original"
    )
    return pruned.weights


def _crops(images: Path | None) -> "list[Tensor]":
    from srgan_cli.evaluation.crops import center_crops

    return center_crops(images, CALIBRATION_SIDE, CALIBRATION_IMAGES) if images else []


def _with_ranges(weights: "Weights", images: Path | None) -> "Weights":
    from srgan_cli.weights.activation_ranges import complete_ranges, measure_int8

    if images is None:
        return complete_ranges(weights)
    return measure_int8(weights, _crops(images))


def _write_ncnn(weights: "Weights", output: Path, half: bool) -> str:
    from srgan_cli.weights.ncnn.writer import export_ncnn

    difference = export_ncnn(weights, output, half)
    numbers = f"ncnn in {'float16' if half else 'float32'}"
    if difference is None:
        return f"{numbers}, not run: the package ncnn is not installed"
    return f"{numbers}; its graph in float32 is within {difference:.1g} of torch"

"""Options of `srgan upscale`, in groups, each one frozen value."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import click

from srgan_cli.batch.plan import BatchOptions
from srgan_cli.cli.command import option, option_group
from srgan_cli.cli.console import Output
from srgan_cli.cli.flags import (
    ABOVE_0,
    BOX,
    COLOR,
    FORMAT,
    FROM_0_TO_1,
    MODEL,
    POSITIVE,
    SCALE,
    TILE,
    ParsedType,
    denoise_option,
    device_option,
    precision_option,
    weights_file,
)
from srgan_cli.errors import OptionError
from srgan_cli.images.formats import Encoding
from srgan_cli.settings import MAX_PIXELS, Conversion, Machine, ModelChoice, OutputSize, Postprocess
from srgan_cli.training.train_options import size as size_in_bytes
from srgan_cli.weights.zoo import DEFAULT_BLEND, PREFERRED, default_model

size_options = option_group(
    "size",
    OutputSize,
    option(
        "-s, --scale N",
        "Times larger, such as 2.5",
        aliases=["--outscale"],
        type=SCALE,
        show_default="the model's own",
    ),
    option("--size WxH", "Fit inside W x H pixels, keep the aspect ratio", name="box", type=BOX),
    option("--width N", "Width in pixels, keep the aspect ratio", type=POSITIVE),
    option("--height N", "Height in pixels, keep the aspect ratio", type=POSITIVE),
    option("--megapixels X", "Area in megapixels, keep the aspect ratio", type=ABOVE_0),
    heading="Size",
)


def _choice(
    model: str | None, files: tuple[Path, ...], blend: float | None, denoise: float | None
) -> ModelChoice:
    if model is None and not files:
        model = default_model()
    return ModelChoice(model, files, blend, denoise)


choice_options = option_group(
    "choice",
    _choice,
    option(
        "-m, --model NAME",
        "Model, see srgan models",
        aliases=["-n"],
        type=MODEL,
        envvar="SRGAN_MODEL",
        show_default=PREFERRED[0],
    ),
    option(
        "-w, --weights FILE",
        "Weights file instead of a model; two with --blend",
        name="files",
        multiple=True,
        type=weights_file,
    ),
    option(
        "--blend 0-1",
        "From 0, faithful, to 1, vivid",
        type=FROM_0_TO_1,
        show_default=f"{DEFAULT_BLEND:g}",
    ),
    denoise_option(),
    heading="Model",
)


def _machine(
    device: str, precision: str, fp32: bool, tile: int | None, exact: bool, tta: bool
) -> Machine:
    return Machine(device, "fp32" if fp32 else precision, tile, exact, tta)


machine_options = option_group(
    "machine",
    _machine,
    device_option,
    precision_option(Machine.precision),
    option("--fp32", is_flag=True, hidden=True),
    option(
        "--tile N", "Tile size in pixels of the input", aliases=["-t"], type=TILE, default="auto"
    ),
    option("--exact", "Pad tiles by the full receptive field: slower", is_flag=True),
    option("--tta", "Average over 8 orientations: 8 x slower", aliases=["-x"], is_flag=True),
    heading="Machine",
)

encoding_options = option_group(
    "encoding",
    Encoding,
    option(
        "--format NAME",
        "Such as png, jpeg, webp",
        aliases=["-f", "--ext"],
        type=FORMAT,
        show_default="by the suffix",
    ),
    option(
        "--quality 1-100",
        "Of JPEG, WebP, AVIF",
        type=click.IntRange(1, 100),
        show_default="95, 90, 90",
    ),
    option("--lossless", "Lossless WebP", is_flag=True),
    option("--compression 0-9", "Of PNG, TIFF: 0 is fast, 9 is small", type=click.IntRange(0, 9)),
    option("--strip", "Drop metadata; the color profile is kept", is_flag=True),
    heading="Output",
)

conversion_options = option_group(
    "conversion",
    Conversion,
    option(
        "--depth 8|16", "Bits per sample", type=click.Choice([8, 16]), show_default="the input's"
    ),
    option("--background COLOR", "Put white, #8080ff, ... behind transparency", type=COLOR),
    option("--frame N", "Only frame or page N, from 1", type=POSITIVE),
    heading="Output",
)

postprocess_options = option_group(
    "postprocess",
    Postprocess,
    option("--color-fix", "Keep the input's overall colors", is_flag=True),
    option("--consistent", "Shrinking the output gives the input again", is_flag=True),
    heading="Look",
)

output_options = option_group(
    "output",
    Output,
    option("--json", "Print a JSON line for each image", is_flag=True, heading="Batch"),
    option("-v, --verbose", "Print details, and tracebacks of failures", is_flag=True),
    option("-q, --quiet", "Print warnings and errors only", is_flag=True),
)


def _parse_shard(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal()):
        raise ValueError(f"{text!r} is not I/N, such as 2/8")
    return int(number), int(count)


def _batch_options(
    inputs: tuple[str, ...], more: tuple[str, ...], suffix: str | None, **given: Any
) -> BatchOptions:
    """suffix: as in Real-ESRGAN, which names its outputs photo_SUFFIX.png."""
    if suffix is not None:
        if given["name"] is not None:
            raise OptionError("--suffix and --name exclude each other")
        escaped = suffix.replace("{", "{{").replace("}", "}}")
        given["name"] = f"{{stem}}_{escaped}{{suffix}}" if suffix else "{stem}{suffix}"
    return BatchOptions(inputs=inputs + more, **given)


batch_options = option_group(
    "batch",
    _batch_options,
    click.argument("inputs", metavar="INPUT...", nargs=-1, type=click.Path(allow_dash=True)),
    option("-i", name="more", multiple=True, hidden=True, type=click.Path(allow_dash=True)),
    option("--suffix", hidden=True),
    option(
        "-o, --output OUT",
        "File, folder or - for stdout",
        name="out",
        type=click.Path(allow_dash=True),
        show_default="beside input",
        heading="Output",
    ),
    option(
        "--name TEMPLATE", "File names", show_default="{stem}_x{scale}{suffix}", heading="Output"
    ),
    option("-r, --recursive", "Include subfolders, and mirror their tree", is_flag=True),
    option("--skip-existing", "Skip inputs whose output exists", is_flag=True),
    option("--keep-time", "Give outputs the modification time of their inputs", is_flag=True),
    option("--dry-run", "Print what would be done, and write nothing", is_flag=True),
    option("--shard I/N", "Only part I of N of the inputs", type=ParsedType("I/N", _parse_shard)),
    heading="Batch",
)

max_pixels_option = option(
    "--max-pixels N", "Refuse larger inputs", type=POSITIVE, default=MAX_PIXELS, heading="Machine"
)


max_bytes_option = option(
    "--max-bytes SIZE",
    "Refuse more from stdin",
    type=ParsedType("SIZE", partial(size_in_bytes, option="--max-bytes")),
    default=math.inf,
    show_default="half of free memory",
    heading="Machine",
)

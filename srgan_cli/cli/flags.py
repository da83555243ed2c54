"""Options that more than one command takes.

Those that belong together are one decorator, which hands the command one frozen value.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from srgan_cli.cli.command import OTHER, Option, option
from srgan_cli.cli.console import Output
from srgan_cli.cli.parameter_types import (
    BOX,
    COLOR,
    DEVICE,
    FORMAT,
    MODEL,
    POSITIVE,
    SCALE,
    TILE,
    weights_file,
)
from srgan_cli.images.formats import Encoding
from srgan_cli.settings import (
    PRECISION_NAMES,
    Conversion,
    Machine,
    ModelChoice,
    OutputSize,
    Postprocess,
)
from srgan_cli.weights.zoo import DEFAULT_BLEND, PREFERRED, default_model

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]


def option_group(
    name: str, build: Callable[..., Any], *options: Decorator, heading: str = OTHER
) -> Decorator:
    """`options` as one decorator that hands the command `build(...)` of them, as `name`.

    heading: above these options in the help.
    """

    def decorate(command: Function) -> Function:
        names = [parameter.name for parameter in _parameters(options)]

        @functools.wraps(command)
        def with_value(*args: Any, **given: Any) -> Any:
            value = build(**{key: given.pop(key) for key in names})
            return command(*args, **given, **{name: value})

        decorated: Function = with_value
        for each in reversed(options):
            decorated = each(decorated)
        for parameter in decorated.__click_params__:  # type: ignore[attr-defined]
            if isinstance(parameter, Option) and parameter.name in names:
                parameter.heading = heading if parameter.heading == OTHER else parameter.heading
        return decorated

    return decorate


def _parameters(options: tuple[Decorator, ...]) -> list[click.Parameter]:
    def empty() -> None: ...

    for each in options:
        each(empty)
    return empty.__click_params__  # type: ignore[attr-defined]


size_options = option_group(
    "size",
    OutputSize,
    option(
        "-s",
        "--scale",
        aliases=["--outscale"],
        metavar="N",
        type=SCALE,
        show_default="the model's own",
        help="Times larger, such as 2.5",
    ),
    option(
        "--size",
        "box",
        metavar="WxH",
        type=BOX,
        help="Fit inside W x H pixels, keep the aspect ratio",
    ),
    option("--width", metavar="N", type=POSITIVE, help="Width in pixels, keep the aspect ratio"),
    option("--height", metavar="N", type=POSITIVE, help="Height in pixels, keep the aspect ratio"),
    option(
        "--megapixels",
        metavar="X",
        type=click.FloatRange(min=0, min_open=True),
        help="Area in megapixels, keep the aspect ratio",
    ),
    heading="Size",
)


def _choice(
    model: str | None, files: tuple[Path, ...], blend: float | None, denoise: float | None
) -> ModelChoice:
    if model is None and not files:
        model = default_model()
    return ModelChoice(model, files, blend, denoise)


def denoise_option(name: str = "denoise", *, multiple: bool = False) -> Decorator:
    return option(
        "--denoise",
        name,
        aliases=["-dn", "--denoise_strength"],
        metavar="0-1",
        multiple=multiple,
        type=click.FloatRange(0, 1),
        show_default="own" if multiple else "the model's",
        help="0 keep, 1 remove grain; repeatable" if multiple else "0 keep grain, 1 remove it",
    )


choice_options = option_group(
    "choice",
    _choice,
    option(
        "-m",
        "--model",
        aliases=["-n"],
        metavar="NAME",
        type=MODEL,
        envvar="SRGAN_MODEL",
        show_default=" or ".join(PREFERRED),
        help="Model, see srgan models",
    ),
    option(
        "-w",
        "--weights",
        "files",
        metavar="FILE",
        multiple=True,
        type=weights_file,
        help="Weights file instead of a model; two with --blend",
    ),
    option(
        "--blend",
        metavar="0-1",
        type=click.FloatRange(0, 1),
        show_default=f"{DEFAULT_BLEND:g}",
        help="From 0, faithful, to 1, vivid",
    ),
    denoise_option(),
    heading="Model",
)

device_option = option(
    "--device",
    aliases=["-g"],
    metavar="NAME",
    type=DEVICE,
    envvar="SRGAN_DEVICE",
    default=Machine.device,
    help="cpu, cuda, mps, cuda:0,cuda:1",
    heading="Machine",
)


def precision_option(default: str, names: tuple[str, ...] = PRECISION_NAMES) -> Decorator:
    return option(
        "--precision",
        metavar="NAME",
        type=click.Choice(names),
        envvar="SRGAN_PRECISION",
        default=default,
        help=f"{', '.join(names[:-1])} or {names[-1]}",
        heading="Machine",
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
        "--tile",
        aliases=["-t"],
        metavar="N",
        type=TILE,
        default="auto",
        help="Tile size in pixels of the input",
    ),
    option("--exact", is_flag=True, help="Pad tiles by the full receptive field: slower"),
    option("--tta", aliases=["-x"], is_flag=True, help="Average over 8 orientations: 8 x slower"),
    heading="Machine",
)

encoding_options = option_group(
    "encoding",
    Encoding,
    option(
        "--format",
        aliases=["-f", "--ext"],
        metavar="NAME",
        type=FORMAT,
        show_default="by the suffix",
        help="Such as png, jpeg, webp",
    ),
    option(
        "--quality",
        metavar="1-100",
        type=click.IntRange(1, 100),
        show_default="95, 90, 90",
        help="Of JPEG, WebP, AVIF",
    ),
    option("--lossless", is_flag=True, help="Lossless WebP"),
    option(
        "--compression",
        metavar="0-9",
        type=click.IntRange(0, 9),
        help="Of PNG, TIFF: 0 is fast, 9 is small",
    ),
    option("--strip", is_flag=True, help="Drop metadata; the color profile is kept"),
    heading="Output",
)

conversion_options = option_group(
    "conversion",
    Conversion,
    option(
        "--depth",
        metavar="8|16",
        type=click.Choice([8, 16]),
        show_default="the input's",
        help="Bits per sample",
    ),
    option(
        "--background",
        metavar="COLOR",
        type=COLOR,
        help="Put white, #8080ff, ... behind transparency",
    ),
    option("--frame", metavar="N", type=POSITIVE, help="Only frame or page N, from 1"),
    heading="Output",
)

postprocess_options = option_group(
    "postprocess",
    Postprocess,
    option("--color-fix", is_flag=True, help="Keep the input's overall colors"),
    option("--consistent", is_flag=True, help="Shrinking the output gives the input again"),
    heading="Look",
)

output_options = option_group(
    "output",
    Output,
    option("--json", is_flag=True, help="Print a JSON line for each image", heading="Batch"),
    option("-v", "--verbose", is_flag=True, help="Print details, and tracebacks of failures"),
    option("-q", "--quiet", is_flag=True, help="Print warnings and errors only"),
)

json_option = option("--json", "as_json", is_flag=True, help="Print JSON lines instead of a table")

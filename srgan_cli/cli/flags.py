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
    ABOVE_0,
    BOX,
    COLOR,
    DEVICE,
    FORMAT,
    FROM_0_TO_1,
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
        "-s, --scale N",
        "Times larger, such as 2.5",
        aliases=["--outscale"],
        type=SCALE,
        show_default="the model's own",
    ),
    option("--size WxH", "Fit inside W x H pixels, keep the aspect ratio", name="box", type=BOX),
    option("--width N", "Width in pixels, keep the aspect ratio", type=POSITIVE),
    option("--height N", "Height in pixels, keep the aspect ratio", type=POSITIVE),
    option(
        "--megapixels X",
        "Area in megapixels, keep the aspect ratio",
        type=ABOVE_0,
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
        "--denoise 0-1",
        "0 keep, 1 remove grain; repeatable" if multiple else "0 keep grain, 1 remove it",
        name=name,
        aliases=["-dn", "--denoise_strength"],
        multiple=multiple,
        type=FROM_0_TO_1,
        show_default="own" if multiple else "the model's",
    )


choice_options = option_group(
    "choice",
    _choice,
    option(
        "-m, --model NAME",
        "Model, see srgan models",
        aliases=["-n"],
        type=MODEL,
        envvar="SRGAN_MODEL",
        show_default=" or ".join(PREFERRED),
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

device_option = option(
    "--device NAME",
    "cpu, cuda, mps, cuda:0,cuda:1",
    aliases=["-g"],
    type=DEVICE,
    envvar="SRGAN_DEVICE",
    default=Machine.device,
    heading="Machine",
)


def precision_option(default: str, names: tuple[str, ...] = PRECISION_NAMES) -> Decorator:
    return option(
        "--precision NAME",
        f"{', '.join(names[:-1])} or {names[-1]}",
        type=click.Choice(names),
        envvar="SRGAN_PRECISION",
        default=default,
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

json_option = option("--json", "Print JSON lines instead of a table", name="as_json", is_flag=True)

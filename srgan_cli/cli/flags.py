"""Options that more than one command takes.

Those that belong together are one decorator, which hands the command one frozen value.
"""

import functools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from srgan_cli.images.formats import FORMAT_BY_SUFFIX, FORMAT_NAMES, Encoding
from srgan_cli.settings import (
    LEAST_TILE,
    MAX_SCALE,
    PRECISION_NAMES,
    Machine,
    ModelChoice,
    OutputSize,
)
from srgan_cli.weights.zoo import default_model, model_names

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]

folder = click.Path(exists=True, file_okay=False, path_type=Path)
weights_file = click.Path(path_type=Path)
POSITIVE = click.IntRange(min=1)


def gathered(name: str, build: Callable[..., Any], *options: Decorator) -> Decorator:
    """`options` as one decorator that hands the command `build(...)` of them, as `name`."""

    def decorate(command: Command) -> Command:
        names = _names(options)

        @functools.wraps(command)
        def with_value(*args: Any, **given: Any) -> Any:
            value = build(**{key: given.pop(key) for key in names})
            return command(*args, **given, **{name: value})

        decorated: Command = with_value
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def _names(options: tuple[Decorator, ...]) -> list[str]:
    def probe() -> None: ...

    for option in options:
        option(probe)
    return [parameter.name for parameter in probe.__click_params__]  # type: ignore[attr-defined]


class ScaleType(click.ParamType):  # type: ignore[type-arg]
    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        try:
            scale = Fraction(value)
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is not a number such as 4 or 2.5", param, ctx)
        if not 0 < scale <= MAX_SCALE:
            self.fail(f"{value} is not between 0 (excluded) and {MAX_SCALE}", param, ctx)
        return scale


class BoxType(click.ParamType):  # type: ignore[type-arg]
    name = "WxH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        width, _, height = str(value).lower().partition("x")
        if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            self.fail(f"{value!r} is not a size such as 1920x1080", param, ctx)
        return int(width), int(height)


class FormatType(click.ParamType):  # type: ignore[type-arg]
    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name = str(value).lower().removeprefix(".")
        found = name if name in FORMAT_NAMES else FORMAT_BY_SUFFIX.get(f".{name}")
        if found is None:
            self.fail(f"{value!r} is none of {', '.join(FORMAT_NAMES)}", param, ctx)
        return found


class TileType(click.ParamType):  # type: ignore[type-arg]
    name = "auto|N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        if value == "auto":
            return None
        if not str(value).isdecimal() or int(value) < LEAST_TILE:
            self.fail(
                f"{value!r} is neither auto nor a number of pixels from {LEAST_TILE}", param, ctx
            )
        return int(value)


size_options = gathered(
    "size",
    OutputSize,
    click.option(
        "-s",
        "--scale",
        type=ScaleType(),
        help="So many times larger.  [default: the network's scale]",
    ),
    click.option("--size", "box", type=BoxType(), help="As large as fits inside; aspect kept."),
    click.option("--width", type=POSITIVE, help="Width of the result, in pixels; aspect kept."),
    click.option("--height", type=POSITIVE, help="Height of the result; aspect kept."),
    click.option(
        "--megapixels",
        type=click.FloatRange(min=0, min_open=True),
        help="Area of the result; aspect kept.",
    ),
)


def _choice(model: str | None, files: tuple[Path, ...], amount: float | None) -> ModelChoice:
    if model is None and not files:
        model = default_model()
    return ModelChoice(model, files, amount)


def _models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in model_names() if name.startswith(incomplete)]


choice_options = gathered(
    "choice",
    _choice,
    click.option(
        "-m",
        "--model",
        metavar="NAME",
        shell_complete=_models,
        help="A network by its name: see srgan models.  [default: photo, else clean]",
    ),
    click.option(
        "-w",
        "--weights",
        "files",
        metavar="FILE",
        multiple=True,
        type=weights_file,
        help="A weights file; two of them with --blend.",
    ),
    click.option(
        "--blend",
        "amount",
        metavar="A",
        type=click.FloatRange(0, 1),
        help="From 0, faithful, to 1, vivid.  [default: 1]",
    ),
)

device_option = click.option(
    "--device",
    metavar="NAME",
    default=Machine.device,
    help="Where to compute: auto, cpu, cuda, cuda:1, mps; or cuda:0,cuda:1, which share pictures.",
)


def precision_option(default: str) -> Decorator:
    return click.option(
        "--precision",
        type=click.Choice(PRECISION_NAMES),
        default=default,
        help="Of the convolutions; auto takes the fastest.",
    )


machine_options = gathered(
    "machine",
    Machine,
    device_option,
    precision_option(Machine.precision),
    click.option(
        "--tile",
        type=TileType(),
        default="auto",
        help="Side of the pieces a picture is cut into, in its own pixels.",
    ),
    click.option(
        "--exact",
        is_flag=True,
        help="Let every tile see all that could matter, however little it does.",
    ),
    click.option(
        "--tta", is_flag=True, help="Average over eight orientations: eight times the work."
    ),
)

encoding_options = gathered(
    "encoding",
    Encoding,
    click.option(
        "--format",
        type=FormatType(),
        help=f"One of {', '.join(FORMAT_NAMES)}.  [default: by the output's suffix]",
    ),
    click.option("--quality", type=click.IntRange(1, 100), help="Of JPEG, WebP, AVIF."),
    click.option("--lossless", is_flag=True, help="For formats that can be either."),
    click.option(
        "--compression",
        type=click.IntRange(0, 9),
        help="Of lossless formats, from 0 (fast) to 9 (small).",
    ),
    click.option("--strip", is_flag=True, help="Leave out metadata; the colour profile stays."),
)

"""Types of option values, the options that several commands take, and checks of output files."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from srgan_cli.batch.plan import identities
from srgan_cli.cli.command import Decorator, option
from srgan_cli.cli.hints import explain_model, is_url
from srgan_cli.errors import ImageError, OptionError, SrganError
from srgan_cli.files import locked_target
from srgan_cli.images.formats import FORMAT_BY_SUFFIX, FORMAT_NAMES
from srgan_cli.settings import LEAST_TILE, MAX_SCALE, PRECISION_NAMES, Machine
from srgan_cli.weights.zoo import model_names

DEVICE_KINDS = ("auto", "cpu", "cuda", "mps", "xpu")

any_path = click.Path(path_type=Path)
new_file = click.Path(dir_okay=False, path_type=Path)
new_folder = click.Path(file_okay=False, path_type=Path)
folder = click.Path(exists=True, file_okay=False, path_type=Path)
POSITIVE = click.IntRange(min=1)
NOT_NEGATIVE = click.IntRange(min=0)
ABOVE_0 = click.FloatRange(min=0, min_open=True)
FROM_0_TO_1 = click.FloatRange(0, 1)


class WeightsType(click.Path):
    """A weights file that exists."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if is_url(str(value)):
            self.fail(f"{value} is a URL: download the file first", param, ctx)
        return super().convert(value, param, ctx)


weights_file = WeightsType()


def complete_file(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """For texts that begin with the name of a file; the shell finds the files."""
    return [CompletionItem(incomplete, type="file")]


class ParsedType(click.ParamType):  # type: ignore[type-arg]
    """A value that `parse` reads from text; a default need not be text.

    parse: raises ValueError with a message for people. choices: texts that the shell completes.
    """

    def __init__(
        self, name: str, parse: Callable[[str], Any], choices: Callable[[], Iterable[str]] = tuple
    ) -> None:
        self.name, self.parse, self.choices = name, parse, choices

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self.parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(name) for name in self.choices() if name.startswith(incomplete)]


def _parse_model(text: str) -> str:
    """The name of a shipped or personal model."""
    known = model_names()
    if text not in known:
        raise ValueError(f"there is no model {text!r}: {explain_model(text, known)}")
    return text


def _parse_scale(text: str) -> Fraction:
    """An exact number from text such as 4, 2.5 or 8/3.

    By way of float: Fraction would write out all zeros of 1e999999999.
    """
    try:
        scale = Fraction(text if "/" in text else repr(float(text)))
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"{text!r} is not a number such as 4 or 2.5") from error
    if not 0 < scale <= MAX_SCALE:
        raise ValueError(f"{text} is not between 0 (excluded) and {MAX_SCALE}")
    return scale


def _parse_box(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ValueError(f"{text!r} is not a size such as 1920x1080")
    return int(width), int(height)


def _parse_color(text: str) -> tuple[int, int, int]:
    """A name such as white, or #rrggbb, as 8-bit RGB."""
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError as error:
        raise ValueError(f"{text!r} is not a color such as white or #8080ff") from error
    return red, green, blue


def _parse_format(text: str) -> str | None:
    name = text.lower().removeprefix(".")
    if name == "auto":
        return None
    found = name if name in FORMAT_NAMES else FORMAT_BY_SUFFIX.get(f".{name}")
    if found is None:
        raise ValueError(f"{text!r} is not one of {', '.join(FORMAT_NAMES)}")
    return found


def _parse_tile(text: str) -> int | None:
    if text in ("auto", "0"):  # 0 as in Real-ESRGAN
        return None
    if not text.isdecimal() or int(text) < LEAST_TILE:
        raise ValueError(f"{text!r} is neither auto nor a number of pixels from {LEAST_TILE}")
    return int(text)


def _parse_devices(text: str) -> str:
    """A device of PyTorch, several with commas, or the numbers of GPUs; -1 is the CPU."""
    devices = [_device(part.strip().lower()) for part in text.split(",")]
    if not all(devices):
        known = "auto, cpu, cuda, cuda:1, mps, or several with commas"
        raise ValueError(f"{text!r} is no device: {known}")
    return ",".join(devices)


def _device(name: str) -> str:
    """PyTorch's name of the device; "" for what cannot be one."""
    if name == "-1":
        return "cpu"
    if name.isdecimal():
        return f"cuda:{name}"
    kind, _, number = name.partition(":")
    known = kind in DEVICE_KINDS and (number.isdecimal() or ":" not in name)
    return name if known else ""


MODEL = ParsedType("name", _parse_model, model_names)
SCALE = ParsedType("number", _parse_scale)
BOX = ParsedType("WxH", _parse_box)
COLOR = ParsedType("color", _parse_color)
FORMAT = ParsedType("name", _parse_format, lambda: FORMAT_NAMES)
TILE = ParsedType("N", _parse_tile)
DEVICE = ParsedType("name", _parse_devices, lambda: DEVICE_KINDS)


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


json_option = option("--json", "Print JSON lines instead of a table", name="as_json", is_flag=True)


def check_outputs(outputs: Sequence[Path], inputs: Iterable[Path]) -> None:
    """Raises OptionError where an output is an input, through links too, or is named twice."""
    read = {one for path in inputs for one in identities(path)}
    for number, output in enumerate(outputs):
        if read & identities(output):
            raise OptionError(f"{output} is an input: give another name with -o")
        if output in outputs[:number]:
            raise OptionError(f"{output} would be written twice: give different numbers")


def lock_outputs(outputs: Iterable[Path], error: type[SrganError] = ImageError) -> None:
    """Reserve the files until the command ends.

    Raises `error` where another process has one of them, or where one cannot be written.
    """
    context = click.get_current_context()
    for output in outputs:
        context.with_resource(locked_target(output, error))

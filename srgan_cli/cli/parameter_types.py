"""Types of option values: scales, sizes, formats, devices, models, weights files."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from srgan_cli.cli.hints import explain_model, is_url
from srgan_cli.images.formats import FORMAT_BY_SUFFIX, FORMAT_NAMES
from srgan_cli.settings import LEAST_TILE, MAX_SCALE
from srgan_cli.weights.zoo import model_names

DEVICE_KINDS = ("auto", "cpu", "cuda", "mps", "xpu")

folder = click.Path(exists=True, file_okay=False, path_type=Path)
POSITIVE = click.IntRange(min=1)


class WeightsType(click.Path):
    """A weights file that exists."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if is_url(str(value)):
            self.fail(f"{value} is a URL: download the file first", param, ctx)
        return super().convert(value, param, ctx)


weights_file = WeightsType()


def complete_model(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return _starting_with(incomplete, model_names())


def complete_file(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """For texts that begin with the name of a file; the shell finds the files."""
    return [CompletionItem(incomplete, type="file")]


def _starting_with(incomplete: str, names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class ModelType(click.ParamType):  # type: ignore[type-arg]
    """The name of a shipped or personal model."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known = model_names()
        if value not in known:
            hint = explain_model(str(value), known)
            self.fail(f"there is no model {value!r}: {hint}", param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return complete_model(ctx, param, incomplete)


class ScaleType(click.ParamType):  # type: ignore[type-arg]
    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        try:
            scale = parse_scale(str(value))
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is not a number such as 4 or 2.5", param, ctx)
        if not 0 < scale <= MAX_SCALE:
            self.fail(f"{value} is not between 0 (excluded) and {MAX_SCALE}", param, ctx)
        return scale


def parse_scale(text: str) -> Fraction:
    """An exact number from text such as 4, 2.5 or 8/3. Raises ValueError, ZeroDivisionError.

    By way of float: Fraction would write out all zeros of 1e999999999.
    """
    return Fraction(text if "/" in text else repr(float(text)))


class BoxType(click.ParamType):  # type: ignore[type-arg]
    name = "WxH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        width, _, height = str(value).lower().partition("x")
        if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            self.fail(f"{value!r} is not a size such as 1920x1080", param, ctx)
        return int(width), int(height)


class ColorType(click.ParamType):  # type: ignore[type-arg]
    """A name such as white, or #rrggbb, as 8-bit RGB."""

    name = "color"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int, int]:
        from PIL import ImageColor

        try:
            red, green, blue = ImageColor.getrgb(str(value))[:3]
        except ValueError:
            self.fail(f"{value!r} is not a color such as white or #8080ff", param, ctx)
        return red, green, blue


class FormatType(click.ParamType):  # type: ignore[type-arg]
    name = "name"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | None:
        name = str(value).lower().removeprefix(".")
        if name == "auto":
            return None
        found = name if name in FORMAT_NAMES else FORMAT_BY_SUFFIX.get(f".{name}")
        if found is None:
            self.fail(f"{value!r} is not one of {', '.join(FORMAT_NAMES)}", param, ctx)
        return found

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return _starting_with(incomplete, FORMAT_NAMES)


class TileType(click.ParamType):  # type: ignore[type-arg]
    name = "N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | None:
        if value in ("auto", "0"):  # 0 as in Real-ESRGAN
            return None
        if not str(value).isdecimal() or int(value) < LEAST_TILE:
            least = f"a number of pixels from {LEAST_TILE}"
            self.fail(f"{value!r} is neither auto nor {least}", param, ctx)
        return int(value)


class DeviceType(click.ParamType):  # type: ignore[type-arg]
    """A device of PyTorch, several with commas, or the numbers of GPUs; -1 is the CPU."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        names = [part.strip().lower() for part in str(value).split(",")]
        devices = [self._device(name) for name in names]
        if not all(devices):
            known = "auto, cpu, cuda, cuda:1, mps, or several with commas"
            self.fail(f"{value!r} is no device: {known}", param, ctx)
        return ",".join(devices)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return _starting_with(incomplete, DEVICE_KINDS)

    @staticmethod
    def _device(name: str) -> str:
        """Empty for what cannot be a device."""
        if name == "-1":
            return "cpu"
        if name.isdecimal():
            return f"cuda:{name}"
        kind, _, number = name.partition(":")
        known = kind in DEVICE_KINDS and (number.isdecimal() or ":" not in name)
        return name if known else ""

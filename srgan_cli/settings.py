"""Option values that commands and code share. Standard library only."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral
from pathlib import Path

from srgan_cli.errors import OptionError

FLOAT_PRECISION_NAMES = ("auto", "fp32", "bf16", "fp16")
PRECISION_NAMES = (*FLOAT_PRECISION_NAMES, "int8")
"""int8 is for upscaling, not for training."""

LEAST_TILE = 16
MAX_SCALE = 1000
MAX_PIXELS = 200_000_000
"""Limit of an image that is decoded as a whole; at 16 bits with alpha it takes about 6 GB."""
MAX_SIDE = 10**9
"""Pixels; no file format holds many more."""

BICUBIC = "bicubic"
"""The model that needs no network."""


def process_rank(environment: Mapping[str, str], hint: str) -> tuple[int, int]:
    """torchrun's RANK and WORLD_SIZE; (0, 1) where it has started one process or none.

    Raises OptionError, which ends in `hint`, for values that are no rank of a number.
    """
    if environment.get("WORLD_SIZE", "1") == "1":
        return 0, 1
    rank, count = environment.get("RANK", ""), environment["WORLD_SIZE"]
    if not (rank.isdecimal() and count.isdecimal() and int(rank) < int(count)):
        raise OptionError(f"RANK={rank!r} of WORLD_SIZE={count!r} makes no sense: {hint}")
    return int(rank), int(count)


@dataclass(frozen=True)
class ModelChoice:
    """A model by name, or one or two weights files.

    blend: from 0 (faithful) to 1 (vivid). denoise: from 0 (keep grain and artifacts) to 1 (remove
    them); None is the model's own.
    """

    model: str | None = None
    files: tuple[Path, ...] = ()
    blend: float | None = None
    denoise: float | None = None

    def __post_init__(self) -> None:
        if self.blend is not None and not 0 <= self.blend <= 1:
            raise OptionError(f"blend must be from 0 (faithful) to 1 (vivid), not {self.blend}")
        if self.denoise is not None and not 0 <= self.denoise <= 1:
            raise OptionError(
                f"denoise must be from 0 (keep grain) to 1 (remove it), not {self.denoise}"
            )
        if self.model is not None and self.files:
            raise OptionError("--model and --weights exclude each other")
        if len(self.files) > 2:
            raise OptionError(
                "--weights can be given twice at most: the faithful and the vivid end"
            )
        if len(self.files) == 2 and self.blend is None:
            raise OptionError("two --weights need --blend: 0 is the first, 1 the second")
        if len(self.files) == 1 and self.blend is not None:
            raise OptionError("--blend needs two ends: -w PSNR -w GAN, or a model that has both")
        if self.model == BICUBIC and self.blend is not None:
            raise OptionError("--blend does not go with bicubic: it has no vivid end")
        self._check_denoise()

    def _check_denoise(self) -> None:
        if self.denoise is None:
            return
        if self.files:
            raise OptionError(
                "--denoise goes with models, not with --weights; srgan interp --shares mixes files"
            )
        if self.model == BICUBIC:
            raise OptionError("--denoise does not go with bicubic: it has no network")


@dataclass(frozen=True)
class Machine:
    """Options of the device, precision and tiles."""

    device: str = "auto"
    """A name, or several with commas between them: they share each image's tiles."""
    precision: str = "auto"
    tile: int | None = None
    """Side of a tile's core in input pixels; None fits it to the free memory."""
    exact: bool = False
    """Pad tiles by the full receptive field, even where the measured one suffices."""

    tta: bool = False
    """Self-ensemble over eight orientations."""

    def __post_init__(self) -> None:
        if self.precision not in PRECISION_NAMES:
            raise OptionError(f"--precision is one of {', '.join(PRECISION_NAMES)}")
        if self.tile is not None and self.tile < LEAST_TILE:
            raise OptionError(f"--tile is at least {LEAST_TILE} pixels")


FLOAT32_MACHINE = Machine(precision="fp32")
"""Metrics come out the same on every machine."""


@dataclass(frozen=True)
class ResultSettings:
    """What a result can be repeated with, as --json prints it."""

    model: str = BICUBIC
    blend: float | None = None
    denoise: float | None = None
    device: str = "cpu"
    precision: str | None = None
    """None for bicubic, which needs no network."""


@dataclass(frozen=True)
class MethodOptions:
    """The methods to compare: models by name, weights files, and blends from 0 to 1.

    Models with two ends are shown at each blend, or at their default. Exactly two files with a
    blend are blended; else each file is a method. Without models and files, the default model is
    compared at 0 and at its own blend. Bicubic is always added.

    strengths: of --denoise, from 0 to 1, each at all blends. grid: without models, files, blends
    and strengths, compare a default model that --denoise can mix at several of both.
    """

    models: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    blends: tuple[float, ...] = ()
    strengths: tuple[float, ...] = ()
    grid: bool = False
    machine: Machine = FLOAT32_MACHINE


@dataclass(frozen=True)
class Postprocess:
    """Corrections after the networks; both compare the result with the input."""

    color_fix: bool = False
    """Give the result the low frequencies of the input."""

    consistent: bool = False
    """Change the result so that a bicubic shrinks it to the input again."""


NO_POSTPROCESS = Postprocess()


@dataclass(frozen=True)
class Conversion:
    """Changes to an image before it is upscaled."""

    frame: int | None = None
    """The one frame or page to take, counted from 1."""
    background: tuple[int, int, int] | None = None
    """8-bit RGB that is put behind transparency; None keeps alpha."""
    depth: int | None = None
    """Bits per sample, 8 or 16; None keeps the image's own."""

    def __post_init__(self) -> None:
        if self.frame is not None and self.frame < 1:
            raise OptionError("--frame counts from 1")
        if self.depth not in (None, 8, 16):
            raise OptionError("--depth is 8 or 16")


NO_CONVERSION = Conversion()


@dataclass(frozen=True)
class ImageSize:
    height: int
    width: int


@dataclass(frozen=True)
class OutputSize:
    """The size wanted: at most one of these; without any, the network's own scale."""

    scale: Fraction | None = None
    box: tuple[int, int] | None = None
    """(width, height) to fit inside, aspect kept."""
    width: int | None = None
    height: int | None = None
    megapixels: float | None = None

    def __post_init__(self) -> None:
        names = ("scale", "box", "width", "height", "megapixels")
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) > 1:
            options = " and ".join(f"--{'size' if name == 'box' else name}" for name in given)
            raise OptionError(f"{options} exclude each other")
        self._check_whole()
        self._check_positive()

    def _check_whole(self) -> None:
        for name in ("width", "height"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, Integral):
                raise OptionError(f"--{name} {value!r}: it must be a whole number of pixels")

    def _check_positive(self) -> None:
        for name in ("scale", "width", "height", "megapixels"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise OptionError(f"--{name} {value}: it must be above 0, and finite")
        if self.scale is not None and self.scale > MAX_SCALE:
            raise OptionError(f"--scale {float(self.scale):g}: it must be at most {MAX_SCALE}")
        if self.box is not None and min(self.box) < 1:
            raise OptionError("--size takes a width and a height of at least 1")
        if max(self.width or 0, self.height or 0, *(self.box or (0,))) > MAX_SIDE:
            raise OptionError(
                f"a side of more than {MAX_SIDE:,} pixels is too large for any format"
            )
        if self.megapixels is not None and self.megapixels > MAX_SIDE:
            raise OptionError(f"--megapixels {self.megapixels:g}: it must be at most {MAX_SIDE:,}")

    def of(self, height: int, width: int, native: int) -> ImageSize:
        """The sides of the result for an image of that size and a network of scale `native`."""
        if self.width is not None:
            return ImageSize(scaled(height, Fraction(self.width, width)), self.width)
        if self.height is not None:
            return ImageSize(self.height, scaled(width, Fraction(self.height, height)))
        factor = self._factor(height, width, native)
        return ImageSize(scaled(height, factor), scaled(width, factor))

    def _factor(self, height: int, width: int, native: int) -> Fraction:
        if self.box is not None:
            return min(Fraction(self.box[0], width), Fraction(self.box[1], height))
        if self.megapixels is not None:
            return Fraction(math.sqrt(self.megapixels * 1e6 / (height * width)))
        return Fraction(native) if self.scale is None else Fraction(self.scale)


NATIVE = OutputSize()


def scaled(side: int, factor: Fraction) -> int:
    """floor(side x factor + 1/2), at least 1."""
    return max(1, math.floor(side * factor + Fraction(1, 2)))

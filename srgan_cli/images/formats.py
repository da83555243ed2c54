"""Image formats: suffixes, encoding options, and what each format can hold.

Standard library only: the command line reads this before anything heavy is imported.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from srgan_cli.errors import ImageError, OptionError
from srgan_cli.files import printable

FORMAT_BY_SUFFIX = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".png": "png",
    ".apng": "png",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".bmp": "bmp",
    ".dib": "bmp",
    ".gif": "gif",
    ".avif": "avif",
    ".jp2": "jpeg2000",
    ".j2k": "jpeg2000",
    ".jpx": "jpeg2000",
    ".pnm": "pnm",
    ".pbm": "pnm",
    ".pgm": "pnm",
    ".ppm": "pnm",
    ".tga": "tga",
    ".ico": "ico",
    ".heic": "heif",
    ".heif": "heif",
    ".hif": "heif",
    ".jxl": "jxl",
}
RAW_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("dng", "cr2", "cr3", "crw", "nef", "nrw", "arw", "sr2", "srf", "orf", "rw2", "raf"),
        *("pef", "srw", "3fr", "fff", "iiq", "erf", "mrw", "x3f", "kdc", "dcr", "mos", "mef"),
    )
)
"""Of cameras' own files, which are read and not written."""
FORMAT_NAMES = tuple(dict.fromkeys(FORMAT_BY_SUFFIX.values()))


PACKAGES = {
    "heif": ("pillow_heif", "HEIC", "pillow-heif"),
    "jxl": ("pillow_jxl", "JPEG XL", "pillow-jxl-plugin"),
    "raw": ("rawpy", "camera RAW", "rawpy"),
}
"""Kinds that need a package: its module, the title of the kind, and what pip calls it."""


def kind_of_suffix(suffix: str) -> str | None:
    """The format that a suffix of any case means, "raw" for those of cameras."""
    suffix = suffix.lower()
    return "raw" if suffix in RAW_SUFFIXES else FORMAT_BY_SUFFIX.get(suffix)


def is_readable(kind: str) -> bool:
    """Whether the package that the kind may need is installed."""
    return kind not in PACKAGES or find_spec(PACKAGES[kind][0]) is not None


def check_package(kind: str) -> None:
    """Raises ImageError, with the remedy, for a kind whose package is not installed."""
    if not is_readable(kind):
        _, title, package = PACKAGES[kind]
        raise ImageError(f"{title} needs a package that is not installed: pip install {package}")


def input_suffixes() -> frozenset[str]:
    """Of files that can be read here, lower case with the dot."""
    known = {**FORMAT_BY_SUFFIX, **dict.fromkeys(RAW_SUFFIXES, "raw")}
    return frozenset(suffix for suffix, kind in known.items() if is_readable(kind))


@dataclass(frozen=True)
class Encoding:
    """None leaves the choice to the format. format: one of FORMAT_NAMES; None follows the suffix.

    quality: 1 to 100, of JPEG, WebP, AVIF and 8-bit JPEG 2000, which is lossless without it.
    lossless: for formats that can do both. compression: 0 (fast) to 9 (small), of PNG, TIFF,
    lossless WebP; TGA has 0 or not. A format that has no such choice disregards it, so that one
    setting serves a mixed batch. strip: leave out all metadata but the ICC profile,
    without which the colours would change.
    """

    format: str | None = None
    quality: int | None = None
    lossless: bool = False
    compression: int | None = None
    strip: bool = False

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in FORMAT_NAMES:
            raise OptionError(f"--format is one of: {', '.join(FORMAT_NAMES)}")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise OptionError("--quality is from 1 to 100")
        if self.compression is not None and not 0 <= self.compression <= 9:
            raise OptionError("--compression is from 0 (fast) to 9 (small)")


def format_of(path: Path, encoding: Encoding) -> str:
    """The format that `path` will have."""
    if encoding.format is not None:
        return encoding.format
    name = FORMAT_BY_SUFFIX.get(path.suffix.lower())
    if name is None:
        known = " ".join(FORMAT_BY_SUFFIX)
        raise ImageError(
            f"{printable(path)}: unknown kind of picture; end the name in one of {known}"
        )
    return name


ENDLESS = 2**31 - 1
LEAST_JP2_SIDE = 32  # OpenCV makes six resolutions of every picture
NO_DEEP_ANIMATION = (
    "convert it to 8 bits a sample (--depth 8), or its frames to the pages of a TIFF file"
)
QUALITY_FORMATS = frozenset({"jpeg", "webp", "avif", "jpeg2000", "heif", "jxl"})
COMPRESSION_FORMATS = frozenset({"png", "tiff", "webp", "tga"})
"""Formats that have a use for Encoding.quality and Encoding.compression."""

REMEDIES = {
    "no alpha": "; or use --background COLOR",
    "no 16 bits a sample": "; or use --depth 8",
    "no colour profile of 16-bit samples": "; or use --depth 8",
    "no animation": "; or use --frame N",
    "no pages": "; or use --frame N",
}
"""What a format lacks -> the option with which it can do without."""


@dataclass(frozen=True)
class Format:
    """depth: the most bits of a sample. side, area: the largest, in pixels."""

    title: str
    depth: int = 8
    alpha: bool = True
    side: int = ENDLESS
    area: int = ENDLESS**2
    exact: bool = True  # can give back the very samples
    animated: bool = False
    pages: bool = False
    least_deep_side: int = 1  # in pixels, at 16 bits
    profiled: bool = True  # holds an ICC profile
    metadata: frozenset[str] = frozenset()  # of METADATA


METADATA = ("EXIF", "XMP", "IPTC", "the comment", "texts")
_EVERY = frozenset(METADATA)
_TAGS = frozenset({"EXIF", "XMP"})
_COMMENT = frozenset({"the comment"})
_MOST = _TAGS | _COMMENT | {"IPTC"}

CAPABILITIES = {
    "jpeg": Format("JPEG", alpha=False, side=65_500, exact=False, metadata=_MOST),
    "png": Format("PNG", depth=16, animated=True, metadata=_EVERY),
    "webp": Format("WebP", side=16_383, animated=True, metadata=_TAGS),
    "tiff": Format("TIFF", depth=16, pages=True, metadata=_TAGS | {"IPTC"}),
    "bmp": Format("BMP", alpha=False, area=2**30, profiled=False),
    "gif": Format(
        "GIF",
        side=65_535,
        exact=False,
        animated=True,
        profiled=False,
        metadata=_COMMENT,
    ),
    "avif": Format("AVIF", side=65_535, area=2**28, exact=False, animated=True, metadata=_TAGS),
    "jpeg2000": Format(
        "JPEG 2000",
        depth=16,
        side=2**20,
        least_deep_side=LEAST_JP2_SIDE,
        metadata=_MOST,
    ),
    "pnm": Format("PNM", depth=16, alpha=False, profiled=False),
    "tga": Format("TGA", side=65_535, profiled=False),
    "ico": Format("ICO", side=256, profiled=False),
    "heif": Format("HEIC", side=8192, exact=False, metadata=_TAGS),
    "jxl": Format("JPEG XL", side=2**18, profiled=False, metadata=_TAGS),
}


def check_target(
    path: Path,
    encoding: Encoding,
    *,
    height: int,
    width: int,
    depth: int,
    alpha: bool,
    frames: int = 1,
    animated: bool = False,
    profile: bool = False,
) -> None:
    """ImageError if the format of `path` cannot hold such a picture, saying which one can.

    depth: 8 or 16. frames: of an animation or, if not `animated`, pages. profile: whether the
    samples cannot do without theirs: see `colours.needs_profile`.
    """
    own = CAPABILITIES[_available(path, encoding)]
    needs: dict[str, Callable[[Format], bool]] = {
        "no alpha": lambda f: f.alpha or not alpha,
        f"no {depth} bits a sample": lambda f: f.depth >= depth,
        f"no side of {max(height, width):,} pixels": lambda f: f.side >= max(height, width),
        f"no {height * width:,} pixels": lambda f: f.area >= height * width,
        "nothing lossless": lambda f: f.exact or not encoding.lossless,
        "no animation": lambda f: f.animated or not animated,
        "no pages": lambda f: f.pages or animated or frames == 1,
        "no animation of 16 bits": lambda f: not animated or depth == 8,
        "no colour profile of 16-bit samples": lambda f: f.profiled or not profile,
        f"no side of {min(height, width)} pixels at 16 bits": lambda f: (
            depth == 8 or f.least_deep_side <= min(height, width)
        ),
    }
    lacking = next((what for what, holds in needs.items() if not holds(own)), None)
    if lacking is None:
        return
    able = [n for n, f in CAPABILITIES.items() if all(holds(f) for holds in needs.values())]
    remedy = f"give --format or a name for one of: {', '.join(able)}" if able else NO_DEEP_ANIMATION
    raise ImageError(
        f"{printable(path)}: {own.title} holds {lacking}; {remedy}{REMEDIES.get(lacking, '')}"
    )


def _available(path: Path, encoding: Encoding) -> str:
    """`format_of`; ImageError also where its package is missing."""
    name = format_of(path, encoding)
    check_package(name)
    return name


def format_note(format: str) -> str | None:
    """What a format takes away that the check lets pass, for people to be told."""
    if format == "gif":
        return "GIF holds 256 colours a frame, and alpha only as on or off"
    return None

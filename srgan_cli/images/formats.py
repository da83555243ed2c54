"""Image formats: suffixes, encoding options, and what each format can hold.

Standard library only: the command line reads this before anything heavy is imported.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from srgan_cli.errors import ImageError, OptionError
from srgan_cli.files import printable

SUFFIXES = {
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "png": (".png", ".apng"),
    "webp": (".webp",),
    "tiff": (".tif", ".tiff"),
    "bmp": (".bmp", ".dib"),
    "gif": (".gif",),
    "avif": (".avif",),
    "jpeg2000": (".jp2", ".j2k", ".jpx"),
    "pnm": (".pnm", ".pbm", ".pgm", ".ppm"),
    "tga": (".tga",),
    "ico": (".ico",),
    "heif": (".heic", ".heif", ".hif"),
    "jxl": (".jxl",),
}
FORMAT_NAMES = tuple(SUFFIXES)
FORMAT_BY_SUFFIX = {suffix: name for name, suffixes in SUFFIXES.items() for suffix in suffixes}
RAW_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("dng", "cr2", "cr3", "crw", "nef", "nrw", "arw", "sr2", "srf", "orf", "rw2", "raf"),
        *("pef", "srw", "3fr", "fff", "iiq", "erf", "mrw", "x3f", "kdc", "dcr", "mos", "mef"),
    )
)
"""Suffixes of camera raw files, which are read and not written."""

PACKAGES = {
    "heif": ("pillow_heif", "HEIC", "pillow-heif"),
    "jxl": ("pillow_jxl", "JPEG XL", "pillow-jxl-plugin"),
    "raw": ("rawpy", "camera RAW", "rawpy"),
}
"""Formats that need a package: its module, the format's title, and what pip calls the package."""


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
    """Suffixes of files that can be read here, in lower case with the dot."""
    known = (*FORMAT_BY_SUFFIX, *RAW_SUFFIXES)
    return frozenset(suffix for suffix in known if is_readable(kind_of_suffix(suffix) or ""))


@dataclass(frozen=True)
class Encoding:
    """Encoder settings; None is the format's default. format: of FORMAT_NAMES; None: by suffix.

    quality: 1 to 100, of JPEG, WebP, AVIF and 8-bit JPEG 2000, which is lossless without it.
    lossless: for formats that can do both. compression: 0 (fast) to 9 (small), of PNG, TIFF,
    lossless WebP; TGA has 0 or not. A format that has no such choice disregards it, so that one
    setting serves a mixed batch. strip: leave out all metadata but the ICC profile,
    without which the colors would change.
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
        raise ImageError(f"{printable(path)}: unknown image format; end the name in one of {known}")
    return name


NO_LIMIT = 2**31 - 1
MIN_JP2_SIDE = 32  # at 16 bits; OpenCV makes six resolutions of every image
NO_DEEP_ANIMATION = (
    "convert it to 8 bits a sample (--depth 8), or its frames to the pages of a TIFF file"
)
QUALITY_FORMATS = frozenset({"jpeg", "webp", "avif", "jpeg2000", "heif", "jxl"})
COMPRESSION_FORMATS = frozenset({"png", "tiff", "webp", "tga"})
"""Formats that have a use for Encoding.quality and Encoding.compression."""

HINTS = {
    "has no alpha channel": "; or use --background COLOR",
    "is limited to 8 bits per sample": "; or use --depth 8",
    "has no color profile for 16-bit samples": "; or use --depth 8",
    "has no animations": "; or use --frame N",
    "has no pages": "; or use --frame N",
}
"""Limit of a format -> the option that fits the image into it."""

METADATA = ("EXIF", "XMP", "IPTC", "the comment", "texts")
JPEG_LIMITS = {"EXIF": 65_527, "XMP": 65_440, "IPTC": 65_506, "the comment": 65_533}
"""Bytes that one segment holds; of XMP 64 less, as its numbers grow with the image."""


@dataclass(frozen=True)
class Format:
    """depth: the most bits of a sample. side, area: the largest, in pixels. lossless: whether it
    can give back the very samples. profile: whether it holds an ICC profile. metadata: of METADATA.
    metadata_limits: most bytes of some of them.
    """

    title: str
    depth: int = 8
    alpha: bool = True
    side: int = NO_LIMIT
    area: int = NO_LIMIT**2
    lossless: bool = True
    animated: bool = False
    pages: bool = False
    min_deep_side: int = 1  # in pixels, at 16 bits
    profile: bool = True
    metadata: frozenset[str] = frozenset()
    metadata_limits: Mapping[str, int] = field(default_factory=dict)

    def missing_metadata(self, sizes: Mapping[str, int]) -> dict[str, str]:
        """What it does not hold, in words. sizes: of METADATA -> bytes, 0 for nothing."""
        present = [name for name, size in sizes.items() if size]
        missing = {name: name for name in present if name not in self.metadata}
        for name, limit in self.metadata_limits.items():
            if sizes[name] > limit:
                missing[name] = f"{name} of more than {limit:,} bytes"
        return missing


_ALL = frozenset(METADATA)
_EXIF = frozenset({"EXIF", "XMP"})
_COMMENT = frozenset({"the comment"})
_ALL_BUT_TEXTS = _ALL - {"texts"}

CAPABILITIES = {
    "jpeg": Format(
        "JPEG",
        alpha=False,
        side=65_500,
        lossless=False,
        metadata=_ALL_BUT_TEXTS,
        metadata_limits=JPEG_LIMITS,
    ),
    "png": Format("PNG", depth=16, animated=True, metadata=_ALL),
    "webp": Format("WebP", side=16_383, animated=True, metadata=_EXIF),
    "tiff": Format("TIFF", depth=16, pages=True, metadata=_EXIF | {"IPTC"}),
    "bmp": Format("BMP", alpha=False, area=2**30, profile=False),
    "gif": Format(
        "GIF", side=65_535, lossless=False, animated=True, profile=False, metadata=_COMMENT
    ),
    "avif": Format("AVIF", side=65_535, area=2**28, lossless=False, animated=True, metadata=_EXIF),
    "jpeg2000": Format(
        "JPEG 2000",
        depth=16,
        side=2**20,
        min_deep_side=MIN_JP2_SIDE,
        metadata=_ALL_BUT_TEXTS,
        metadata_limits={"the comment": 65_531},
    ),
    "pnm": Format("PNM", depth=16, alpha=False, profile=False),
    "tga": Format("TGA", side=65_535, profile=False),
    "ico": Format("ICO", side=256, profile=False),
    "heif": Format("HEIC", side=8192, lossless=False, metadata=_EXIF),
    "jxl": Format("JPEG XL", side=2**18, profile=False, metadata=_EXIF),
}


@dataclass(frozen=True)
class ImageProperties:
    """What is known of an image without its samples; sizes as it is shown, upright.

    depth: 8 or 16. frames: of an animation or, if not `animated`, pages. profile: whether the
    samples cannot do without theirs: see `icc.needs_profile`.
    """

    height: int
    width: int
    depth: int
    alpha: bool
    frames: int = 1
    animated: bool = False
    profile: bool = False

    def missing_in(self, format: Format, lossless: bool) -> str | None:
        """The first limit of the format that the image exceeds. lossless: as in Encoding."""
        short, long = sorted((self.height, self.width))
        area, is_deep, least = self.height * self.width, self.depth > 8, format.min_deep_side
        missing = {
            "has no alpha channel": self.alpha and not format.alpha,
            f"is limited to {format.depth} bits per sample": self.depth > format.depth,
            f"is limited to {format.side:,} pixels per side": long > format.side,
            f"is limited to {format.area:,} pixels": area > format.area,
            "has no lossless mode": lossless and not format.lossless,
            "has no animations": self.animated and not format.animated,
            "has no pages": self.frames > 1 and not self.animated and not format.pages,
            "has no animations of 16 bits": self.animated and is_deep,
            "has no color profile for 16-bit samples": self.profile and not format.profile,
            f"needs {least} pixels per side at 16 bits": is_deep and short < least,
        }
        return next((what for what, is_missing in missing.items() if is_missing), None)


def check_target(path: Path, encoding: Encoding, image: ImageProperties) -> None:
    """ImageError if the format of `path` cannot hold such an image, saying which one can."""
    name = format_of(path, encoding)
    check_package(name)
    missing = {
        each: image.missing_in(format, encoding.lossless) for each, format in CAPABILITIES.items()
    }
    if (what := missing[name]) is None:
        return
    others = [each for each in missing if missing[each] is None]
    hint = f"use another suffix or --format: {', '.join(others)}"
    hint = (hint if others else NO_DEEP_ANIMATION) + HINTS.get(what, "")
    raise ImageError(f"{printable(path)}: {CAPABILITIES[name].title} {what}; {hint}")


def format_note(format: str) -> str | None:
    """What a format loses although `check_target` accepts it, as a message."""
    if format == "gif":
        return "GIF holds 256 colors a frame, and alpha only as on or off"
    return None

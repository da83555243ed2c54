"""How a picture is to be encoded, and which suffix means which format. Standard library only."""

from dataclasses import dataclass
from pathlib import Path

from srgan_cli.errors import ImageError, OptionError
from srgan_cli.files import printable

FORMATS = {
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
}
NAMES = tuple(dict.fromkeys(FORMATS.values()))


@dataclass(frozen=True)
class Encoding:
    """None leaves the choice to the format. format: one of NAMES; None follows the suffix.

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
        if self.format is not None and self.format not in NAMES:
            raise OptionError(f"--format is one of: {', '.join(NAMES)}")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise OptionError("--quality is from 1 to 100")
        if self.compression is not None and not 0 <= self.compression <= 9:
            raise OptionError("--compression is from 0 (fast) to 9 (small)")


def format_of(path: Path, encoding: Encoding) -> str:
    """The format that `path` will have."""
    if encoding.format is not None:
        return encoding.format
    name = FORMATS.get(path.suffix.lower())
    if name is None:
        known = " ".join(FORMATS)
        raise ImageError(
            f"{printable(path)}: unknown kind of picture; end the name in one of {known}"
        )
    return name

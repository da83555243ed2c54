"""What a file says of its picture before anything is decoded."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image as Pillow

from srgan_cli.errors import ImageError
from srgan_cli.files import open_regular
from srgan_cli.images.codec_errors import LARGER, reading
from srgan_cli.images.codecs import opencv16 as deep
from srgan_cli.images.codecs import pnm, tiff_read
from srgan_cli.images.codecs.plugins import prepare
from srgan_cli.images.codecs.png_color import png_profile
from srgan_cli.images.codecs.raw import is_raw, raw_size
from srgan_cli.images.codecs.tiff_read import SMALL
from srgan_cli.images.exif import read_orientation, valid_exif
from srgan_cli.images.formats import FORMAT_BY_SUFFIX
from srgan_cli.images.tiff_tags import TiffStructure
from srgan_cli.settings import MAX_PIXELS

# Never those that run an interpreter (EPS, PDF) or another system's drawing calls (WMF).
OPENED = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "AVIF", "JPEG2000", "PPM", "ICO")
TGA_MARK = b"TRUEVISION-XFILE.\0"  # at the end of newer ones
OURS = {"JPEG2000": "jpeg2000", "PPM": "pnm", "MPO": "jpeg", "DIB": "bmp", "HEIF": "heif"}
ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
PIXELS_PER_BYTE = {"JPEG": 1024, "MPO": 1024, "GIF": 4096, "BMP": 256, "TGA": 256, "PPM": 8}
PIXELS_PER_BYTE |= {"PNG": 8 * 1040, "ICO": 8 * 1040}  # deflate's 1032, of one bit each
PIXELS_PER_BYTE |= {"AVIF": 1 << 19, "HEIF": 1 << 19}  # blank ones of 6000 x 6000 have 36,000
"""At most, by the formats' own codes. Lossless WebP takes 38 bytes for any blank image, and
JPEG 2000 a byte for each resolution: only max_pixels bounds them."""


@dataclass(frozen=True)
class Header:
    """Sizes as the picture is shown, upright. depth: 8 or 16. frames: or pages."""

    format: str
    width: int
    height: int
    depth: int
    gray: bool
    alpha: bool
    frames: int = 1
    animated: bool = False


def read_header(path: Path, *, max_pixels: int = MAX_PIXELS) -> Header:
    """Decodes nothing. ImageError if it is no picture, as far as its beginning tells.

    `max_pixels` limits a single frame here; who wants to count all multiplies by `frames`.
    """
    with reading(path, max_pixels), open_regular(path) as file:
        if is_raw(file, path.name):
            height, width = raw_size(file)
            return Header("raw", width, height, 16, gray=False, alpha=False)
        if file.read(4) in tiff_read.MAGIC:
            return _of_tiff(TiffStructure(file))
        with opening(file, path.name, max_pixels) as opened:
            return _of_pillow(opened, head_of(file))


@contextmanager
def opening(file: BinaryIO, name: str, max_pixels: int) -> Iterator[Pillow.Image]:
    """With Pillow, restricted to the formats that are read. name: what the file is called.

    max_pixels: of a format that is decoded when it is opened.
    """
    formats = prepare(file, head_of(file), max_pixels)
    formats = formats or ((*OPENED, "TGA") if _may_be_tga(file, name) else OPENED)
    file.seek(0)
    with Pillow.open(file, formats=formats) as opened:
        _check_proportion(opened, file)
        if opened.format == "PNG" and not opened.info.get("icc_profile"):
            opened.info["icc_profile"] = _described_colours(file)
        yield opened


def _check_proportion(opened: Pillow.Image, file: BinaryIO) -> None:
    """ImageError for more pixels than the format can hold in so few bytes."""
    at = file.tell()
    size = file.seek(0, 2)
    file.seek(at)
    pixels = opened.width * opened.height
    if pixels > SMALL + PIXELS_PER_BYTE.get(str(opened.format), pixels) * size:
        raise ImageError(f"damaged: {pixels:,} pixels cannot be in a file of {size:,} bytes")


def _described_colours(file: BinaryIO) -> bytes | None:
    """Puts the file back to where Pillow goes on."""
    at = file.tell()
    try:
        return png_profile(head_of(file))
    finally:
        file.seek(at)


def _may_be_tga(file: BinaryIO, name: str) -> bool:
    """TGA has no magic number, so anything might pass for one."""
    if FORMAT_BY_SUFFIX.get(Path(name).suffix.lower()) == "tga":
        return True
    end = file.seek(0, 2)
    file.seek(max(0, end - len(TGA_MARK)))
    marked = file.read() == TGA_MARK
    file.seek(0)
    return marked


def head_of(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(deep.HEAD)


def is_deep(opened: Pillow.Image, head: bytes) -> bool:
    """Whether Pillow would cut the samples, or give them in a mode of its own."""
    if opened.format == "HEIF":
        return int(opened.info.get("bit_depth", 8)) > 8
    return deep.bits(str(opened.format), head) > 8 or pnm.top(head) > 255


def depth_of(opened: Pillow.Image, head: bytes) -> int:
    """8 or 16."""
    return 16 if is_deep(opened, head) or opened.mode.startswith("I;16") else 8


def refuse_more(pixels: int, frames: int, max_pixels: int) -> None:
    """ImageError for more than `max_pixels` in all frames or pages together."""
    if pixels > max_pixels:
        several = f" in {frames} frames" if frames > 1 else ""
        raise ImageError(f"its {pixels:,} pixels{several} are more than {max_pixels:,}; {LARGER}")


def frames_of(opened: Pillow.Image) -> range:
    """The frames of an animation; one for a still picture, whatever else the file holds."""
    if opened.format not in ANIMATED or not getattr(opened, "is_animated", False):
        return range(1)
    first = 1 if opened.info.get("default_image") else 0  # an APNG's picture for old programs
    return range(first, int(getattr(opened, "n_frames", 1)))


def _of_pillow(opened: Pillow.Image, head: bytes) -> Header:
    frames = frames_of(opened)
    exif = valid_exif(opened.info.get("exif"))
    width, height = opened.size
    if opened.format != "JXL" and read_orientation(exif, opened.info.get("xmp")) >= 5:
        width, height = height, width
    return Header(
        OURS.get(str(opened.format), str(opened.format).lower()),
        width,
        height,
        depth_of(opened, head),
        opened.mode in ("1", "L", "LA", "I;16", "I") or deep.is_gray(str(opened.format), head),
        "transparency" in opened.info or opened.mode in ("LA", "PA", "RGBA"),
        len(frames),
        len(frames) > 1,
    )


def _of_tiff(structure: TiffStructure) -> Header:
    pages = tiff_read.parse_pages(structure)
    first = pages[0]
    turned = first.orientation >= 5
    width, height = (first.height, first.width) if turned else (first.width, first.height)
    gray = first.photometric in (tiff_read.WHITE_IS_ZERO, tiff_read.BLACK_IS_ZERO)
    depth = 16 if first.bits > 8 else 8
    return Header("tiff", width, height, depth, gray, first.alpha, len(pages))

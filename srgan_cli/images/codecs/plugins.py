"""HEIC, JPEG XL and camera RAW, through packages that may be missing.

pillow-jxl-plugin decodes when it opens a file, and colors to 8 bits, so sizes and depth are read
here: https://github.com/libjxl/libjxl/blob/main/doc/format_overview.md, ISO/IEC 18181-1, annex D.
"""

import io
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL.ExifTags import Base as Tag

from srgan_cli.errors import ImageError
from srgan_cli.images.codec_errors import check_pixels
from srgan_cli.images.codecs.jpeg2000 import read_boxes
from srgan_cli.images.formats import RAW_SUFFIXES, check_package
from srgan_cli.images.icc import srgb_profile
from srgan_cli.images.image import Image, to_uint16
from srgan_cli.images.tiff_tags import TiffStructure

HEIF_TYPES = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
CR2_MARK = b"CR\x02\0"  # at 8
SRGB_GAMMA = (2.4, 12.92)
ROTATED = (5, 6)  # values of LibRaw's flip

CODESTREAM = b"\xff\x0a"
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
HEADER_BYTES = 64  # of the codestream, that suffice
MAX_XMP = 1 << 26  # bytes

RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
"""Width to height."""

Choices = tuple[tuple[int, int], ...]
"""An offset, and how many bits of a number to add to it; two bits say which of the four."""

SIZES: Choices = ((1, 9), (1, 13), (1, 18), (1, 30))
DEPTHS: Choices = ((8, 0), (10, 0), (12, 0), (1, 6))
PREVIEW_SIZES: Choices = ((1, 6), (65, 8), (321, 10), (1345, 12))
SMALL_PREVIEW_SIZES: Choices = ((16, 0), (32, 0), (1, 5), (33, 9))
ANIMATION: tuple[Choices, ...] = (
    ((100, 0), (1000, 0), (1, 10), (1, 30)),  # ticks per second, numerator
    ((1, 0), (1001, 0), (1, 8), (1, 10)),  # and denominator
    ((0, 0), (0, 3), (0, 16), (0, 32)),  # loops
)


def plugin_of(head: bytes) -> str | None:
    """The format of a file that begins so, if Pillow needs a plugin for it."""
    is_heif = head[4:8] == b"ftyp" and head[8:12] in HEIF_TYPES
    return "heif" if is_heif else "jxl" if is_jxl(head) else None


def register_plugin(format: str) -> None:
    """Make Pillow open and save "heif" or "jxl". Raises ImageError where the package is missing."""
    check_package(format)
    if format == "heif":
        import_module("pillow_heif").register_heif_opener()
    elif format == "jxl":
        import_module("pillow_jxl")  # registers itself


def check_jxl(file: BinaryIO, max_pixels: int) -> None:
    """ImageError for what is not to be decoded; pillow-jxl-plugin decodes all when it opens it."""
    header = read_jxl_header(file)
    if header.animated:
        raise ImageError("animations in JPEG XL are not supported; convert it to WebP or PNG")
    check_pixels(header.width * header.height, 1, max_pixels)


def decode_deep_heif(data: bytes, bits: int) -> Image:
    """The main image of 10 or 12 bits as 16; pillow-heif's opener for Pillow gives 8."""
    opened = import_module("pillow_heif").HeifFile(io.BytesIO(data), convert_hdr_to_8bit=False)
    samples = np.asarray(opened[opened.primary_index])
    if samples.dtype == np.uint16:
        samples = to_uint16(samples >> (16 - bits), (1 << bits) - 1)
    return Image.from_samples(samples)


def is_raw(file: BinaryIO, name: str) -> bool:
    """Whether it is a camera raw file, by its name or its header; seeks to the beginning."""
    file.seek(0)
    head = file.read(12)
    try:
        found = head[8:] == CR2_MARK or Tag.DNGVersion in TiffStructure(file).first_ifd()
    except ValueError:
        found = False
    file.seek(0)
    return found or Path(name).suffix.lower() in RAW_SUFFIXES


def raw_size(file: BinaryIO) -> tuple[int, int]:
    """Height and width as it is shown, without developing it. Raises ImageError."""
    with _open_raw(file) as raw:
        sizes = raw.sizes
        height, width = sizes.iheight or sizes.height, sizes.iwidth or sizes.width
        return (width, height) if sizes.flip in ROTATED else (height, width)


def develop_raw(file: BinaryIO) -> Image:
    """Develop to 16-bit sRGB, upright, with the camera's white balance. Raises ImageError."""
    import rawpy

    try:
        with _open_raw(file) as raw:
            pixels = raw.postprocess(
                use_camera_wb=True,
                output_bps=16,
                gamma=SRGB_GAMMA,
                output_color=rawpy.ColorSpace.sRGB,
                no_auto_bright=True,
            )
    except rawpy.LibRawError as error:
        raise ImageError(f"cannot be developed ({error})") from error
    return Image(pixels, icc_profile=srgb_profile())


def _open_raw(file: BinaryIO) -> Any:
    """Raises ImageError, also where rawpy is missing."""
    check_package("raw")
    import rawpy

    file.seek(0)
    try:
        return rawpy.imread(file)
    except rawpy.LibRawError as error:
        raise ImageError(f"not a RAW file that LibRaw can read ({error})") from error


@dataclass(frozen=True)
class JxlHeader:
    """Sides in pixels as they are stored. bits: of a sample."""

    width: int
    height: int
    bits: int
    animated: bool


def is_jxl(head: bytes) -> bool:
    return head.startswith((CODESTREAM, CONTAINER))


def read_jxl_header(file: BinaryIO) -> JxlHeader:
    """Raises ImageError for a file without a codestream."""
    reader = _BitReader(_read_codestream(file)[len(CODESTREAM) :])
    height, width = _read_size(reader)
    if reader.read(1):  # all default
        return JxlHeader(width, height, 8, animated=False)
    animated = bool(reader.read(1)) and _skip_extra_fields(reader)
    is_float = reader.read(1)
    return JxlHeader(width, height, 32 if is_float else reader.choose(DEPTHS), animated)


def _skip_extra_fields(reader: "_BitReader") -> bool:
    """Whether it is animated."""
    reader.read(3)  # orientation
    if reader.read(1):
        _read_size(reader)  # intrinsic
    if reader.read(1):
        sizes = SMALL_PREVIEW_SIZES if reader.read(1) else PREVIEW_SIZES
        reader.choose(sizes)
        if reader.read(3) not in RATIOS:
            reader.choose(sizes)
    animated = bool(reader.read(1))
    if animated:
        for choices in ANIMATION:
            reader.choose(choices)
        reader.read(1)  # time codes
    return animated


def _read_size(reader: "_BitReader") -> tuple[int, int]:
    """Height and width."""
    is_small = reader.read(1)
    height = 8 * (reader.read(5) + 1) if is_small else reader.choose(SIZES)
    ratio = reader.read(3)
    if ratio in RATIOS:
        across, down = RATIOS[ratio]
        return height, height * across // down
    return height, 8 * (reader.read(5) + 1) if is_small else reader.choose(SIZES)


def _read_codestream(file: BinaryIO) -> bytes:
    """The beginning of it."""
    file.seek(0)
    if file.read(len(CODESTREAM)) == CODESTREAM:
        return CODESTREAM + file.read(HEADER_BYTES)
    for name, _ in read_boxes(file):
        if name == b"jxlp":
            file.read(4)  # its number
        if name in (b"jxlc", b"jxlp"):
            return file.read(len(CODESTREAM) + HEADER_BYTES)
    raise ImageError("damaged: a JPEG XL file without an image")


def read_jxl_xmp(file: BinaryIO) -> bytes | None:
    """The XMP; None if there is none, or if it is compressed."""
    file.seek(0)
    if file.read(len(CONTAINER)) != CONTAINER:
        return None
    size = next((size for name, size in read_boxes(file) if name == b"xml "), 0)
    return file.read(min(size, MAX_XMP)) or None


class _BitReader:
    """Bits from the lowest of each byte on; zeros behind the end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")

    def read(self, count: int) -> int:
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        return value

    def choose(self, choices: Choices) -> int:
        offset, count = choices[self.read(2)]
        return offset + self.read(count)

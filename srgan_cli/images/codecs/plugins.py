"""HEIC, JPEG XL and camera RAW, through packages that may be missing."""

import io
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL.ExifTags import Base as Tag

from srgan_cli.errors import ImageError
from srgan_cli.images.codec_errors import check_pixels
from srgan_cli.images.codecs.jxl import is_jxl, read_jxl_header
from srgan_cli.images.formats import RAW_SUFFIXES, check_package
from srgan_cli.images.icc import srgb_profile
from srgan_cli.images.image import Image, to_uint16
from srgan_cli.images.tiff_tags import TiffStructure

HEIF_TYPES = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
CR2_MARK = b"CR\x02\0"  # at 8
SRGB_GAMMA = (2.4, 12.92)
ROTATED = (5, 6)  # values of LibRaw's flip


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

"""Camera RAW and DNG files, developed by LibRaw through the package rawpy."""

from pathlib import Path
from typing import Any, BinaryIO

from srgan_cli.errors import ImageError
from srgan_cli.images.formats import RAW_SUFFIXES, check_package
from srgan_cli.images.icc import srgb_profile
from srgan_cli.images.image import Image
from srgan_cli.images.tiff_tags import TiffStructure

DNG_VERSION = 50706
CR2_MARK = b"CR\x02\0"  # at 8
SRGB_GAMMA = (2.4, 12.92)
ON_ITS_SIDE = (5, 6)  # LibRaw's flip


def is_raw(file: BinaryIO, name: str) -> bool:
    """By its name, or by what a DNG or CR2 file says; the file is put back to its beginning."""
    if Path(name).suffix.lower() in RAW_SUFFIXES:
        return True
    file.seek(0)
    head = file.read(12)
    try:
        return head[8:] == CR2_MARK or (head[:2] in (b"II", b"MM") and _says_dng(file))
    finally:
        file.seek(0)


def _says_dng(file: BinaryIO) -> bool:
    try:
        return DNG_VERSION in TiffStructure(file).first_ifd()
    except ValueError:
        return False


def raw_size(file: BinaryIO) -> tuple[int, int]:
    """Height and width as it is shown, without developing it. Raises ImageError."""
    with _opened(file) as raw:
        sizes = raw.sizes
        height, width = sizes.iheight or sizes.height, sizes.iwidth or sizes.width
        return (width, height) if sizes.flip in ON_ITS_SIDE else (height, width)


def raw_image(file: BinaryIO) -> Image:
    """16-bit sRGB, upright, with the white balance of the camera. Raises ImageError."""
    import rawpy

    try:
        with _opened(file) as raw:
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


def _opened(file: BinaryIO) -> Any:
    """Raises ImageError, also where rawpy is missing."""
    check_package("raw")
    import rawpy

    file.seek(0)
    try:
        return rawpy.imread(file)
    except rawpy.LibRawError as error:
        raise ImageError(f"not a RAW file that LibRaw can read ({error})") from error

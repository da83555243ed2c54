"""Formats that other packages add to Pillow: they are registered when a file needs them."""

from importlib import import_module
from typing import BinaryIO

from srgan_cli.errors import ImageError
from srgan_cli.images.codecs.heif import is_heif
from srgan_cli.images.codecs.jxl import is_jxl, read_jxl_header
from srgan_cli.images.formats import check_package

TITLES = {"heif": "HEIF", "jxl": "JXL"}
"""What Pillow calls them."""


def plugin_of(head: bytes) -> str | None:
    """The format of a file that begins so, if it is one of TITLES."""
    return "heif" if is_heif(head) else "jxl" if is_jxl(head) else None


def register(name: str) -> None:
    """Make Pillow open and save a format, if it is one of TITLES.

    Raises ImageError where the package is missing.
    """
    if name not in TITLES:
        return
    check_package(name)
    if name == "heif":
        import_module("pillow_heif").register_heif_opener()
    else:
        import_module("pillow_jxl")  # registers itself


def prepare(file: BinaryIO, head: bytes, max_pixels: int) -> tuple[str, ...]:
    """What Pillow calls the format of the file, registered; nothing for its own formats.

    Raises ImageError, before anything is decoded, for what cannot be read.
    """
    name = plugin_of(head)
    if name is None:
        return ()
    register(name)
    if name == "jxl":
        header = read_jxl_header(file)
        pixels = header.width * header.height
        if header.animated:
            raise ImageError("animations in JPEG XL are not supported; convert it to WebP or PNG")
        if max_pixels and pixels > max_pixels:
            raise ImageError(f"its {pixels:,} pixels are more than {max_pixels:,}")
    return (TITLES[name],)

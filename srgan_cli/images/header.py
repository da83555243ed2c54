"""What a file states about its image before anything is decoded."""

from dataclasses import dataclass
from pathlib import Path

import PIL.Image

from srgan_cli.files import open_regular
from srgan_cli.images.codec_errors import read_errors
from srgan_cli.images.codecs import tiff_read
from srgan_cli.images.codecs.pillow_read import (
    ALPHA_MODES,
    depth_of,
    frames_of,
    open_pillow,
    read_head,
)
from srgan_cli.images.codecs.plugins import is_raw, raw_size
from srgan_cli.images.exif import read_orientation, valid_exif
from srgan_cli.images.tiff_tags import TiffStructure
from srgan_cli.settings import MAX_PIXELS

FORMAT_OF_PILLOW = {"PPM": "pnm", "MPO": "jpeg", "DIB": "bmp"}
"""Pillow's name of a format -> ours, where that is not the same in lower case."""


@dataclass(frozen=True)
class Header:
    """Sizes as the image is shown, upright. depth: 8 or 16. frames: or pages."""

    format: str
    width: int
    height: int
    depth: int
    alpha: bool
    frames: int = 1
    animated: bool = False


def read_header(path: Path, *, max_pixels: int = MAX_PIXELS) -> Header:
    """Decodes nothing. ImageError if it is no image, as far as its beginning tells.

    `max_pixels` limits a single frame here; to count all, multiply by `frames`.
    """
    with read_errors(path, max_pixels), open_regular(path) as file:
        if is_raw(file, path.name):
            height, width = raw_size(file)
            return Header("raw", width, height, 16, alpha=False)
        if file.read(4) in tiff_read.MAGIC:
            return _tiff_header(tiff_read.parse_pages(TiffStructure(file)))
        with open_pillow(file, path.name, max_pixels) as opened:
            return _pillow_header(opened, read_head(file))


def _pillow_header(opened: PIL.Image.Image, head: bytes) -> Header:
    frames, format = len(frames_of(opened)), str(opened.format)
    exif = valid_exif(opened.info.get("exif"))
    width, height = opened.size
    if format != "JXL" and read_orientation(exif, opened.info.get("xmp")) >= 5:
        width, height = height, width
    return Header(
        FORMAT_OF_PILLOW.get(format, format.lower()),
        width,
        height,
        depth_of(opened, head),
        "transparency" in opened.info or opened.mode in ALPHA_MODES,
        frames,
        frames > 1,
    )


def _tiff_header(pages: list[tiff_read.TiffPage]) -> Header:
    page = pages[0]
    rotated = page.orientation >= 5
    width, height = (page.height, page.width) if rotated else (page.width, page.height)
    depth = 16 if page.bits > 8 else 8
    return Header("tiff", width, height, depth, page.alpha, len(pages))

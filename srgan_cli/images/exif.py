"""What EXIF and XMP say of the pixels, kept true when these are turned or enlarged.

EXIF is changed in place, so that a MakerNote's pointers into the block still hold.
"""

import re
import struct
from itertools import islice

from srgan_cli.images.tiff_tags import (
    LONG,
    SHORT,
    Block,
    Directory,
    Tags,
    block_of,
    check_tree,
    header,
    laid_out,
    nested_tags,
)

ORIENTATION = 274
DAMAGED = "its EXIF is damaged and is left out"
MOST_DIRECTORIES = 8  # one after another; EXIF has two, the picture and its thumbnail
EXIF, DATA_AT, DATA_LENGTH = 34665, 513, 514  # the latter two: a thumbnail's JPEG
SIDES = {256: "width", 257: "height", 0xA002: "width", 0xA003: "height"}
TIFF_ONLY_TEXT = (269, 270, 271, 272, 285, 305, 306, 315, 316, 33432)  # names, authors, dates
GPS = 34853
DIRECTORIES = (EXIF, GPS)
DESCRIPTIVE = (*TIFF_ONLY_TEXT, 18246, 18249, *range(40091, 40096), *DIRECTORIES)


def orientation(exif: bytes | None, xmp: bytes | None) -> int:
    """How the stored pixels are to be turned, 1 to 8 as EXIF numbers it; 1 is upright."""
    value = 0
    if exif is not None:
        value = block_of(exif).head().integer(ORIENTATION)
    if value == 0 and xmp is not None:
        found = re.search(rb"tiff:Orientation(?:=[\"']|>)\s*(\d)", xmp)
        value = int(found.group(1)) if found else 0
    return value if 1 <= value <= 8 else 1


def valid_exif(exif: bytes | None) -> bytes | None:
    """The TIFF block without JPEG's prefix; None for one too damaged to be read or written."""
    data = (exif or b"").removeprefix(b"Exif\0\0")
    try:
        block = block_of(data)
        check_tree(block, block.head())
        return data if len(block.head()) else None
    except ValueError:
        return None


def is_damaged(exif: bytes | None) -> bool:
    """Whether there is an EXIF block that `valid_exif` does not take."""
    data = (exif or b"").removeprefix(b"Exif\0\0")
    if not data:
        return False
    try:
        block = block_of(data)
        check_tree(block, block.head())
    except ValueError:
        return True
    return False


def has_damage(block: Block, page: Directory) -> bool:
    """Whether `exif_of` leaves out directories of a page of a TIFF file, or all of them."""
    try:
        check_tree(block, page)
    except ValueError:
        return True
    return any(page.integer(tag) and block.nested(page, tag) is None for tag in DIRECTORIES)


def upright_exif(exif: bytes) -> bytes:
    """Orientation 1, and the thumbnail gone: it shows the picture as it was."""
    block, changed = block_of(exif), bytearray(exif)
    first, *others = islice(block.chain(), MOST_DIRECTORIES)
    _set(changed, first, ORIENTATION, 1)
    table = 2 + 12 * len(first)
    changed[block.first + table : block.first + table + 4] = bytes(4)  # no directory follows
    for other in others:
        _blank(changed, other)
    return bytes(changed)


def fitted_exif(exif: bytes, height: int, width: int) -> bytes:
    """The pixel dimensions it states, made those of the picture."""
    block, changed = block_of(exif), bytearray(exif)
    first = block.head()
    sides = {"height": height, "width": width}
    for directory in (first, block.nested(first, EXIF)):
        for tag, side in SIDES.items() if directory else ():
            _set(changed, directory, tag, sides[side])
    return bytes(changed)


def _set(block: bytearray, directory: Directory | None, tag: int, value: int) -> None:
    if directory is None or tag not in directory:
        return
    entry = directory[tag]
    kind, code = (SHORT, "H") if value < 1 << 16 else (LONG, "I")
    raw = struct.pack(f"{directory.order}HHI{code}", tag, kind, 1, value)
    block[entry.at : entry.at + 12] = raw.ljust(12, b"\0")


def _blank(block: bytearray, thumbnail: Directory) -> None:
    """Zeros over a thumbnail's JPEG; cut off where it is the last of the block, as usual."""
    start, length = thumbnail.integer(DATA_AT), thumbnail.integer(DATA_LENGTH)
    end = min(start + length, len(block))
    if 0 < start < end:
        block[start:end] = b"" if end >= len(block) - 1 else bytes(end - start)


def exif_of(block: Block, page: Directory) -> bytes | None:
    """An EXIF block of what a page of a TIFF file says about its picture, if anything."""
    try:
        check_tree(block, page)
    except ValueError:
        return None
    tags = _descriptive(block, page)
    return header(page.order, 8) + laid_out(tags, page.order, 8) if tags else None


def _descriptive(block: Block, page: Directory) -> Tags:
    return nested_tags(block, page.only(DESCRIPTIVE))


def tags_of(exif: bytes) -> tuple[Tags, str]:
    """The reverse: the tags for a page of a TIFF file, and their byte order."""
    block = block_of(exif)
    return _descriptive(block, block.head()), block.order


def upright_xmp(xmp: bytes) -> bytes:
    return _stated(xmp, {"tiff:Orientation": 1})


def fitted_xmp(xmp: bytes, height: int, width: int) -> bytes:
    sides = {"tiff:ImageWidth": width, "tiff:ImageLength": height}
    return _stated(xmp, {**sides, "exif:PixelXDimension": width, "exif:PixelYDimension": height})


def _stated(xmp: bytes, numbers: dict[str, int]) -> bytes:
    """The properties that are there, as attributes or elements, with new values."""
    for name, value in numbers.items():
        pattern = rf"({name}(?:=[\"']|>)\s*)\d+".encode()
        xmp = re.sub(pattern, rb"\g<1>%d" % value, xmp)
    return xmp

"""EXIF and XMP, kept true when pixels are rotated or upscaled, and IPTC.

EXIF is changed in place, so that a MakerNote's pointers into the block still hold. IPTC-IIM, the
captions and keywords of press agencies, is one of Photoshop's image resources:
https://www.adobe.com/devnet-apps/photoshop/fileformatashtml/, "Image Resource Blocks".
"""

import re
import struct
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice, pairwise

from PIL.ExifTags import Base as Tag

from srgan_cli.images.tiff_tags import (
    IFD,
    LONG,
    SHORT,
    Tags,
    TiffStructure,
    build_ifd,
    check_sub_ifds,
    parse_tiff,
    read_tags,
    tiff_header,
)

PREFIX = b"Exif\0\0"  # of JPEG
ORIENTATION = Tag.Orientation
INVALID_EXIF = "its EXIF is damaged and is left out"
Range = tuple[int, int]
"""Start and end of bytes in the block."""

HEADER: Range = (0, 8)
MAX_IFDS = 8  # one after another; EXIF has two, the image and its thumbnail
WIDTHS = (Tag.ImageWidth, Tag.ExifImageWidth)
HEIGHTS = (Tag.ImageLength, Tag.ExifImageHeight)
WINDOWS_TEXTS = range(0x9C9B, 0x9CA0)  # title, comment, author, keywords, subject
DESCRIPTION_TAGS = {
    *(Tag.DocumentName, Tag.ImageDescription, Tag.Make, Tag.Model, Tag.PageName, Tag.Software),
    *(Tag.DateTime, Tag.Artist, Tag.HostComputer, Tag.Copyright, Tag.Rating, Tag.RatingPercent),
    *(Tag.ExifOffset, Tag.GPSInfo, *WINDOWS_TEXTS),
}
"""Tags of a TIFF page that describe the image, not how it is stored."""

IPTC_RESOURCE = 0x0404
RESOURCE_SIGNATURE = b"8BIM"
JPEG_MARKER, JPEG_SIGNATURE = b"\xff\xed", b"Photoshop 3.0\0"
MAX_JPEG_BYTES = 65533  # of a segment
PNG_KEYWORD = "Raw profile type iptc"  # of ImageMagick, hexadecimal
PNG_LINE = 72  # digits


def read_orientation(exif: bytes | None, xmp: bytes | None) -> int:
    """How the stored pixels are to be rotated, 1 to 8 as EXIF numbers it; 1 is upright."""
    value = parse_tiff(exif).first_ifd().integer(ORIENTATION) if exif else 0
    if value == 0 and xmp is not None:
        found = re.search(rb"tiff:Orientation(?:=[\"']|>)\s*(\d)", xmp)
        value = int(found.group(1)) if found else 0
    return value if 1 <= value <= 8 else 1


def valid_exif(exif: bytes | None) -> bytes | None:
    """The TIFF block without JPEG's prefix; None for one too damaged to be read or written."""
    block = (exif or b"").removeprefix(PREFIX)
    return block if _checked_ifd(block) else None


def is_exif_invalid(exif: bytes | None) -> bool:
    """Whether there is an EXIF block that `valid_exif` does not take."""
    block = (exif or b"").removeprefix(PREFIX)
    return bool(block) and _checked_ifd(block) is None


def _checked_ifd(exif: bytes) -> IFD | None:
    """The first IFD of a block that can be changed in place: no table lies over another one."""
    try:
        ifd = parse_tiff(exif).first_ifd()
        tables = sorted([HEADER, *_tables(ifd)])
    except ValueError:
        return None
    apart = all(end <= start for (_, end), (start, _) in pairwise(tables))
    return ifd if apart and not ifd.structure.big else None


def _tables(first: IFD) -> list[Range]:
    """Of the first IFD, with the offset of the next one, and its sub-IFDs."""
    (start, end), *others = [ifd.table for ifd in (first, *check_sub_ifds(first))]
    return [(start - 2, end + 4), *((start - 2, end) for start, end in others)]


def reset_exif_orientation(exif: bytes) -> bytes:
    """Orientation 1, and the thumbnail gone: it shows the image as it was."""
    structure, changed = parse_tiff(exif), bytearray(exif)
    first = structure.first_ifd()
    _set_number(changed, first, ORIENTATION, 1)
    end = first.table[1]
    changed[end : end + 4] = bytes(4)  # no IFD follows
    kept = [HEADER, *_tables(first), *_values(first)]
    for other in _other_ifds(structure):
        _erase_thumbnail(changed, other, kept)
    return bytes(changed)


def _values(first: IFD) -> list[Range]:
    locations = (each for ifd in (first, *check_sub_ifds(first)) for each in ifd.locations.values())
    return [(each.start, each.start + each.length) for each in locations]


def _other_ifds(structure: TiffStructure) -> list[IFD]:
    """Those after the first one, up to a damaged one."""
    found = []
    with suppress(ValueError):
        for ifd in islice(structure.ifds(), 1, MAX_IFDS):
            found.append(ifd)
    return found


def set_exif_size(exif: bytes, height: int, width: int) -> bytes:
    """The block with these pixel dimensions, where it states any."""
    structure, changed = parse_tiff(exif), bytearray(exif)
    first = structure.first_ifd()
    for ifd in (first, structure.sub_ifd(first, Tag.ExifOffset)):
        for tags, side in ((WIDTHS, width), (HEIGHTS, height)):
            for tag in tags:
                _set_number(changed, ifd, tag, side)
    return bytes(changed)


def _set_number(block: bytearray, ifd: IFD | None, tag: int, value: int) -> None:
    if ifd is None or tag not in ifd:
        return
    entry = ifd.locations[tag].entry
    kind, code = (SHORT, "H") if value < 1 << 16 else (LONG, "I")
    raw = struct.pack(f"{ifd.order}HHI{code}", tag, kind, 1, value)
    block[entry : entry + 12] = raw.ljust(12, b"\0")


def _erase_thumbnail(block: bytearray, ifd: IFD, kept: list[Range]) -> None:
    """Zeros over a thumbnail's JPEG; cut off where it is the last of the block, as usual.

    Nothing is done to one that lies over what is `kept`, in a damaged or hostile block.
    """
    start, length = ifd.integer(Tag.JpegIFOffset), ifd.integer(Tag.JpegIFByteCount)
    end, size = start + length, len(block)
    end = size if end >= size - 1 else end
    if length and start < end and not any(start < b and a < end for a, b in kept):
        block[start:end] = b"" if end == size else bytes(end - start)


def exif_from_page(page: IFD) -> bytes | None:
    """An EXIF block of what a page of a TIFF file says about its image, if anything."""
    try:
        check_sub_ifds(page)
    except ValueError:
        return None
    tags = read_tags(page, DESCRIPTION_TAGS)
    return tiff_header(page.order, 8) + build_ifd(tags, page.order, 8) if tags else None


def is_page_invalid(page: IFD) -> bool:
    """Whether `exif_from_page` leaves out IFDs of a page, or all of them."""
    try:
        check_sub_ifds(page)
    except ValueError:
        return True
    pointers = [tag for tag in (Tag.ExifOffset, Tag.GPSInfo) if page.integer(tag)]
    return any(page.structure.sub_ifd(page, tag) is None for tag in pointers)


def exif_to_page(exif: bytes) -> tuple[Tags, str]:
    """The tags for a page of a TIFF file, and their byte order."""
    ifd = parse_tiff(exif).first_ifd()
    return read_tags(ifd, DESCRIPTION_TAGS), ifd.order


def reset_xmp_orientation(xmp: bytes) -> bytes:
    return _set_properties(xmp, {"tiff:Orientation": 1})


def set_xmp_size(xmp: bytes, height: int, width: int) -> bytes:
    """The block with these pixel dimensions, where it states any."""
    sides = {"tiff:ImageWidth": width, "tiff:ImageLength": height}
    sides |= {"exif:PixelXDimension": width, "exif:PixelYDimension": height}
    return _set_properties(xmp, sides)


def _set_properties(xmp: bytes, numbers: dict[str, int]) -> bytes:
    """The properties that are there, as attributes or elements, with new values."""
    for name, value in numbers.items():
        pattern = rf"({name}(?:=[\"']|>)\s*)\d+".encode()
        xmp = re.sub(pattern, rb"\g<1>%d" % value, xmp)
    return xmp


def valid_iptc(data: object) -> bytes | None:
    """`data` itself; None if it does not begin as a data set does."""
    return data if isinstance(data, bytes) and data.startswith(b"\x1c") else None


def iptc_of_info(info: Mapping[str, object]) -> bytes | None:
    """IPTC data in Pillow's `info` of any format."""
    resources = info.get("photoshop")
    if isinstance(resources, Mapping) and IPTC_RESOURCE in resources:
        return valid_iptc(resources[IPTC_RESOURCE])
    return valid_iptc(info.get("iptc"))


def iptc_of_page(page: IFD) -> bytes | None:
    """IPTC data of a page of a TIFF file: in its own tag, or Photoshop's.

    Some programs store the tag as numbers in the order of the file, others as bytes.
    """
    if Tag.IPTCNAA in page:
        value = page[Tag.IPTCNAA]
        swapped = value.swapped().data if value.kind == LONG else b""
        return valid_iptc(value.data) or valid_iptc(swapped)
    return find_iptc(page[Tag.ImageResources].data) if Tag.ImageResources in page else None


def find_iptc(data: bytes) -> bytes | None:
    """IPTC data in Photoshop's resources up to the first damaged one, or `data` itself."""
    at = 0
    while data[at : at + 4] == RESOURCE_SIGNATURE and at + 12 <= len(data):
        number, name_length = struct.unpack_from(">HB", data, at + 4)
        start = at + 6 + (name_length + 2) // 2 * 2
        if start + 4 > len(data):
            break
        length = struct.unpack_from(">I", data, start)[0]
        if number == IPTC_RESOURCE:
            return valid_iptc(data[start + 4 : start + 4 + length])
        at = start + 4 + (length + 1) // 2 * 2
    return valid_iptc(data)


def _resource(iptc: bytes) -> bytes:
    head = RESOURCE_SIGNATURE + struct.pack(">HHI", IPTC_RESOURCE, 0, len(iptc))
    return head + iptc + b"\0" * (len(iptc) % 2)


def jpeg_segment(iptc: bytes) -> bytes:
    """Raises ValueError for more than a segment holds."""
    data = JPEG_SIGNATURE + _resource(iptc)
    if len(data) > MAX_JPEG_BYTES:
        raise ValueError("IPTC data is too long")
    return JPEG_MARKER + struct.pack(">H", len(data) + 2) + data


def png_text(iptc: bytes) -> str:
    """The text under PNG_KEYWORD."""
    data = _resource(iptc)
    digits = data.hex()
    lines = [digits[at : at + PNG_LINE] for at in range(0, len(digits), PNG_LINE)]
    return "\n".join(["", "iptc", f"{len(data):8d}", *lines, ""])

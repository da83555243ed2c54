"""IPTC-IIM, the captions and keywords of press agencies, in Photoshop's image resources.

https://www.adobe.com/devnet-apps/photoshop/fileformatashtml/, "Image Resource Blocks"
"""

import struct
from collections.abc import Mapping

from PIL.ExifTags import Base as Tag

from srgan_cli.images.tiff_tags import IFD, LONG

RESOURCE_ID = 0x0404
SIGNATURE = b"8BIM"
JPEG_MARKER, JPEG_SIGNATURE = b"\xff\xed", b"Photoshop 3.0\0"
MAX_JPEG_BYTES = 65533  # of a segment
PNG_KEYWORD = "Raw profile type iptc"  # of ImageMagick, hexadecimal
PNG_LINE = 72  # digits


def valid_iptc(data: object) -> bytes | None:
    """`data` itself; None if it does not begin as a data set does."""
    return data if isinstance(data, bytes) and data.startswith(b"\x1c") else None


def iptc_of_info(info: Mapping[str, object]) -> bytes | None:
    """IPTC data in Pillow's `info` of any format."""
    resources = info.get("photoshop")
    if isinstance(resources, Mapping) and RESOURCE_ID in resources:
        return valid_iptc(resources[RESOURCE_ID])
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
    while data[at : at + 4] == SIGNATURE and at + 12 <= len(data):
        number, name_length = struct.unpack_from(">HB", data, at + 4)
        start = at + 6 + (name_length + 2) // 2 * 2
        if start + 4 > len(data):
            break
        length = struct.unpack_from(">I", data, start)[0]
        if number == RESOURCE_ID:
            return valid_iptc(data[start + 4 : start + 4 + length])
        at = start + 4 + (length + 1) // 2 * 2
    return valid_iptc(data)


def _resource(iptc: bytes) -> bytes:
    head = SIGNATURE + struct.pack(">HHI", RESOURCE_ID, 0, len(iptc))
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

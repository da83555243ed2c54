"""IPTC-IIM, the captions and keywords of press agencies, in Photoshop's image resources.

https://www.adobe.com/devnet-apps/photoshop/fileformatashtml/, "Image Resource Blocks".
"""

import struct
from collections.abc import Iterator, Mapping

from srgan_cli.images.tiff_tags import LONG, Directory

TAG, RESOURCES_TAG = 33723, 34377  # of TIFF
RESOURCE = 0x0404
RESOURCE_MARK = b"8BIM"
JPEG_MARK = b"Photoshop 3.0\0"
APP13 = b"\xff\xed"
MOST_IN_JPEG = 65533  # bytes of a segment
LEGACY_KEY = "Raw profile type iptc"  # of ImageMagick in texts of PNG, hexadecimal
DIGITS = 72  # in a line of it


def valid_iptc(data: object) -> bytes | None:
    """None for what does not begin as a data set does."""
    return data if isinstance(data, bytes) and data.startswith(b"\x1c") else None


def iptc_of_info(info: Mapping[str, object]) -> bytes | None:
    """From Pillow's `info` of any format."""
    resources = info.get("photoshop")
    if isinstance(resources, Mapping) and RESOURCE in resources:
        return valid_iptc(resources[RESOURCE])
    return valid_iptc(info.get("iptc"))


def iptc_of_page(page: Directory) -> bytes | None:
    """From a page of a TIFF file: its own tag, or Photoshop's.

    Some programs store the tag as numbers in the order of the file, others as bytes all the same.
    """
    if TAG in page:
        entry = page[TAG]
        swapped = entry.swapped().data if entry.kind == LONG else b""
        return valid_iptc(entry.data) or valid_iptc(swapped)
    return find_iptc(page[RESOURCES_TAG].data) if RESOURCES_TAG in page else None


def find_iptc(data: bytes) -> bytes | None:
    """From Photoshop's resources, or from a bare data set."""
    own = (content for number, content in _resources(data) if number == RESOURCE)
    return valid_iptc(data) or valid_iptc(next(own, None))


def _resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each; ends at the first damaged one."""
    at = 0
    while data[at : at + 4] == RESOURCE_MARK and at + 12 <= len(data):
        number, name = struct.unpack_from(">HB", data, at + 4)
        start = at + 6 + (name + 2) // 2 * 2
        if start + 4 > len(data):
            return
        length = struct.unpack_from(">I", data, start)[0]
        yield number, data[start + 4 : start + 4 + length]
        at = start + 4 + (length + 1) // 2 * 2


def _resource(iptc: bytes) -> bytes:
    head = RESOURCE_MARK + struct.pack(">HHI", RESOURCE, 0, len(iptc))
    return head + iptc + b"\0" * (len(iptc) % 2)


def jpeg_segment(iptc: bytes) -> bytes:
    """Raises ValueError for more than a segment holds."""
    data = JPEG_MARK + _resource(iptc)
    if len(data) > MOST_IN_JPEG:
        raise ValueError("IPTC data is too long")
    return APP13 + struct.pack(">H", len(data) + 2) + data


def png_text(iptc: bytes) -> str:
    """The text for LEGACY_KEY."""
    data = _resource(iptc)
    digits = data.hex()
    lines = [digits[at : at + DIGITS] for at in range(0, len(digits), DIGITS)]
    return "\n".join(["", "iptc", f"{len(data):8d}", *lines, ""])

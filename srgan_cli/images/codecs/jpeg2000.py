"""JPEG 2000's boxes: the depth, and the metadata that no codec here reads or writes.

ISO/IEC 15444-1, annex I; EXIF and XMP in the uuid boxes that Adobe and others put them into.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from srgan_cli.images.image import Image

SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
CODESTREAM = b"\xff\x4f\xff\x51"  # its start, then the sizes
EXIF_ID = b"JpgTiffExif->JP2"
XMP_ID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
IPTC_ID = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
KEPT = {EXIF_ID: "exif", XMP_ID: "xmp", IPTC_ID: "iptc"}
RESTRICTED_ICC = 2
ICC_METHODS = (b"\2", b"\3")
MOST = 2**32 - 9  # bytes in a box of the short kind
INCH = 0.0254  # metres


@dataclass(frozen=True)
class Box:
    name: bytes
    data: bytes

    @property
    def whole(self) -> bytes:
        if len(self.data) > MOST:
            return struct.pack(">I4sQ", 1, self.name, len(self.data) + 16) + self.data
        return struct.pack(">I4s", len(self.data) + 8, self.name) + self.data


def depth(head: bytes) -> int:
    """Bits of the deepest component, 8 where it is not found. head: the first kilobytes."""
    at = head.find(CODESTREAM)
    if at < 0 or at + 42 > len(head):
        return 8
    count = struct.unpack_from(">H", head, at + 40)[0]
    bits = head[at + 42 : at + 42 + 3 * count : 3]
    return max(((b & 127) + 1 for b in bits), default=8)


def boxes(data: bytes) -> Iterator[Box]:
    """Those of a file, or of a box that holds boxes; the last one may be cut off."""
    at = 0
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1 and at + 16 <= len(data):
            head, length = 16, struct.unpack_from(">Q", data, at + 8)[0]
        end = at + length if length else len(data)
        if end < at + head:
            return
        yield Box(name, data[at + head : end])
        at = end


def described(data: bytes) -> dict[str, bytes]:
    """icc_profile, exif, xmp and iptc of a file, as far as it has them."""
    if not data.startswith(SIGNATURE):
        return {}
    found = {}
    for box in boxes(data):
        if box.name == b"uuid" and box.data[:16] in KEPT:
            found[KEPT[box.data[:16]]] = box.data[16:]
    inner = (colour for box in boxes(data) if box.name == b"jp2h" for colour in boxes(box.data))
    for colour in inner:
        if colour.name == b"colr" and colour.data[:1] in ICC_METHODS:
            found["icc_profile"] = colour.data[3:]
    return found


def describing(data: bytes, image: Image) -> bytes:
    """The file with the image's metadata: uuid boxes at the end, where Pillow does not trip."""
    result = [SIGNATURE]
    for box in list(boxes(data))[1:]:
        own = Box(box.name, _header(box.data, image)) if box.name == b"jp2h" else box
        result.append(own.whole)
    return b"".join(result + [box.whole for box in _own(image)])


def _own(image: Image) -> list[Box]:
    parts = ((EXIF_ID, image.exif), (XMP_ID, image.xmp), (IPTC_ID, image.iptc))
    return [Box(b"uuid", name + data) for name, data in parts if data is not None]


def _header(data: bytes, image: Image) -> bytes:
    inner = [box for box in boxes(data) if box.name != b"res "]
    if image.icc_profile is not None:
        colour = Box(b"colr", bytes((RESTRICTED_ICC, 0, 0)) + image.icc_profile)
        inner = [colour if box.name == b"colr" else box for box in inner]
    if image.dpi is not None:
        across, down = (round(dots / INCH * 1000) for dots in image.dpi)
        inner.append(Box(b"res ", Box(b"resc", _resolution(across, down)).whole))
    return b"".join(box.whole for box in inner)


def _resolution(across: int, down: int) -> bytes:
    """Thousandths of dots a metre -> 16-bit fractions with powers of ten, vertical first."""
    powers = [_power(value) for value in (down, across)]
    down, across = (
        round(value / 10**power) for value, power in zip((down, across), powers, strict=True)
    )
    return struct.pack(">HHHHbb", down, 1, across, 1, powers[0] - 3, powers[1] - 3)


def _power(value: int) -> int:
    """The least power of ten by which it is to be divided to fit into 16 bits."""
    return next(power for power in range(12) if value / 10**power < 65535)

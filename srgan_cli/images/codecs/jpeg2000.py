"""JPEG 2000 of 16 bits, by OpenCV, and the metadata that neither it nor Pillow reads or writes.

ISO/IEC 15444-1, annex I; EXIF, XMP and IPTC in the uuid boxes that Adobe and others put them into.
"""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO

import cv2

from srgan_cli.images.formats import MIN_JP2_SIDE
from srgan_cli.images.image import Image
from srgan_cli.images.image_metadata import COMMENT

SIGNATURE = b"\0\0\0\x0cjP  \r\n\x87\n"
CODESTREAM = b"\xff\x4f\xff\x51"  # its start, then the sizes
COMMENT_MARKER = b"\xff\x64"
UUIDS = {
    "exif": b"JpgTiffExif->JP2",
    "xmp": bytes.fromhex("be7acfcb97a942e89c71999491e3afac"),
    "iptc": bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"),
}
RESTRICTED_ICC = b"\2"
ICC_METHODS = (RESTRICTED_ICC, b"\3")  # of a colr box
MAX_BOXES = 1000
MAX_SHORT_BOX = 2**32 - 9  # bytes
INCH = 0.0254  # meters
BLUE_FIRST = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}  # by the number of channels


def jpeg2000_depth(head: bytes) -> int:
    """Bits of the deepest component, 8 where it is not found. head: the first kilobytes."""
    at = head.find(CODESTREAM)
    if at < 0 or at + 42 > len(head):
        return 8
    count = struct.unpack_from(">H", head, at + 40)[0]
    bits = head[at + 42 : at + 42 + 3 * count : 3]
    return max(((b & 127) + 1 for b in bits), default=8)


def read_boxes(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Name and bytes of each box's content, at which the file is put; up to the first damaged one.

    ISO/IEC 14496-12, section 4; JPEG XL has them too.
    """
    end, at = file.seek(0, io.SEEK_END), 0
    for _ in range(MAX_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        size, name = struct.unpack_from(">I4s", head)
        start = 8
        if size == 1 and len(head) == 16:
            start, size = 16, struct.unpack_from(">Q", head, 8)[0]
        size = size or end - at
        if size < start:
            return
        file.seek(at + start)
        yield name, max(0, min(size, end - at) - start)
        at += size


def _read_all(data: bytes) -> list[tuple[bytes, bytes]]:
    """Name and content of each box."""
    file = io.BytesIO(data)
    return [(name, file.read(size)) for name, size in read_boxes(file)]


def _box(name: bytes, content: bytes) -> bytes:
    if len(content) > MAX_SHORT_BOX:
        return struct.pack(">I4sQ", 1, name, len(content) + 16) + content
    return struct.pack(">I4s", len(content) + 8, name) + content


def read_jpeg2000_metadata(file: BinaryIO) -> dict[str, bytes]:
    """icc_profile, exif, xmp and iptc of a file, as far as it has them."""
    found: dict[str, bytes] = {}
    file.seek(0)
    if file.read(len(SIGNATURE)) != SIGNATURE:
        return found
    for name, size in read_boxes(file):
        content = file.read(size) if name in (b"uuid", b"jp2h") else b""
        if name == b"uuid":
            found |= {key: content[16:] for key, uuid in UUIDS.items() if content[:16] == uuid}
        for inner, color in _read_all(content) if name == b"jp2h" else ():
            if inner == b"colr" and color[:1] in ICC_METHODS:
                found["icc_profile"] = color[3:]
    return found


def encode_deep_jpeg2000(image: Image) -> bytes:
    """A lossless file of 16 bits, without metadata. Gray with alpha becomes RGB with alpha."""
    samples = image.array if image.channels != 2 else image.array[..., (0, 0, 0, 1)]
    if image.channels > 1:  # OpenCV has blue first
        samples = cv2.cvtColor(samples, BLUE_FIRST[samples.shape[2]])
    lossless = (cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000)
    done, data = cv2.imencode(".jp2", samples, lossless)
    if not done:
        raise ValueError(f"OpenCV writes 16 bits from {MIN_JP2_SIDE} pixels on only")
    return bytes(data)


def add_jpeg2000_metadata(data: bytes, image: Image) -> bytes:
    """The file with the image's metadata: uuid boxes at the end, which Pillow can skip.

    The comment is added at 16 bits: Pillow has written that of 8 bits.
    """
    changes = {b"jp2h": _add_to_header} | ({b"jp2c": _add_comment} if image.depth == 16 else {})
    result = [SIGNATURE]
    for name, content in _read_all(data)[1:]:
        result.append(_box(name, changes[name](content, image) if name in changes else content))
    metadata = {"exif": image.exif, "xmp": image.xmp, "iptc": image.iptc}
    own = [_box(b"uuid", UUIDS[key] + part) for key, part in metadata.items() if part is not None]
    return b"".join(result + own)


def _add_to_header(header: bytes, image: Image) -> bytes:
    boxes = [(name, content) for name, content in _read_all(header) if name != b"res "]
    if image.icc_profile is not None:
        color = RESTRICTED_ICC + b"\0\0" + image.icc_profile
        boxes = [(name, color if name == b"colr" else content) for name, content in boxes]
    if image.dpi is not None:
        boxes.append((b"res ", _box(b"resc", _resolution(*image.dpi))))
    return b"".join(_box(name, content) for name, content in boxes)


def _add_comment(codestream: bytes, image: Image) -> bytes:
    """A COM segment of UTF-8 behind the sizes, in front of the encoder's own."""
    comment = image.text.get(COMMENT, "").encode(errors="replace")
    if not comment:
        return codestream
    end = len(CODESTREAM) + struct.unpack_from(">H", codestream, len(CODESTREAM))[0]
    segment = COMMENT_MARKER + struct.pack(">HH", len(comment) + 4, 1) + comment
    return codestream[:end] + segment + codestream[end:]


def _resolution(horizontal_dpi: float, vertical_dpi: float) -> bytes:
    """Pixels per meter as 16-bit fractions with powers of ten, vertical first."""
    scaled = [round(dpi / INCH * 1000) for dpi in (vertical_dpi, horizontal_dpi)]
    powers = [next(p for p in range(12) if value / 10**p < 65535) for value in scaled]
    down, across = (round(value / 10**power) for value, power in zip(scaled, powers, strict=True))
    return struct.pack(">HHHHbb", down, 1, across, 1, powers[0] - 3, powers[1] - 3)

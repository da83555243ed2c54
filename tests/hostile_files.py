"""Small files that hang, swell or crash a careless reader."""

import io
import struct
import zlib
from collections.abc import Callable

from image_helpers import saved
from PIL import Image as Pillow

EMPTY = Pillow.new("RGB", (8, 8))
LONG, SHORT, ASCII, BYTE = 4, 3, 2, 1


def entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


def directory(*entries: bytes) -> bytes:
    return struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)


def tiff(extra: tuple[bytes, ...] = (), starts: int = LONG, before: bytes = b"") -> bytes:
    """8x8 gray. starts: the type of StripOffsets. before: lies at 8."""
    strip = 8 + len(before)
    sizes = [entry(256, LONG, 1, 8), entry(257, LONG, 1, 8), entry(258, SHORT, 1, 8)]
    layout = [entry(259, SHORT, 1, 1), entry(262, SHORT, 1, 1), entry(273, starts, 1, strip)]
    rest = [entry(277, SHORT, 1, 1), entry(278, LONG, 1, 8), entry(279, LONG, 1, 64)]
    head = b"II*\0" + struct.pack("<I", strip + 64) + before + bytes(64)
    return head + directory(*sizes, *layout, *rest, *extra)


def graph(start: int, depth: int) -> bytes:
    """Directories whose three pointers all lead to the next one, the last to itself."""
    size = 2 + 3 * 12 + 4
    places = [start + min(i + 1, depth - 1) * size for i in range(depth)]
    return b"".join(
        directory(*(entry(tag, LONG, 1, at) for tag in (34665, 34853, 40965))) for at in places
    )


def tiff_graph() -> bytes:
    at = len(tiff((entry(34665, LONG, 1, 0),)))
    return tiff((entry(34665, LONG, 1, at),)) + graph(at, 20)


def exif_graph() -> bytes:
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + graph(8, 20)


def sharing() -> tuple[bytes, ...]:
    """4,000 tags of the same MiB, which lies at 8."""
    return tuple(entry(50000 + i, BYTE, 1 << 20, 8) for i in range(4000))


def shared_tags() -> bytes:
    return b"II*\0" + struct.pack("<I", 8 + (1 << 20)) + bytes(1 << 20) + directory(*sharing())


def pages_that_share(array: int = 1 << 20, pages: int = 300) -> bytes:
    """1x1 gray pages of one array of bits per sample."""
    first, tags = 8 + array, {256: 1, 257: 1, 258: 8, 259: 1, 262: 1, 273: 8, 279: 1}
    entries = [entry(tag, LONG, 1, value) for tag, value in tags.items()]
    entries[2] = entry(258, SHORT, array // 2, 8)
    table = directory(*entries)[:-4]
    starts = [*(first + i * (len(table) + 4) for i in range(1, pages)), 0]
    chain = b"".join(table + struct.pack("<I", start) for start in starts)
    return b"II*\0" + struct.pack("<I", first) + b"\x08\0" * (array // 2) + chain


def one_tile(width: int, height: int, mib: int) -> bytes:
    """8x8 gray, a tile of this size that holds so many MiB."""
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(1 << 20)) for _ in range(mib)) + packer.flush()
    tags = {256: 8, 257: 8, 258: 8, 259: 8, 262: 1, 277: 1, 322: width, 323: height, 324: 8}
    tags[325] = len(data)
    table = directory(*(entry(tag, LONG, 1, value) for tag, value in tags.items()))
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + table


def jpeg_header() -> bytes:
    data = bytearray(saved(EMPTY, "JPEG"))
    at = data.find(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 14_000, 14_000)
    return bytes(data)


def gif_header() -> bytes:
    frame = b"," + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\x02\x02\x44\x01\0;"
    return b"GIF89a" + struct.pack("<HH", 14_000, 14_000) + b"\x80\0\0" + bytes(6) + frame


def palette_pages() -> bytes:
    file = io.BytesIO()
    pages = [Pillow.new("P", (4, 4)) for _ in range(1000)]
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    return file.getvalue()


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "exif-graph.tif": (tiff_graph, ""),
    "exif-graph.jpg": (lambda: saved(EMPTY, "JPEG", exif=exif_graph()), ""),
    "exif-graph.png": (lambda: saved(EMPTY, "PNG", exif=exif_graph()), ""),
    "exif-graph.webp": (lambda: saved(EMPTY, "WEBP", exif=exif_graph()), ""),
    "shared-tags.tif": (lambda: tiff(sharing(), before=bytes(1 << 20)), "share"),
    "shared-tags.png": (lambda: saved(EMPTY, "PNG", exif=shared_tags()), ""),
    "shared-tags.webp": (lambda: saved(EMPTY, "WEBP", exif=shared_tags()), ""),
    "shared-bits.tif": (pages_that_share, "share"),
    "offsets-of-ascii.tif": (lambda: tiff(starts=ASCII), "damaged"),
    "offsets-of-floats.tif": (lambda: tiff(starts=11), "damaged"),
    "numeric-xmp.tif": (lambda: tiff((entry(700, LONG, 1, 7),)), ""),
    "numeric-icc.tif": (lambda: tiff((entry(34675, LONG, 1, 7),)), ""),
    "tile.tif": (lambda: one_tile(32768, 32768, 1024), "larger than the image"),
    "flat-tile.tif": (lambda: one_tile(8, 0, 300), "without width or height"),
    "header.jpg": (jpeg_header, "damaged"),
    "header.gif": (gif_header, "damaged"),
    "pages.tif": (palette_pages, ""),
}

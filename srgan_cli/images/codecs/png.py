"""PNG and APNG files of 8 and 16 bits with all their metadata.

Pillow has no 16-bit RGB, and OpenCV no metadata. Paeth's filter with zlib's run-length strategy
makes photographs about as small as zlib's level 6 does, in a quarter of its time.

https://www.w3.org/TR/png-3/
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from srgan_cli.images.exif import PNG_KEYWORD, png_text
from srgan_cli.images.image import Image, ImageSequence, Pixels, RowBands

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels
MAX_CHUNKS = 10_000  # that are looked at where nothing is decoded
BAND_BYTES = 1 << 20  # that are filtered at once
STORED, FAST = 0, 1  # levels of compression with their own filters
NO_FILTER, PAETH = 0, 4
INCH = 0.0254  # meters


class PngWriter:
    """Writes a PNG file as rows arrive; complete once it has them all.

    image: its size and metadata; the pixels are not looked at. compression: 0 to 9, None for fast.
    """

    def __init__(self, file: BinaryIO, image: Image, compression: int | None) -> None:
        self._file = file
        self._data = _PixelData(image, compression)
        self._head = b"".join([SIGNATURE, _header(image), *_metadata(image)])

    def write(self, rows: Pixels) -> None:
        """(n, W, C), alpha behind the colors."""
        self._file.write(self._head)
        self._head = b""
        for data in self._data.compress(rows):
            self._file.write(_chunk(b"IDAT", data))
        if self._data.complete:
            self._file.write(_chunk(b"IEND", b""))


def split_chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and bytes of each chunk, its length, name and checksum among them."""
    at = len(SIGNATURE)
    while png.startswith(SIGNATURE) and at + 8 <= len(png):
        length, name = struct.unpack_from(">I4s", png, at)
        yield name, png[at : at + length + 12]
        at += length + 12


def find_chunk(file: BinaryIO, name: bytes) -> bytes:
    """The content of the first chunk of that name; nothing if MAX_CHUNKS have no such one."""
    at = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            break
        length, found = struct.unpack(">I4s", head)
        if found == name:
            return file.read(length)
        at += length + 12
    return b""


def write_apng(
    file: BinaryIO, sequence: ImageSequence, frames: Iterable[Image], compression: int | None
) -> None:
    """Every frame whole, so that each keeps its own duration.

    sequence: all but the samples, which `frames` brings one after another.
    """
    first = sequence.images[0]
    control = struct.pack(">II", len(sequence.images), sequence.loop or 0)
    head = [SIGNATURE, _header(first), *_metadata(first), _chunk(b"acTL", control)]
    file.write(b"".join(head))
    number = 0
    for index, (image, duration) in enumerate(zip(frames, sequence.durations, strict=True)):
        frame_control = struct.pack(">I", number) + _frame_control(image, duration)
        file.write(_chunk(b"fcTL", frame_control))
        number += 1
        for data in _PixelData(image, compression).compress(image.array):
            if index == 0:
                file.write(_chunk(b"IDAT", data))
            else:
                file.write(_chunk(b"fdAT", struct.pack(">I", number) + data))
                number += 1
    file.write(_chunk(b"IEND", b""))


def _header(image: Image) -> bytes:
    color_type = COLOR_TYPES[image.channels]
    fields = struct.pack(">IIBBBBB", image.width, image.height, image.depth, color_type, 0, 0, 0)
    return _chunk(b"IHDR", fields)


def _frame_control(image: Image, duration: int) -> bytes:
    """duration: in milliseconds; in whole seconds from 65.536 s on."""
    per_second = 1000 if duration < 1 << 16 else 1
    delay = min(duration * per_second // 1000, (1 << 16) - 1)
    return struct.pack(">IIIIHHBB", image.width, image.height, 0, 0, delay, per_second, 0, 0)


def _metadata(image: Image) -> list[bytes]:
    """The chunks, in the order that PNG requires."""
    chunks = []
    if image.icc_profile is not None:
        chunks.append(_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(image.icc_profile)))
    if image.dpi is not None:
        across, down = (round(dots / INCH) for dots in image.dpi)
        chunks.append(_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if image.exif is not None:
        chunks.append(_chunk(b"eXIf", image.exif))
    if image.xmp is not None:
        chunks.append(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + image.xmp))
    texts = dict(image.text)
    if image.iptc is not None:
        texts = {PNG_KEYWORD: png_text(image.iptc), **texts}
    return chunks + [_text(keyword, text) for keyword, text in texts.items()]


def _text(keyword: str, text: str) -> bytes:
    key = keyword.encode("latin-1", "replace")[:79] + b"\0"
    try:
        return _chunk(b"tEXt", key + text.encode("latin-1"))
    except UnicodeEncodeError:
        return _chunk(b"iTXt", key + bytes(4) + text.encode("utf-8", "replace"))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


class _PixelData:
    """The zlib stream of an image's filtered rows."""

    def __init__(self, image: Image, compression: int | None) -> None:
        self._level = FAST if compression is None else compression
        strategy = zlib.Z_RLE if self._level == FAST else zlib.Z_DEFAULT_STRATEGY
        self._stream = zlib.compressobj(self._level, strategy=strategy)
        self._pixel_bytes = image.channels * image.pixels.itemsize
        self._above = np.zeros(image.row_bytes, np.uint8)
        self._bands = RowBands(max(1, BAND_BYTES // image.row_bytes), image.height)

    @property
    def complete(self) -> bool:
        return self._bands.left == 0

    def compress(self, rows: Pixels) -> Iterator[bytes]:
        """Pieces of the stream that (n, W, C) samples complete."""
        for samples in self._bands.add(rows):
            filtered = self._filter(_big_endian(samples))
            if data := self._stream.compress(filtered.tobytes()):
                yield data
        if self.complete:
            yield self._stream.flush()

    def _filter(self, band: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The rows with the filter's number before each."""
        result = np.empty((band.shape[0], band.shape[1] + 1), np.uint8)
        result[:, 0] = NO_FILTER if self._level == STORED else PAETH
        result[:, 1:] = band
        if self._level != STORED:
            result[:, 1:] -= _paeth(band, self._above, self._pixel_bytes)
        self._above = band[-1].copy()
        return result


def _big_endian(samples: Pixels) -> NDArray[np.uint8]:
    """(H, W, C) -> (H, bytes of a row), most significant byte first."""
    ordered = np.ascontiguousarray(samples.astype(samples.dtype.newbyteorder(">"), copy=False))
    return ordered.view(np.uint8).reshape(len(samples), -1)


def _paeth(
    band: NDArray[np.uint8], above: NDArray[np.uint8], pixel_bytes: int
) -> NDArray[np.uint8]:
    """Of left, up and up-left the one nearest to left + up - up-left; ties in this order."""
    padded = np.zeros((band.shape[0] + 1, band.shape[1] + pixel_bytes), np.int16)
    padded[0, pixel_bytes:], padded[1:, pixel_bytes:] = above, band
    left, up = padded[1:, :-pixel_bytes], padded[:-1, pixel_bytes:]
    corner = padded[:-1, :-pixel_bytes]
    to_left, to_up = up - corner, left - corner
    to_corner = np.abs(to_left + to_up)
    to_left, to_up = np.abs(to_left), np.abs(to_up)
    other = np.where(to_up <= to_corner, up, corner)
    nearest = np.where((to_left <= to_up) & (to_left <= to_corner), left, other)
    return nearest.astype(np.uint8)

"""PNG and APNG files of 8 and 16 bits with all their metadata.

Pillow has no 16-bit RGB, and OpenCV no metadata. Paeth's filter with zlib's run-length strategy
makes photographs about as small as zlib's level 6 does, in a quarter of its time.

https://www.w3.org/TR/png-3/
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from srgan_cli.images.image import Image, ImageSequence, Pixels
from srgan_cli.images.iptc import PNG_KEYWORD, png_text
from srgan_cli.images.row_bands import RowBands, split_rows

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR = {1: 0, 2: 4, 3: 2, 4: 6}  # samples of a pixel -> colour type
BAND = 1 << 20  # bytes that are filtered at once
STORED, FAST = 0, 1
NO_FILTER, PAETH = 0, 4
INCH = 0.0254  # metres


@dataclass(frozen=True)
class Packing:
    """level: zlib's, 0 to 9; STORED and FAST (the default) have filters of their own."""

    level: int = FAST

    def compressor(self) -> "zlib._Compress":
        strategy = zlib.Z_RLE if self.level == FAST else zlib.Z_DEFAULT_STRATEGY
        return zlib.compressobj(self.level, strategy=strategy)


class PngRows:
    """A PNG file whose rows are written as they come; complete once it has them all."""

    def __init__(self, file: BinaryIO, image: Image, compression: int | None) -> None:
        """image: its size and metadata; the samples are not looked at. compression: 0 to 9, None
        for fast.
        """
        self._file = file
        self._lines = Scanlines(image, _packing(compression))
        self._head = b"".join([SIGNATURE, _header(image), *_described(image)])

    def write(self, rows: Pixels) -> None:
        """(n, W, C), alpha behind the colours."""
        self._file.write(self._head)
        self._head = b""
        for data in self._lines.packed(rows):
            self._file.write(_chunk(b"IDAT", data))
        if self._lines.complete:
            self._file.write(_chunk(b"IEND", b""))


def png_file(image: Image, compression: int | None) -> bytes:
    """compression: 0 to 9, None for fast."""
    file = io.BytesIO()
    sink = PngRows(file, image, compression)
    for rows in split_rows(image):
        sink.write(rows)
    return file.getvalue()


def apng_file(sequence: ImageSequence, compression: int | None) -> bytes:
    """Every frame whole, so that each keeps its own duration."""
    first, packing = sequence.images[0], _packing(compression)
    control = struct.pack(">II", len(sequence.images), sequence.loop or 0)
    chunks = [SIGNATURE, _header(first), *_described(first), _chunk(b"acTL", control)]
    number = 0
    for image, duration in zip(sequence.images, sequence.durations, strict=True):
        chunks.append(_chunk(b"fcTL", struct.pack(">I", number) + _frame(image, duration)))
        number += 1
        for data in Scanlines(image, packing).packed(image.array):
            if image is first:
                chunks.append(_chunk(b"IDAT", data))
            else:
                chunks.append(_chunk(b"fdAT", struct.pack(">I", number) + data))
                number += 1
    return b"".join([*chunks, _chunk(b"IEND", b"")])


def _packing(compression: int | None) -> Packing:
    return Packing() if compression is None else Packing(compression)


def _header(image: Image) -> bytes:
    colour = COLOUR[image.channels]
    fields = struct.pack(">IIBBBBB", image.width, image.height, image.depth, colour, 0, 0, 0)
    return _chunk(b"IHDR", fields)


def _frame(image: Image, milliseconds: int) -> bytes:
    per_second = 1000 if milliseconds < 1 << 16 else 1
    delay = min(milliseconds * per_second // 1000, (1 << 16) - 1)
    return struct.pack(">IIIIHHBB", image.width, image.height, 0, 0, delay, per_second, 0, 0)


def _described(image: Image) -> list[bytes]:
    """The metadata's chunks, in the order that PNG wants."""
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
    if image.iptc is not None:
        chunks.append(_text(PNG_KEYWORD, png_text(image.iptc)))
    return chunks + [_text(key, text) for key, text in image.text.items()]


def _text(key: str, text: str) -> bytes:
    keyword = key.encode("latin-1", "replace")[:79] + b"\0"
    try:
        return _chunk(b"tEXt", keyword + text.encode("latin-1"))
    except UnicodeEncodeError:
        return _chunk(b"iTXt", keyword + bytes(4) + text.encode("utf-8", "replace"))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


class Scanlines:
    """The zlib stream of a picture's samples."""

    def __init__(self, image: Image, packing: Packing) -> None:
        self._packing = packing
        self._compressor = packing.compressor()
        self._pixel = image.channels * image.pixels.itemsize
        row = image.width * self._pixel
        self._above = np.zeros(row, np.uint8)
        self._bands = RowBands(max(1, BAND // row), image.height)

    @property
    def complete(self) -> bool:
        return self._bands.left == 0

    def packed(self, rows: Pixels) -> Iterator[bytes]:
        """Pieces of the stream that (n, W, C) samples give."""
        for samples in self._bands.add(rows):
            band = _bytes(samples)
            filtered = _filtered(band, self._above, self._pixel, self._packing)
            data = self._compressor.compress(filtered.tobytes())
            self._above = band[-1].copy()
            if data:
                yield data
        if self.complete:
            yield self._compressor.flush()


def _bytes(samples: Pixels) -> NDArray[np.uint8]:
    """(H, W, C) -> (H, bytes of a row), most significant byte first."""
    high_first = np.ascontiguousarray(samples.astype(samples.dtype.newbyteorder(">"), copy=False))
    return high_first.view(np.uint8).reshape(len(samples), -1)


def _filtered(
    band: NDArray[np.uint8], above: NDArray[np.uint8], pixel: int, packing: Packing
) -> NDArray[np.uint8]:
    """The rows with the filter's number before each. pixel: bytes of one."""
    result = np.empty((band.shape[0], band.shape[1] + 1), np.uint8)
    stored = packing.level == STORED
    result[:, 0] = NO_FILTER if stored else PAETH
    result[:, 1:] = band if stored else band - _paeth(band, above, pixel)
    return result


def _paeth(band: NDArray[np.uint8], above: NDArray[np.uint8], pixel: int) -> NDArray[np.uint8]:
    """Of left, up and up-left the one nearest to left + up - up-left; ties in this order."""
    framed = np.zeros((band.shape[0] + 1, band.shape[1] + pixel), np.int16)
    framed[0, pixel:], framed[1:, pixel:] = above, band
    left, up, corner = framed[1:, :-pixel], framed[:-1, pixel:], framed[:-1, :-pixel]
    to_left, to_up = up - corner, left - corner
    to_corner = np.abs(to_left + to_up)
    to_left, to_up = np.abs(to_left), np.abs(to_up)
    other = np.where(to_up <= to_corner, up, corner)
    nearest = np.where((to_left <= to_up) & (to_left <= to_corner), left, other)
    return nearest.astype(np.uint8)

"""TIFF files of 8 and 16 bits, one page or many, with all their metadata; BigTIFF from 4 GB on.

Pillow's writer has no 16-bit RGB. Strips are compressed by deflate with horizontal differencing.
"""

import struct
import zlib
from collections.abc import Sequence
from fractions import Fraction
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike
from PIL.ExifTags import Base as Tag

from srgan_cli.images.exif import exif_to_page
from srgan_cli.images.image import Image, Pixels, RowBands
from srgan_cli.images.tiff_tags import (
    BYTE,
    INTEGERS,
    LONG,
    LONG8,
    RATIONAL,
    SHORT,
    UNDEFINED,
    Tags,
    TagValue,
    build_ifd,
    swap_tags,
    table_size,
    tiff_header,
)

STRIP_BYTES = 1 << 18
MAX_TIFF_BYTES = 4_000_000_000  # that 32-bit offsets surely reach; larger ones are BigTIFF
MAX_LONG = (1 << 32) - 1
UNCOMPRESSED, DEFLATE = 1, 8
BLACK_IS_ZERO, RGB = 1, 2
FAST = 1


class TiffWriter:
    """Writes a TIFF file as rows arrive, page after page; complete with the last row.

    pages: their sizes and metadata; the pixels are not looked at. compression: 0 (none) to 9,
    None for fast.
    """

    def __init__(self, file: BinaryIO, pages: Sequence[Image], compression: int | None) -> None:
        self._file, self._pages = file, pages
        self._level = FAST if compression is None else compression
        sizes = (page.height * page.row_bytes + len(page.icc_profile or b"") for page in pages)
        self._big = sum(sizes) > MAX_TIFF_BYTES
        self._order = exif_to_page(pages[0].exif)[1] if pages[0].exif else "<"
        self._link = 8 if self._big else 4  # where the offset of the next IFD is to be written
        file.write(tiff_header(self._order, 0, self._big))
        self._begin_page(0)

    def write(self, rows: Pixels) -> None:
        """(n, W, C), alpha behind the colors, all of one page."""
        for samples in self._bands.add(rows):
            strip = _compress(samples, self._level, self._order)
            self._strips.append((self._file.tell(), len(strip)))
            self._file.write(strip)
        if self._bands.left == 0:
            self._end_page()

    def _begin_page(self, number: int) -> None:
        self._number, self._strips = number, list[tuple[int, int]]()
        page = self._pages[number]
        self._bands = RowBands(_strip_rows(page), page.height)

    def _end_page(self) -> None:
        tags, order, big = self._page_tags(), self._order, self._big
        offset = self._file.tell() + self._file.tell() % 2
        self._file.seek(self._link)
        self._file.write(struct.pack(order + ("Q" if big else "I"), offset))
        self._file.seek(offset)
        self._file.write(build_ifd(tags, order, offset, big))
        self._link = offset + table_size(len(tags), big) - (8 if big else 4)
        if self._number + 1 < len(self._pages):
            self._begin_page(self._number + 1)

    def _page_tags(self) -> Tags:
        page, order, count = self._pages[self._number], self._order, len(self._pages)
        tags, exif_order = exif_to_page(page.exif) if page.exif else ({}, order)
        tags = tags if exif_order == order else swap_tags(tags)
        kind, strips = LONG8 if self._big else LONG, np.transpose(self._strips)
        own = _layout_tags(page, order, self._level) | _metadata_tags(page, order)
        own[Tag.StripOffsets] = _numbers(kind, order, strips[0])
        own[Tag.StripByteCounts] = _numbers(kind, order, strips[1])
        if count > 1:
            own[Tag.NewSubfileType] = _numbers(LONG, order, 2)
            number = (min(self._number, 65535), min(count, 65535))
            own[Tag.PageNumber] = _numbers(SHORT, order, number)
        return {**tags, **own}


def _compress(samples: Pixels, level: int, order: str) -> bytes:
    dtype = np.dtype(f"{order}u{samples.itemsize}")
    if level == 0:
        return samples.astype(dtype).tobytes()
    differences = samples.copy()
    differences[:, 1:] -= samples[:, :-1]
    strategy = zlib.Z_RLE if level == FAST else zlib.Z_DEFAULT_STRATEGY
    stream = zlib.compressobj(level, strategy=strategy)
    return stream.compress(differences.astype(dtype).tobytes()) + stream.flush()


def _strip_rows(page: Image) -> int:
    """Rows of a strip."""
    return max(1, min(page.height, STRIP_BYTES // page.row_bytes))


def _layout_tags(page: Image, order: str, level: int) -> dict[int, TagValue]:
    shorts: dict[int, ArrayLike] = {
        Tag.BitsPerSample: (page.depth,) * page.channels,
        Tag.Compression: DEFLATE if level else UNCOMPRESSED,
        Tag.PhotometricInterpretation: BLACK_IS_ZERO if page.pixels.shape[2] == 1 else RGB,
        Tag.Orientation: 1,  # upright
        Tag.SamplesPerPixel: page.channels,
        Tag.PlanarConfiguration: 1,  # the samples of a pixel together
        **({Tag.Predictor: 2} if level else {}),  # horizontal differencing
        **({Tag.ExtraSamples: 2} if page.alpha is not None else {}),  # alpha, not premultiplied
    }
    sizes = (page.width, page.height, _strip_rows(page))
    longs = dict(zip((Tag.ImageWidth, Tag.ImageLength, Tag.RowsPerStrip), sizes, strict=True))
    tags = {tag: _numbers(SHORT, order, values) for tag, values in shorts.items()}
    return tags | {tag: _numbers(LONG, order, value) for tag, value in longs.items()}


def _metadata_tags(page: Image, order: str) -> dict[int, TagValue]:
    blocks = {
        Tag.InterColorProfile: (UNDEFINED, page.icc_profile),
        Tag.XMLPacket: (BYTE, page.xmp),
        Tag.IPTCNAA: (UNDEFINED, page.iptc),
    }
    tags: dict[int, TagValue]
    tags = {tag: TagValue(kind, data) for tag, (kind, data) in blocks.items() if data is not None}
    for tag, dots in zip((Tag.XResolution, Tag.YResolution), page.dpi or (), strict=False):
        largest = int(MAX_LONG / (dots + 1))  # denominator whose numerator surely fits
        exact = Fraction(dots).limit_denominator(min(largest, 10_000))
        tags[tag] = _numbers(RATIONAL, order, exact.as_integer_ratio())
        tags[Tag.ResolutionUnit] = _numbers(SHORT, order, 2)  # per inch
    return tags


def _numbers(kind: int, order: str, values: ArrayLike) -> TagValue:
    code = INTEGERS.get(kind, INTEGERS[LONG])
    return TagValue(kind, np.asarray(values).astype(order + code).tobytes())

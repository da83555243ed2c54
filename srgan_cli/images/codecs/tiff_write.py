"""TIFF files of 8 and 16 bits, one page or many, with all their metadata; BigTIFF from 4 GB on.

Pillow's writer has no 16-bit colour. Strips are compressed by deflate with horizontal differences.
"""

import io
import struct
import zlib
from collections.abc import Mapping
from fractions import Fraction
from typing import BinaryIO

import numpy as np

from srgan_cli.images.exif import tags_of
from srgan_cli.images.image import Image, Pixels
from srgan_cli.images.iptc import TAG as IPTC
from srgan_cli.images.row_bands import Bands, portions
from srgan_cli.images.tiff_tags import (
    BYTE,
    LONG,
    LONG8,
    RATIONAL,
    SHORT,
    UNDEFINED,
    Entry,
    Tags,
    header,
    laid_out,
    swapped,
    table_end,
)

STRIP = 1 << 18  # bytes
CLASSIC = 4_000_000_000  # bytes that 32-bit offsets surely reach
STORED, DEFLATE = 1, 8
FAST = 1


class TiffRows:
    """A TIFF file whose rows are written as they come, page after page; complete with the last."""

    def __init__(self, file: BinaryIO, pages: tuple[Image, ...], compression: int | None) -> None:
        """pages: their sizes and metadata; the samples are not looked at. compression: 0 (none)
        to 9, None for fast.
        """
        self._file, self._pages = file, pages
        self._level = FAST if compression is None else compression
        self._big = sum(map(_bytes_of, pages)) > CLASSIC
        described = [tags_of(page.exif) if page.exif else ({}, "<") for page in pages]
        self._order = described[0][1]
        self._tags = [
            {**(tags if order == self._order else swapped(tags)), **self._stated(number)}
            for number, (tags, order) in enumerate(described)
        ]
        self._link = 8 if self._big else 4
        self._places: list[tuple[int, int]] = []
        file.write(header(self._order, 0, self._big))
        self._begin(0)

    def write(self, rows: Pixels) -> None:
        """(n, W, C), alpha behind the colours, all of one page."""
        for samples in self._bands.add(rows):
            data = _strip(samples, self._level, self._order)
            self._places.append((self._file.tell(), len(data)))
            self._file.write(data)
        if self._bands.left == 0:
            self._end()

    def _stated(self, number: int) -> dict[int, Entry]:
        """What this program says of a page."""
        page, count = self._pages[number], len(self._pages)
        numbered = _page_tags(self._order, number, count) if count > 1 else {}
        layout = _layout(page, self._order, self._level)
        return {**layout, **_described(page, self._order), **numbered}

    def _begin(self, number: int) -> None:
        self._number = number
        page = self._pages[number]
        self._bands = Bands(_rows(page), page.height)

    def _end(self) -> None:
        """Of a page: the directory."""
        tags = {**self._tags[self._number], **_places(self._places, self._order, self._big)}
        self._link = _write_directory(self._file, tags, self._order, self._big, self._link)
        self._places = []
        if self._number + 1 < len(self._pages):
            self._begin(self._number + 1)


def tiff_file(pages: tuple[Image, ...], compression: int | None) -> bytes:
    """compression: 0 (none) to 9, None for fast."""
    file = io.BytesIO()
    sink = TiffRows(file, pages, compression)
    for page in pages:
        for rows in portions(page):
            sink.write(rows)
    return file.getvalue()


def _write_directory(file: BinaryIO, tags: Tags, order: str, big: bool, link: int) -> int:
    """At the end of the file, `link` pointing to it; returns where its own link lies."""
    at = file.tell() + file.tell() % 2
    file.seek(link)
    file.write(struct.pack(order + ("Q" if big else "I"), at))
    file.seek(at)
    file.write(laid_out(tags, order, at, big))
    return at + table_end(len(tags), big) - (8 if big else 4)


def _strip(samples: Pixels, level: int, order: str) -> bytes:
    ordered = np.dtype(f"{order}u{samples.itemsize}")
    if level == 0:
        return samples.astype(ordered).tobytes()
    steps = samples.copy()
    steps[:, 1:] -= samples[:, :-1]
    strategy = zlib.Z_RLE if level == FAST else zlib.Z_DEFAULT_STRATEGY
    compressor = zlib.compressobj(level, strategy=strategy)
    raw = steps.astype(ordered).tobytes()
    return compressor.compress(raw) + compressor.flush()


def _rows(page: Image) -> int:
    """Of a strip."""
    return max(1, min(page.height, STRIP // _row(page)))


def _row(page: Image) -> int:
    """Bytes of a row's samples."""
    return page.width * page.channels * page.pixels.itemsize


def _bytes_of(page: Image) -> int:
    return page.height * _row(page) + len(page.icc_profile or b"")


def _layout(page: Image, order: str, level: int) -> dict[int, Entry]:
    channels = page.channels
    gray = page.pixels.shape[2] == 1
    shorts = {
        258: (page.depth,) * channels,
        259: (DEFLATE if level else STORED,),
        262: (1 if gray else 2,),  # black is zero, or RGB
        274: (1,),  # upright
        277: (channels,),
        284: (1,),  # the samples of a pixel together
        **({317: (2,)} if level else {}),  # horizontal differences
        **({338: (2,)} if page.alpha is not None else {}),  # alpha, not premultiplied
    }
    longs = {256: (page.width,), 257: (page.height,), 278: (_rows(page),)}
    return {
        **{tag: _numbers(SHORT, "H", order, *values) for tag, values in shorts.items()},
        **{tag: _numbers(LONG, "I", order, *values) for tag, values in longs.items()},
    }


def _places(strips: list[tuple[int, int]], order: str, big: bool) -> dict[int, Entry]:
    kind, code = (LONG8, "Q") if big else (LONG, "I")
    starts, lengths = zip(*strips, strict=True)
    return {
        273: _numbers(kind, code, order, *starts),
        279: _numbers(kind, code, order, *lengths),
    }


def _described(page: Image, order: str) -> dict[int, Entry]:
    tags: dict[int, Entry] = {}
    if page.icc_profile is not None:
        tags[34675] = Entry(UNDEFINED, page.icc_profile)
    if page.xmp is not None:
        tags[700] = Entry(BYTE, page.xmp)
    if page.iptc is not None:
        tags[IPTC] = Entry(UNDEFINED, page.iptc)
    if page.dpi is not None:
        for tag, dots in zip((282, 283), page.dpi, strict=True):
            exact = Fraction(dots).limit_denominator(10_000)
            tags[tag] = _numbers(RATIONAL, "I", order, exact.numerator, exact.denominator)
        tags[296] = _numbers(SHORT, "H", order, 2)  # per inch
    return tags


def _page_tags(order: str, number: int, count: int) -> Mapping[int, Entry]:
    places = (min(number, 65535), min(count, 65535))
    return {254: _numbers(LONG, "I", order, 2), 297: _numbers(SHORT, "H", order, *places)}


def _numbers(kind: int, code: str, order: str, *values: int) -> Entry:
    return Entry(
        kind, np.array(values, f"{order}{ {'H': 'u2', 'I': 'u4', 'Q': 'u8'}[code] }").tobytes()
    )

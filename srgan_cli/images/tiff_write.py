"""TIFF files of 8 and 16 bits, one page or many, with all their metadata; BigTIFF from 4 GB on.

Pillow's writer has no 16-bit colour. Strips are compressed by deflate with horizontal differences.
"""

import io
import struct
import zlib
from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from srgan_cli.images.ifd import (
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
from srgan_cli.images.metadata import tags_of
from srgan_cli.images.value import Image, Pixels

STRIP = 1 << 18  # bytes
CLASSIC = 4_000_000_000  # bytes that 32-bit offsets surely reach
STORED, DEFLATE = 1, 8
FAST = 1


def tiff_file(pages: tuple[Image, ...], compression: int | None) -> bytes:
    """compression: 0 (none) to 9, None for fast."""
    level = FAST if compression is None else compression
    big = sum(page.samples.nbytes + len(page.icc_profile or b"") for page in pages) > CLASSIC
    described = [tags_of(page.exif) if page.exif else ({}, "<") for page in pages]
    order = described[0][1]
    file, link = io.BytesIO(), 8 if big else 4
    file.write(header(order, 0, big))
    for number, (page, (tags, own_order)) in enumerate(zip(pages, described, strict=True)):
        own = tags if own_order == order else swapped(tags)
        strips = _write_strips(file, page.samples, level, order)
        numbered = _page_tags(order, number, len(pages)) if len(pages) > 1 else {}
        every = {**own, **_layout(page, order, level), **_described(page, order), **numbered}
        link = _write_directory(file, {**every, **_places(strips, order, big)}, order, big, link)
    return file.getvalue()


def _write_directory(file: io.BytesIO, tags: Tags, order: str, big: bool, link: int) -> int:
    """At the end of the file, `link` pointing to it; returns where its own link lies."""
    at = file.tell() + file.tell() % 2
    file.seek(link)
    file.write(struct.pack(order + ("Q" if big else "I"), at))
    file.seek(at)
    file.write(laid_out(tags, order, at, big))
    return at + table_end(len(tags), big) - (8 if big else 4)


def _write_strips(
    file: io.BytesIO, samples: Pixels, level: int, order: str
) -> list[tuple[int, int]]:
    """Where each strip begins, and its length."""
    rows, places = _rows(samples), []
    for top in range(0, len(samples), rows):
        data = _strip(samples[top : top + rows], level, order)
        places.append((file.tell(), len(data)))
        file.write(data)
    return places


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


def _rows(samples: Pixels) -> int:
    row = int(samples[:1].nbytes)
    return max(1, min(len(samples), STRIP // row))


def _layout(page: Image, order: str, level: int) -> dict[int, Entry]:
    samples = page.samples
    height, width, channels = samples.shape
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
    longs = {256: (width,), 257: (height,), 278: (_rows(samples),)}
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

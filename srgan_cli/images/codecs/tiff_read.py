"""Pages of TIFF files: what they hold, and the samples of gray and RGB ones.

Pillow would cut 16 bits to 8, and does not know all layouts. So libtiff, through Pillow, only
unpacks the bytes, as if they were a gray picture of 8 bits; what they mean is known here. Strips,
tiles, separate planes, byte orders and BigTIFF are read by one rule. What is left to Pillow are
palettes, CMYK, other depths, and what JPEG and its like have compressed.
"""

import io
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL.TiffImagePlugin import TiffImageFile

from srgan_cli.errors import ImageError
from srgan_cli.images.image import Image, Pixels
from srgan_cli.images.iptc import iptc_of_page
from srgan_cli.images.tiff_tags import LONG, LONG8, Block, Directory, Entry, header, laid_out

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
PREMULTIPLIED, ALPHA = 1, 2
STRIPS, TILES = (273, 279), (324, 325)
BYTES = (1, 2, 7)  # the types that an ICC profile or XMP may have
DEFLATE = (8, 32946)
PACKED = (1, 5, 8, 32773, 32946, 34925, 50000)  # compressions of bytes, whatever they mean
MOST_CHANNELS = 8  # of a pixel; more are only found in damaged files
LOW = 16  # rows of a strip
SMALL = 1 << 22  # pixels that are decoded whatever the size of the file says
PACKED_AT_MOST = {1: 1, 5: 4096, 8: 1040, 32773: 64, 32946: 1040}  # bytes out of one, by format
THUMBNAIL, MASK = 1, 4  # bits of NewSubfileType
KINDS = {2: "signed integer", 3: "floating-point", 5: "complex", 6: "complex"}


@dataclass(frozen=True)
class Page:
    """Of the file's pages the one at `index`; the thumbnails among them are left out."""

    index: int
    directory: Directory

    @property
    def width(self) -> int:
        return self.directory.integer(256)

    @property
    def height(self) -> int:
        return self.directory.integer(257)

    @property
    def bits(self) -> int:
        return max(self.directory.integers(258, (1,)))

    @property
    def tiled(self) -> bool:
        return 324 in self.directory

    @property
    def places(self) -> tuple[int, int]:
        """The tags with the places and lengths of its pieces."""
        return TILES if self.tiled else STRIPS

    @property
    def rows(self) -> int:
        """Of a strip."""
        return min(self.height, self.directory.integer(278, self.height)) or self.height

    @property
    def piece(self) -> tuple[int, int]:
        """Height and width of its pieces."""
        read = self.directory.integer
        return (read(323), read(322)) if self.tiled else (self.rows, self.width)

    @property
    def row(self) -> int:
        """Bytes of a row, all its samples."""
        return self.width * self.channels * self.bits // 8

    @property
    def photometric(self) -> int:
        return self.directory.integer(262, BLACK_IS_ZERO)

    @property
    def channels(self) -> int:
        """Samples of a pixel, alpha included."""
        return self.directory.integer(277, 1)

    @property
    def alpha(self) -> bool:
        colours = {RGB: 3, 5: 4}.get(self.photometric, 1)
        extra = self.directory.integers(338, (ALPHA,))
        return self.channels > colours and extra[0] in (PREMULTIPLIED, ALPHA)

    @property
    def ours(self) -> bool:
        """Whether `image_of` reads it, not Pillow."""
        return (
            set(self.directory.integers(258)) in ({8}, {16})
            and self.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)
            and self.directory.integer(259, 1) in PACKED
            and (3 if self.photometric == RGB else 1) <= self.channels <= MOST_CHANNELS
        )


def pages(block: Block) -> list[Page]:
    """ImageError for samples that are no unsigned integers of up to 16 bits."""
    found = [Page(i, directory) for i, directory in enumerate(block.chain())]
    shown = [p for p in found if not p.directory.integer(254) & (THUMBNAIL | MASK)] or found[:1]
    if not shown:
        raise ImageError("a TIFF file without a page")
    for page in shown:
        kind = KINDS.get(page.directory.integer(339, 1))
        if kind or page.bits > 16:
            kind = kind or f"{page.bits}-bit integer"
            raise ImageError(f"{kind} samples are not supported; convert to 8 or 16 bits")
        if not page.width or not page.height:
            raise ImageError("a TIFF page without width or height")
        _check_pieces(page, block.size)
    return shown


def _check_pieces(page: Page, file_size: int) -> None:
    starts, lengths = (page.directory.array(tag) for tag in page.places)
    if not len(starts) or len(starts) != len(lengths):
        raise ImageError("damaged: does not say where its strips or tiles are")
    size = page.row * page.height
    if size > SMALL + PACKED_AT_MOST.get(page.directory.integer(259, 1), size) * file_size:
        raise ImageError(f"damaged: {size:,} bytes of pixels cannot be in {file_size:,} bytes")
    tall, wide = page.piece
    needed = (-(-page.height // 16) * 16) * (-(-page.width // 16) * 16)
    if page.tiled and tall * wide > max(needed, SMALL):
        raise ImageError(f"damaged: tiles of {wide:,} x {tall:,} pixels, larger than the picture")


def with_low_strips(page: Page) -> Page:
    """A page of a single strip that is not compressed, as if it were of many."""
    read = page.directory.integer
    if page.tiled or read(259, 1) != 1 or page.rows < page.height or _planes(page) > 1:
        return page
    tops = np.arange(0, page.height, LOW, dtype=f"{page.directory.order}u8")
    lengths = np.minimum(page.height - tops, LOW) * page.row
    strips = {273: tops * page.row + read(273), 279: lengths}
    entries: dict[int, Entry] = {
        tag: Entry(LONG8, numbers.astype(tops.dtype).tobytes()) for tag, numbers in strips.items()
    }
    low = Entry(LONG8, np.array([LOW], tops.dtype).tobytes())
    directory = page.directory.replaced({**entries, 278: low})
    return replace(page, directory=directory)


def info(page: Page) -> dict[str, Any]:
    """The page's profile, XMP, IPTC and DPI, as Pillow names them."""
    entries = page.directory
    found: dict[str, Any] = {
        name: entry.data
        for tag, name in {34675: "icc_profile", 700: "xmp"}.items()
        if tag in entries and (entry := entries[tag]).kind in BYTES
    }
    found["iptc"] = iptc_of_page(entries)
    unit = {2: 1.0, 3: 2.54}.get(page.directory.integer(296, 2))
    if unit and 282 in entries and 283 in entries:
        found["dpi"] = tuple(page.directory.ratio(tag) * unit for tag in (282, 283))
    return found


def turn(page: Page) -> int:
    value = page.directory.integer(274, 1)
    return value if 1 <= value <= 8 else 1


def image_of(block: Block, page: Page) -> Image:
    """A page that is `ours`, as it is stored, without metadata. block: its file."""
    return rows_of(block, page, 0, page.height)


def rows_of(block: Block, page: Page, top: int, bottom: int) -> Image:
    """Those rows of it; nothing is read but the strips or tiles that they lie in."""
    planes = [_unpacked(block, page, plane, top, bottom) for plane in range(_planes(page))]
    colours = 3 if page.photometric == RGB else 1
    whole = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)
    samples = whole[..., : colours + page.alpha]
    if page.photometric == WHITE_IS_ZERO:
        samples[..., :1] = ~samples[..., :1]
    image = Image.from_samples(np.ascontiguousarray(samples))
    premultiplied = page.alpha and page.directory.integer(338) == PREMULTIPLIED
    return _unmultiplied(image) if premultiplied else image


def _planes(page: Page) -> int:
    """How many: the samples of a pixel lie together, or each kind in a plane of its own."""
    return page.channels if page.directory.integer(284, 1) == 2 else 1


def _unpacked(block: Block, page: Page, plane: int, top: int, bottom: int) -> Pixels:
    """(bottom - top, W, channels of the plane)."""
    channels = page.channels // _planes(page)
    tall = max(1, page.piece[0])
    first, last = top // tall, -(-bottom // tall)
    height = min(last * tall, page.height) - first * tall
    file = _gray_file(page, height, channels, _pieces(block, page, plane, first, last))
    with TiffImageFile(io.BytesIO(file)) as opened:  # not Pillow.open: bytes are no pixels
        raw = np.asarray(opened)
    stored = raw.view(f"{page.directory.order}u{page.bits // 8}")
    stored = stored.reshape(height, page.width, channels)[top - first * tall :][: bottom - top]
    samples = stored.astype(f"u{page.bits // 8}")
    return _summed(samples, page) if page.directory.integer(317, 1) == 2 else samples


def _pieces(block: Block, page: Page, plane: int, first: int, last: int) -> list[bytes]:
    """The strips or tiles of a plane, of some rows of them.

    Deflated ones are inflated, as libtiff prints its errors.
    """
    starts, lengths = (page.directory.array(tag).tolist() for tag in page.places)
    count = len(starts) // _planes(page)
    tall, wide = page.piece
    across = -(-page.width // max(1, wide))
    own = slice(plane * count + first * across, plane * count + min(last * across, count))
    if sum(lengths) > 2 * len(lengths) + block.size:
        raise ValueError("strips that overlap")
    pieces = [block.raw(at, size) for at, size in zip(starts[own], lengths[own], strict=True)]
    if page.directory.integer(259, 1) not in DEFLATE:
        return pieces
    limit = tall * (wide or page.width) * page.channels * page.bits // 8
    return [zlib.decompressobj().decompress(piece, limit) for piece in pieces]


def _gray_file(page: Page, height: int, channels: int, pieces: list[bytes]) -> bytes:
    """A TIFF file of a gray picture of 8 bits whose rows have the same bytes."""
    read, wide = page.directory.integer, channels * page.bits // 8
    packed = 1 if read(259, 1) in DEFLATE else read(259, 1)
    values = {256: page.width * wide, 257: height, 258: 8, 259: packed, 262: BLACK_IS_ZERO}
    values |= {266: read(266, 1), 277: 1}
    tiled = {322: read(322) * wide, 323: read(323)}
    values |= tiled if page.tiled else {278: page.rows}
    ends = np.cumsum([8, *(len(piece) for piece in pieces)])
    at = int(ends[-1]) + int(ends[-1]) % 2
    tags = {tag: Entry(LONG, np.array([value], "<u4").tobytes()) for tag, value in values.items()}
    places = (ends[:-1], np.diff(ends))
    tags |= {
        tag: Entry(LONG, numbers.astype("<u4").tobytes())
        for tag, numbers in zip(page.places, places, strict=True)
    }
    return header("<", at) + b"".join(pieces).ljust(at - 8, b"\0") + laid_out(tags, "<", at)


def _summed(steps: Pixels, page: Page) -> Pixels:
    """Undoes horizontal differences, which begin anew in each tile."""
    wide = page.directory.integer(322) or page.width
    for left in range(0, page.width, wide):
        part = steps[:, left : left + wide]
        np.cumsum(part, axis=1, dtype=steps.dtype, out=part)
    return steps


def _unmultiplied(image: Image) -> Image:
    assert image.alpha is not None
    top = 2**image.depth - 1
    alpha = image.alpha[..., None].astype(np.float64)
    pixels = np.where(alpha > 0, image.pixels * float(top) / np.maximum(alpha, 1), 0)
    return Image(np.minimum(np.rint(pixels), top).astype(image.pixels.dtype), image.alpha)

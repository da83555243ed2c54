"""Pages of TIFF files, and the samples of gray and RGB ones.

Pillow would cut 16 bits to 8, and does not know all layouts. So libtiff, through Pillow, only
decompresses the bytes, as if they were an 8-bit gray image; what they mean is known here. Strips,
tiles, separate planes, byte orders and BigTIFF are read by one rule. What is left to Pillow are
palettes, CMYK, other depths, and lossy compression such as JPEG.
"""

import io
import zlib
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from PIL.ExifTags import Base as Tag
from PIL.TiffImagePlugin import TiffImageFile

from srgan_cli.errors import ImageError
from srgan_cli.images.image import Image, Pixels, row_bands
from srgan_cli.images.tiff_tags import IFD, LONG, TagValue, TiffStructure, build_ifd, tiff_header

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK, YCBCR = 0, 1, 2, 5, 6
COLORS = {RGB: 3, CMYK: 4, YCBCR: 3, 8: 3}  # 8: CIELAB
"""Samples of a pixel without alpha, by photometric interpretation; 1 for others."""

PREMULTIPLIED, ALPHA = 1, 2
STRIPS = (Tag.StripOffsets, Tag.StripByteCounts)
TILES = (Tag.TileOffsets, Tag.TileByteCounts)
UNCOMPRESSED = 1
DEFLATE = (8, 32946)
LOSSLESS = (1, 5, 8, 32773, 32946, 34925, 50000)  # compressions of bytes, whatever they mean
MAX_PAGES = 10_000
MAX_CHANNELS = 8  # more are only found in damaged files
LOW_STRIP = 16  # rows
SMALL = 1 << 22  # pixels that are decoded whatever the size of the file says
MAX_RATIO = {1: 1, 5: 4096, 8: 1040, 32773: 64, 32946: 1040}  # bytes out of one, by compression
THUMBNAIL, MASK = 1, 4  # bits of NewSubfileType
SAMPLE_FORMATS = {2: "signed integer", 3: "floating-point", 5: "complex", 6: "complex"}


@dataclass(frozen=True)
class TiffPage:
    """A page: the file's IFD at `index`.

    bits: of a sample. channels: samples of a pixel, alpha included. planes: 1, or as many as
    channels where each has its own plane. part: height and width of a strip or tile.
    low_strips: whether the single, uncompressed strip is read as many.
    """

    index: int
    ifd: IFD
    height: int
    width: int
    bits: int
    channels: int
    photometric: int
    compression: int
    planes: int
    part: tuple[int, int]
    alpha: bool
    low_strips: bool = False

    @property
    def tiled(self) -> bool:
        return TILES[0] in self.ifd

    @property
    def orientation(self) -> int:
        """1 to 8 as EXIF numbers it."""
        value = self.ifd.integer(Tag.Orientation, 1)
        return value if 1 <= value <= 8 else 1

    @property
    def depth(self) -> int:
        """Bits of a sample as it is read, 8 or 16: Pillow cuts colors of 16 bits to 8."""
        return 16 if self.bits > 8 and (self.supported or self.channels == 1) else 8

    @property
    def row_bytes(self) -> int:
        """Bytes of all samples of a row."""
        return self.width * self.channels * self.bits // 8

    @property
    def supported(self) -> bool:
        """Whether `read_rows` reads it, not Pillow."""
        return (
            self.bits in (8, 16)
            and bool((self.ifd.array(Tag.BitsPerSample) == self.bits).all())
            and self.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)
            and self.compression in LOSSLESS
            and COLORS.get(self.photometric, 1) <= self.channels <= MAX_CHANNELS
        )

    @property
    def padded_size(self) -> tuple[int, int]:
        """Height and width of all its strips or tiles; tiles may reach beyond the image."""
        if not self.tiled:
            return self.height, self.width
        height, width = self.part
        return -(-self.height // height) * height, -(-self.width // width) * width

    @property
    def part_bytes(self) -> int:
        """Bytes of a strip, or of a row of tiles."""
        return self.part[0] * self.padded_size[1] * self.channels * self.bits // 8

    def parts(self) -> tuple[list[int], list[int]]:
        """Offsets and lengths of the strips or tiles."""
        tags = TILES if self.tiled else STRIPS
        offsets, lengths = (self.ifd.array(tag).tolist() for tag in tags)
        if self.low_strips and len(offsets) == len(lengths) > 0:
            tops = range(0, self.height, LOW_STRIP)
            lengths = [min(self.height - top, LOW_STRIP) * self.row_bytes for top in tops]
            offsets = [offsets[0] + top * self.row_bytes for top in tops]
        return offsets, lengths


def parse_pages(structure: TiffStructure, *, low_strips: bool = False) -> list[TiffPage]:
    """The pages without thumbnails and masks.

    ImageError for damaged ones, and samples that are not unsigned integers of up to 16 bits.
    """
    ifds = list(islice(structure.ifds(), MAX_PAGES + 1))
    if len(ifds) > MAX_PAGES:
        raise ImageError(f"more than {MAX_PAGES:,} pages; split it into several files")
    pages = [_parse_page(index, ifd, low_strips) for index, ifd in enumerate(ifds)]
    hidden = [bool(page.ifd.integer(Tag.NewSubfileType) & (THUMBNAIL | MASK)) for page in pages]
    pages = [page for page, skip in zip(pages, hidden, strict=True) if not skip] or pages[:1]
    if not pages:
        raise ImageError("a TIFF file without a page")
    for page in pages:
        _check_page(page, structure.size)
    return pages


def _parse_page(index: int, ifd: IFD, low_strips: bool) -> TiffPage:
    read = ifd.integer
    height, width = read(Tag.ImageLength), read(Tag.ImageWidth)
    channels = read(Tag.SamplesPerPixel, 1)
    photometric, compression = read(Tag.PhotometricInterpretation, 1), read(Tag.Compression, 1)
    rows = min(height, read(Tag.RowsPerStrip, height)) or height
    planes = channels if read(Tag.PlanarConfiguration, 1) == 2 else 1
    tiled, is_plain = TILES[0] in ifd, planes == 1 and compression == UNCOMPRESSED
    low_strips = low_strips and is_plain and rows >= height and not tiled
    strip = (LOW_STRIP if low_strips else rows, width)
    has_extra = channels > COLORS.get(photometric, 1)
    return TiffPage(
        index,
        ifd,
        height,
        width,
        int(ifd.array(Tag.BitsPerSample).max(initial=1)),
        channels,
        photometric,
        compression,
        planes,
        part=(read(Tag.TileLength), read(Tag.TileWidth)) if tiled else strip,
        alpha=has_extra and read(Tag.ExtraSamples, ALPHA) in (PREMULTIPLIED, ALPHA),
        low_strips=low_strips,
    )


def _check_page(page: TiffPage, file_size: int) -> None:
    kind = SAMPLE_FORMATS.get(page.ifd.integer(Tag.SampleFormat, 1))
    if kind or page.bits > 16:
        kind = kind or f"{page.bits}-bit integer"
        raise ImageError(f"{kind} samples are not supported; convert to 8 or 16 bits")
    if not page.width or not page.height:
        raise ImageError("a TIFF page without width or height")
    offsets, lengths = (page.ifd.count(tag) for tag in (TILES if page.tiled else STRIPS))
    if not offsets or offsets != lengths:
        raise ImageError("damaged: does not say where its strips or tiles are")
    size = page.row_bytes * page.height
    if size > SMALL + MAX_RATIO.get(page.compression, size) * file_size:
        raise ImageError(f"damaged: {size:,} bytes of pixels cannot be in {file_size:,} bytes")
    if page.tiled:
        _check_tile(page)


def _check_tile(page: TiffPage) -> None:
    height, width = page.part
    if not height or not width:
        raise ImageError("damaged: tiles without width or height")
    needed = (-(-page.height // 16) * 16) * (-(-page.width // 16) * 16)
    if height * width > max(needed, SMALL):
        raise ImageError(f"damaged: tiles of {width:,} x {height:,} pixels, larger than the image")


def check_padding(page: TiffPage, max_pixels: int) -> None:
    """ImageError for tiles that hold more than `max_pixels` together, parts outside included."""
    height, width = page.padded_size
    if page.supported and height * width > max(max_pixels, SMALL):
        raise ImageError(
            f"its tiles have {height * width:,} pixels, more than {max_pixels:,}; store it with "
            "smaller tiles, or raise --max-pixels"
        )


def read_rows(page: TiffPage, top: int, bottom: int) -> Image:
    """Rows of a page that is `supported`, as they are stored, without metadata.

    Nothing is read but the strips or tiles that they lie in.
    """
    planes = [_read_plane(page, plane, top, bottom) for plane in range(page.planes)]
    samples = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)
    samples = samples[..., : COLORS.get(page.photometric, 1) + page.alpha]
    if page.photometric == WHITE_IS_ZERO:
        samples[..., :1] = ~samples[..., :1]
    image = Image.from_samples(np.ascontiguousarray(samples))
    premultiplied = page.alpha and page.ifd.integer(Tag.ExtraSamples) == PREMULTIPLIED
    return _divide_by_alpha(image) if premultiplied else image


def _read_plane(page: TiffPage, plane: int, top: int, bottom: int) -> Pixels:
    """(bottom - top, W, channels of the plane)."""
    channels = page.channels // page.planes
    part_height = page.part[0]
    first, last = top // part_height, -(-bottom // part_height)
    height = min(last * part_height, page.height) - first * part_height
    file = _gray_file(page, height, channels, _read_parts(page, plane, first, last))
    with TiffImageFile(io.BytesIO(file)) as opened:  # not PIL.Image.open, which counts pixels
        raw = np.asarray(opened)
    stored = raw.view(f"{page.ifd.order}u{page.bits // 8}")
    stored = stored.reshape(height, page.width, channels)[top - first * part_height :]
    samples = stored[: bottom - top].astype(f"u{page.bits // 8}")
    return _undo_predictor(samples, page) if page.ifd.integer(Tag.Predictor, 1) == 2 else samples


def _read_parts(page: TiffPage, plane: int, first: int, last: int) -> list[bytes]:
    """The strips, or rows of tiles, first .. last of a plane.

    Deflate is decompressed here, as libtiff prints its errors.
    """
    offsets, lengths = page.parts()
    structure, (height, width) = page.ifd.structure, page.part
    if sum(lengths) > 2 * len(lengths) + structure.size:
        raise ValueError("strips that overlap")
    count, across = len(offsets) // page.planes, -(-page.width // width)
    own = slice(plane * count + first * across, plane * count + min(last * across, count))
    parts = [
        structure.read_available(*each) for each in zip(offsets[own], lengths[own], strict=True)
    ]
    if page.compression not in DEFLATE:
        return parts
    limit = height * width * (page.channels // page.planes) * page.bits // 8
    return [zlib.decompressobj().decompress(part, limit) for part in parts]


def _gray_file(page: TiffPage, height: int, channels: int, parts: list[bytes]) -> bytes:
    """A TIFF file of an 8-bit gray image whose rows have the same bytes."""
    pixel_bytes = channels * page.bits // 8
    values: dict[int, Any] = {
        Tag.ImageWidth: page.width * pixel_bytes,
        Tag.ImageLength: height,
        Tag.BitsPerSample: 8,
        Tag.Compression: UNCOMPRESSED if page.compression in DEFLATE else page.compression,
        Tag.PhotometricInterpretation: BLACK_IS_ZERO,
        Tag.FillOrder: page.ifd.integer(Tag.FillOrder, 1),
        Tag.SamplesPerPixel: 1,
    }
    rows, columns = page.part
    if page.tiled:
        values |= {Tag.TileWidth: columns * pixel_bytes, Tag.TileLength: rows}
    else:
        values[Tag.RowsPerStrip] = rows
    ends = np.cumsum([8, *(len(part) for part in parts)])
    values |= zip(TILES if page.tiled else STRIPS, (ends[:-1], np.diff(ends)), strict=True)
    tags = {tag: TagValue(LONG, np.array(v, "<u4").tobytes()) for tag, v in values.items()}
    offset = int(ends[-1]) + int(ends[-1]) % 2
    data = b"".join(parts).ljust(offset - 8, b"\0")
    return tiff_header("<", offset) + data + build_ifd(tags, "<", offset)


def _undo_predictor(differences: Pixels, page: TiffPage) -> Pixels:
    """Horizontal differencing, which begins anew in each tile."""
    width = page.part[1]
    for left in range(0, page.width, width):
        part = differences[:, left : left + width]
        np.cumsum(part, axis=1, dtype=differences.dtype, out=part)
    return differences


def _divide_by_alpha(image: Image) -> Image:
    assert image.alpha is not None
    white, pixels = 2**image.depth - 1, np.empty_like(image.pixels)
    for rows in row_bands(pixels):
        alpha = image.alpha[rows, :, None].astype(np.float64)
        divided = np.where(alpha > 0, image.pixels[rows] * float(white) / np.maximum(alpha, 1), 0)
        pixels[rows] = np.minimum(np.rint(divided), white)
    return Image(pixels, image.alpha)

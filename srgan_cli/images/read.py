"""A file -> its header, an upright Image or ImageSequence, or a LazyImage of a large TIFF."""

import io
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL.Image

from srgan_cli.errors import ImageError
from srgan_cli.files import open_regular
from srgan_cli.images.codec_errors import check_pixels, read_errors
from srgan_cli.images.codecs import pillow_read, tiff_read
from srgan_cli.images.codecs.plugins import develop_raw, is_raw, raw_size, read_jxl_header
from srgan_cli.images.codecs.tiff_read import TiffPage
from srgan_cli.images.exif import exif_from_page, read_orientation, valid_exif
from srgan_cli.images.formats import NO_DEEP_ANIMATION, ImageProperties
from srgan_cli.images.image import (
    AnyImage,
    Image,
    ImageSequence,
    LazyImage,
    Pixels,
    blank,
    to_uint16,
)
from srgan_cli.images.image_metadata import add_metadata, add_page_metadata
from srgan_cli.images.tiff_tags import TiffStructure, check_sub_ifds
from srgan_cli.settings import MAX_PIXELS

LARGE = 1 << 26
"""Bytes of samples beyond which an image is not decoded at once, if its format permits."""

MAX_PART_BYTES = 1 << 24
"""Largest strip, or row of tiles: with larger ones, reading by parts saves no memory."""


FORMAT_OF_PILLOW = {"PPM": "pnm", "MPO": "jpeg", "DIB": "bmp"}
"""Pillow's name of a format -> ours, where that is not the same in lower case."""


@dataclass(frozen=True, kw_only=True)
class Header(ImageProperties):
    """What a file states about its image. format: of FORMAT_NAMES, or "raw"."""

    format: str


def read_header(path: Path, *, max_pixels: int = MAX_PIXELS) -> Header:
    """Decodes nothing. ImageError if it is no image, as far as its beginning tells.

    `max_pixels` limits a single frame of what Pillow opens, which is neither TIFF nor raw.
    """
    with read_errors(path, max_pixels), open_regular(path) as file:
        if is_raw(file, path.name):
            return Header(*raw_size(file), 16, alpha=False, format="raw")
        if file.read(4) in tiff_read.MAGIC:
            return _tiff_header(tiff_read.parse_pages(TiffStructure(file)))
        with pillow_read.open_pillow(file, path.name, max_pixels) as opened:
            return _pillow_header(opened, file)


def _tiff_header(pages: list[TiffPage]) -> Header:
    page = pages[0]
    size = _rotated_size(page.height, page.width, page.orientation)
    return Header(*size, page.depth, alpha=page.alpha, frames=len(pages), format="tiff")


def _pillow_header(opened: PIL.Image.Image, file: BinaryIO) -> Header:
    frames, format = len(pillow_read.frames_of(opened)), str(opened.format)
    exif = valid_exif(pillow_read.header_exif(opened, file))
    orientation = 1 if format == "JXL" else read_orientation(exif, opened.info.get("xmp"))
    return Header(
        *_rotated_size(opened.height, opened.width, orientation),
        pillow_read.depth_of(opened, pillow_read.read_head(file)),
        alpha="transparency" in opened.info or opened.mode in pillow_read.ALPHA_MODES,
        frames=frames,
        animated=frames > 1,
        format=FORMAT_OF_PILLOW.get(format, format.lower()),
    )


def _rotated_size(height: int, width: int, orientation: int) -> tuple[int, int]:
    return (width, height) if orientation >= 5 else (height, width)


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> Image:
    """The image, or the first frame or page of it.

    ImageError, of one line that names the file, if it cannot be read or has more pixels.
    """
    image = _read_path(path, max_pixels, first_only=True)
    return image.images[0] if isinstance(image, ImageSequence) else image


def read_frames(path: Path, *, max_pixels: int = MAX_PIXELS) -> AnyImage:
    """Read all frames of an animation, composited, or all pages; `max_pixels` counts them all."""
    return _read_path(path, max_pixels, first_only=False)


def read_bytes(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> AnyImage:
    """Like `read_frames`, for a file's content. name: for messages; "-" is standard input."""
    with read_errors(name, max_pixels):
        return _read(_Source(io.BytesIO(data), name, max_pixels, first_only=False))


def _read_path(path: Path, max_pixels: int, first_only: bool) -> AnyImage:
    with read_errors(path, max_pixels), open_regular(path) as file:
        return _read(_Source(file, path.name, max_pixels, first_only))


@dataclass(frozen=True)
class _Source:
    file: BinaryIO
    name: str
    max_pixels: int
    first_only: bool


def _read(source: _Source) -> AnyImage:
    if is_raw(source.file, source.name):
        return _read_raw(source)
    is_tiff = source.file.read(4) in tiff_read.MAGIC
    return _read_tiff(source) if is_tiff else _read_with_pillow(source)


def _read_raw(source: _Source) -> Image:
    height, width = raw_size(source.file)
    check_pixels(height * width, 1, source.max_pixels)
    image = develop_raw(source.file)
    source.file.seek(0)
    if source.file.read(4) not in tiff_read.MAGIC:
        return image
    exif = exif_from_page(TiffStructure(source.file).first_ifd())
    return add_metadata(image, {"exif": exif}, orientation=1)


def _read_with_pillow(source: _Source) -> AnyImage:
    head = pillow_read.read_head(source.file)
    with pillow_read.open_pillow(source.file, source.name, source.max_pixels) as opened:
        numbers = pillow_read.frames_of(opened)[: 1 if source.first_only else None]
        pixels = opened.width * opened.height * len(numbers)
        check_pixels(pixels, len(numbers), source.max_pixels)
        if len(numbers) > 1 and pillow_read.depth_of(opened, head) > 8:
            raise ImageError(f"animations of 16 bits are not supported; {NO_DEEP_ANIMATION}")
        images, durations = [], []
        for number in numbers:
            if number:
                opened.seek(number)
            images.append(pillow_read.decode_stored(opened, source.file, head))
            durations.append(round(float(opened.info.get("duration", 0))))
        info = pillow_read.read_info(opened, source.file)
        if opened.format == "JXL":
            images = [_with_jxl_note(image, source.file) for image in images]
        orientation = 1 if opened.format == "JXL" else None  # rotated when it was decoded
        frames = [add_metadata(image, info, orientation) for image in _same_channels(images)]
        if len(frames) == 1:
            return frames[0]
        return ImageSequence(tuple(frames), tuple(durations), pillow_read.loop_of(opened))


def _with_jxl_note(image: Image, file: BinaryIO) -> Image:
    bits = read_jxl_header(file).bits
    if bits <= image.depth:
        return image
    return image.with_note(
        f"its {bits} bits per sample are read as 8: pillow-jxl-plugin decodes no more"
    )


def _same_channels(images: list[Image]) -> list[Image]:
    """Frames all in RGB if one of them is, with alpha if one of them has it."""
    colors = max(image.pixels.shape[2] for image in images)
    has_alpha = any(image.alpha is not None for image in images)
    return [_with_channels(image, colors, has_alpha) for image in images]


def _with_channels(image: Image, colors: int, has_alpha: bool) -> Image:
    pixels, alpha = image.pixels, image.alpha
    if pixels.shape[2] < colors:
        pixels = np.repeat(pixels, colors, axis=2)
    if alpha is None and has_alpha:
        alpha = np.full(pixels.shape[:2], np.iinfo(pixels.dtype).max, pixels.dtype)
    return replace(image, pixels=pixels, alpha=alpha)


def _read_tiff(source: _Source) -> AnyImage:
    pages = tiff_read.parse_pages(TiffStructure(source.file))
    pages = pages[:1] if source.first_only else pages
    pixels = sum(page.width * page.height for page in pages)
    check_pixels(pixels, len(pages), source.max_pixels)
    for page in pages:
        tiff_read.check_padding(page, source.max_pixels)
    with ExitStack() as stack:  # opened once: to open it for each page takes quadratic time

        @cache
        def opened() -> PIL.Image.Image:
            opening = pillow_read.open_pillow(source.file, source.name, source.max_pixels)
            return stack.enter_context(opening)

        images = tuple(_read_page(page, opened) for page in pages)
    return ImageSequence(images) if images[1:] else images[0]


def _read_page(page: TiffPage, opened: Callable[[], PIL.Image.Image]) -> Image:
    if page.supported:
        image = tiff_read.read_rows(page, 0, page.height)
        return add_page_metadata(image, page.ifd, page.orientation)
    check_sub_ifds(page.ifd)  # Pillow follows all of it
    opened().seek(page.index)
    opened().load()  # Pillow rotates TIFF on its own
    image = pillow_read.decode(opened())
    if page.bits == 12:
        image = replace(image, pixels=to_uint16(image.pixels, 4095))
    if page.bits > image.depth:
        image = image.with_note(
            f"its {page.bits} bits per sample are read as 8: only gray and RGB of 16 are"
        )
    return add_page_metadata(image, page.ifd, orientation=1)


def open_lazy(path: Path, *, large: int = LARGE) -> LazyImage | None:
    """An image that can be read by parts; None for any other, and one of at most `large` bytes.

    ImageError as `read_image`; the number of pixels is not limited.
    """
    with read_errors(path), open_regular(path) as file:
        if is_raw(file, path.name) or file.read(4) not in tiff_read.MAGIC:
            return None
        page, *others = tiff_read.parse_pages(TiffStructure(file), low_strips=True)
        if others or not _has_parts(page) or page.height * page.row_bytes <= large:
            return None
        colors = tiff_read.COLORS.get(page.photometric, 1)
        image = blank(page.height, page.width, colors, f"u{page.bits // 8}")
        image = add_page_metadata(image, page.ifd, orientation=1)
        return LazyImage(image, _row_reader(path, _file_state(file)))


def _has_parts(page: TiffPage) -> bool:
    """Upright, and without alpha, whose transparent pixels need the whole image."""
    small = page.part_bytes <= MAX_PART_BYTES
    return page.supported and not page.alpha and page.orientation == 1 and small


def _row_reader(path: Path, state: object) -> Callable[[int, int], Pixels]:
    """state: of the file when it was opened first, by `_file_state`."""

    def read_rows(top: int, bottom: int) -> Pixels:
        with read_errors(path), open_regular(path) as file:
            _check_state(file, state)
            (page,) = tiff_read.parse_pages(TiffStructure(file), low_strips=True)
            pixels = tiff_read.read_rows(page, top, bottom).pixels
            _check_state(file, state)
        return pixels

    return read_rows


def _check_state(file: BinaryIO, state: object) -> None:
    if _file_state(file) != state:
        raise ImageError("has changed while it was read; run the command again")


def _file_state(file: BinaryIO) -> object:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

"""A file -> an upright Image or ImageSequence, with its metadata."""

import io
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image as Pillow

from srgan_cli.errors import ImageError
from srgan_cli.files import open_regular
from srgan_cli.images import exif as metadata
from srgan_cli.images.codec_errors import reading
from srgan_cli.images.codecs import jpeg2000 as jp2
from srgan_cli.images.codecs import opencv16 as deep
from srgan_cli.images.codecs import pnm, tiff_read
from srgan_cli.images.codecs.heif import deep_heif
from srgan_cli.images.codecs.jxl import read_jxl_header, read_jxl_xmp
from srgan_cli.images.codecs.raw import is_raw, raw_image, raw_size
from srgan_cli.images.codecs.tiff_read import TiffPage
from srgan_cli.images.decode import decoded, finished
from srgan_cli.images.formats import NO_DEEP_ANIMATION
from srgan_cli.images.header import (
    depth_of,
    frames_of,
    head_of,
    is_deep,
    opening,
    refuse_more,
)
from srgan_cli.images.image import (
    AnyImage,
    Image,
    ImageSequence,
    LazyImage,
    Pixels,
    blank,
    to_uint16,
)
from srgan_cli.images.iptc import PNG_KEYWORD, find_iptc
from srgan_cli.images.tiff_tags import IFD, TiffStructure, check_sub_ifds
from srgan_cli.settings import MAX_PIXELS

LEGACY_EXIF = ("Raw profile type exif", "Raw profile type APP1")  # texts of old PNG files

LARGE = 1 << 26
"""Bytes of samples beyond which a picture is not decoded at once, if its format permits."""

MAX_PART_BYTES = 1 << 24
"""Bytes of a strip, or of a row of tiles, beyond which nothing is won."""


def read_image(path: Path, *, max_pixels: int = MAX_PIXELS) -> Image:
    """The picture, or the first frame or page of it.

    ImageError, of one line that names the file, if it cannot be read or has more pixels.
    """
    picture = _opened(path, max_pixels, first_only=True)
    return picture.images[0] if isinstance(picture, ImageSequence) else picture


def read_frames(path: Path, *, max_pixels: int = MAX_PIXELS) -> AnyImage:
    """All frames of an animation, composited, or all pages; `max_pixels` counts them all."""
    return _opened(path, max_pixels, first_only=False)


def read_bytes(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> AnyImage:
    """As `read_frames`. name: for messages; "-" for standard input."""
    with reading(name, max_pixels):
        return _all(_Source(io.BytesIO(data), name, max_pixels, first_only=False))


def _opened(path: Path, max_pixels: int, first_only: bool) -> AnyImage:
    with reading(path, max_pixels), open_regular(path) as file:
        return _all(_Source(file, path.name, max_pixels, first_only))


@dataclass(frozen=True)
class _Source:
    file: BinaryIO
    name: str
    max_pixels: int
    first_only: bool

    @property
    def data(self) -> bytes:
        self.file.seek(0)
        return self.file.read()


def _all(source: _Source) -> AnyImage:
    if is_raw(source.file, source.name):
        return _developed(source)
    return _pages(source) if source.file.read(4) in tiff_read.MAGIC else _frames(source)


def _developed(source: _Source) -> Image:
    height, width = raw_size(source.file)
    refuse_more(height * width, 1, source.max_pixels)
    image = raw_image(source.file)
    source.file.seek(0)
    if source.file.read(4) not in tiff_read.MAGIC:
        return image
    ifd = TiffStructure(source.file).first_ifd()
    return finished(image, {}, metadata.exif_from_page(ifd), 1)


def _frames(source: _Source) -> AnyImage:
    head = head_of(source.file)
    with opening(source.file, source.name, source.max_pixels) as opened:
        numbers = frames_of(opened)[:1] if source.first_only else frames_of(opened)
        pixels = opened.width * opened.height * len(numbers)
        refuse_more(pixels, len(numbers), source.max_pixels)
        if len(numbers) > 1 and depth_of(opened, head) > 8:
            raise ImageError(f"animations of 16 bits are not supported; {NO_DEEP_ANIMATION}")
        if is_deep(opened, head):
            return _deep(source, opened)
        images, durations = [], []
        for number in numbers:
            images.append(_frame(opened, number))
            durations.append(round(float(opened.info.get("duration", 0))))
        frames = _finished(source, opened, alike(images))
        if len(frames) == 1:
            return frames[0]
        return ImageSequence(frames, tuple(durations), _loop(opened))


def _frame(opened: Pillow.Image, number: int) -> Image:
    if number:
        opened.seek(number)
    opened.load()
    return decoded(opened)


def _deep(source: _Source, opened: Pillow.Image) -> Image:
    opened.load()  # checks the whole file and finds the metadata at its end
    data, profile = source.data, opened.info.get("icc_profile")
    if opened.format == "PPM":
        return pnm.deep_image(data)
    if opened.format == "HEIF":
        image = replace(deep_heif(data, int(opened.info["bit_depth"])), icc_profile=profile)
        return _finished(source, opened, (image,))[0]
    image = replace(deep.deep_image(str(opened.format), data), icc_profile=profile)
    return _finished(source, opened, (image,))[0]


def _finished(
    source: _Source, opened: Pillow.Image, images: tuple[Image, ...]
) -> tuple[Image, ...]:
    """With the metadata, which hold for all frames. When all are loaded: some come last."""
    info: dict[str, Any] = {str(key): value for key, value in opened.info.items()}
    if opened.format == "PNG":
        info["text"] = getattr(opened, "text", {})
    elif opened.format == "JPEG2000":
        info |= jp2.described(source.data)
        images = tuple(replace(image, icc_profile=info.get("icc_profile")) for image in images)
    if PNG_KEYWORD in info:
        info["iptc"] = find_iptc(_from_hex(info[PNG_KEYWORD]) or b"")
    turn = None
    if opened.format == "JXL":  # turned when it was decoded
        turn = 1
        info["xmp"] = read_jxl_xmp(source.file)
        images = _jxl_remarks(source, images)
    legacy = next((_from_hex(info[key]) for key in LEGACY_EXIF if key in info), None)
    return tuple(finished(image, info, info.get("exif") or legacy, turn) for image in images)


def _jxl_remarks(source: _Source, images: tuple[Image, ...]) -> tuple[Image, ...]:
    bits = read_jxl_header(source.file).bits
    if bits <= images[0].depth:
        return images
    remark = f"its {bits} bits per sample are read as 8: pillow-jxl-plugin decodes no more"
    return tuple(replace(image, notes=(*image.notes, remark)) for image in images)


def _from_hex(text: str) -> bytes | None:
    """Metadata as ImageMagick writes those that PNG has no chunk for: three lines, then digits."""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return None


def _loop(opened: Pillow.Image) -> int:
    """How often it is played, 0 for endless. GIF counts the repetitions after the first time."""
    loop = opened.info.get("loop")
    if opened.format != "GIF":
        return int(loop or 0)
    return 1 if loop is None else int(loop) and int(loop) + 1


def alike(images: list[Image]) -> tuple[Image, ...]:
    """Frames of one kind: RGB if one of them is, with alpha if one of them has it."""
    colours = max(image.pixels.shape[2] for image in images)
    clear = any(image.alpha is not None for image in images)
    return tuple(_extended(image, colours, clear) for image in images)


def _extended(image: Image, colours: int, clear: bool) -> Image:
    pixels, alpha = image.pixels, image.alpha
    if pixels.shape[2] < colours:
        pixels = np.repeat(pixels, colours, axis=2)
    if alpha is None and clear:
        alpha = np.full(pixels.shape[:2], np.iinfo(pixels.dtype).max, pixels.dtype)
    return replace(image, pixels=pixels, alpha=alpha)


def _pages(source: _Source) -> AnyImage:
    pages = tiff_read.parse_pages(TiffStructure(source.file))
    pages = pages[:1] if source.first_only else pages
    refuse_more(sum(page.width * page.height for page in pages), len(pages), source.max_pixels)
    with ExitStack() as stack:  # opened once: to open it for each page takes quadratic time
        opened = cache(
            lambda: stack.enter_context(opening(source.file, source.name, source.max_pixels))
        )
        images = tuple(_page(page, opened) for page in pages)
    return ImageSequence(images) if images[1:] else images[0]


def _page(page: TiffPage, opened_by_pillow: Callable[[], Pillow.Image]) -> Image:
    info = tiff_read.page_info(page.ifd)
    if page.supported:
        image, turn = tiff_read.read_page(page), page.orientation
    else:
        check_sub_ifds(page.ifd)  # Pillow follows all of it
        opened = opened_by_pillow()
        opened.seek(page.index)
        opened.load()  # Pillow turns TIFF upright on its own
        image, turn = decoded(opened), 1
    if page.bits == 12:
        image = replace(image, pixels=to_uint16(image.pixels, 4095))
    profile = image.icc_profile or info.get("icc_profile")
    return _finished_page(replace(image, icc_profile=profile), page.ifd, info, turn)


def _finished_page(image: Image, ifd: IFD, info: dict[str, Any], turn: int) -> Image:
    notes = (metadata.DAMAGED,) if metadata.is_page_damaged(ifd) else ()
    image = replace(image, notes=image.notes + notes)
    return finished(image, info, metadata.exif_from_page(ifd), turn)


def open_lazy(path: Path, *, large: int = LARGE) -> LazyImage | None:
    """An image that can be read by parts; None for any other, and one of at most `large` bytes.

    ImageError as `read_image`; the number of pixels is not limited.
    """
    with reading(path), open_regular(path) as file:
        if is_raw(file, path.name) or file.read(4) not in tiff_read.MAGIC:
            return None
        pages = tiff_read.parse_pages(TiffStructure(file), low_strips=True)
        page = pages[0]
        if len(pages) > 1 or not _in_parts(page) or page.height * page.row_bytes <= large:
            return None
        return LazyImage(_header_image(page), _row_reader(path, _state(file)))


def _in_parts(page: TiffPage) -> bool:
    """Upright, and without alpha: what is hidden must be seen whole."""
    low = page.row_bytes * page.part[0] <= MAX_PART_BYTES
    return page.supported and not page.alpha and page.orientation == 1 and low


def _header_image(page: TiffPage) -> Image:
    colors = tiff_read.COLORS.get(page.photometric, 1)
    info = tiff_read.page_info(page.ifd)
    image = blank(page.height, page.width, colors, f"u{page.bits // 8}")
    return _finished_page(replace(image, icc_profile=info.get("icc_profile")), page.ifd, info, 1)


def _row_reader(path: Path, state: object) -> Callable[[int, int], Pixels]:
    """state: of the file when it was opened first, by `_state`."""

    def read_rows(top: int, bottom: int) -> Pixels:
        with reading(path), open_regular(path) as file:
            _require_state(file, state)
            (page,) = tiff_read.parse_pages(TiffStructure(file), low_strips=True)
            pixels = tiff_read.read_rows(page, top, bottom).pixels
            _require_state(file, state)
        return pixels

    return read_rows


def _require_state(file: BinaryIO, state: object) -> None:
    if _state(file) != state:
        raise ImageError("has changed while it was read; run the command again")


def _state(file: BinaryIO) -> object:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

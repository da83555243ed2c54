"""Pictures whose samples stay in their file, and are read when they are asked for."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from srgan_cli.errors import ImageError
from srgan_cli.files import open_regular
from srgan_cli.images import exif as metadata
from srgan_cli.images.codec_errors import reading
from srgan_cli.images.codecs import tiff_read
from srgan_cli.images.codecs.raw import is_raw
from srgan_cli.images.codecs.tiff_read import Page
from srgan_cli.images.decode import finished
from srgan_cli.images.image import Image, Pixels, blank
from srgan_cli.images.tiff_tags import Block

LARGE = 1 << 26
"""Bytes of samples beyond which a picture is not decoded at once, if its format permits."""

HIGHEST = 1 << 24
"""Bytes of a strip, or of a row of tiles, beyond which nothing is won."""


@dataclass(frozen=True, eq=False)
class LazyImage:
    """image: all but the samples, which are zero. rows: the samples of the rows top .. bottom."""

    image: Image
    rows: Callable[[int, int], Pixels]


def open_lazy(path: Path, *, large: int = LARGE) -> LazyImage | None:
    """A picture that can be read by parts; None for any other, and one of at most `large` bytes.

    ImageError as `read_image`; the number of pixels is not limited.
    """
    with reading(path), open_regular(path) as file:
        if is_raw(file, path.name) or file.read(4) not in tiff_read.MAGIC:
            return None
        block = Block(file)
        pages = tiff_read.pages(block)
        page = tiff_read.with_low_strips(pages[0])
        if len(pages) > 1 or not _in_parts(page) or page.height * page.row <= large:
            return None
        return LazyImage(_described(block, page), _reader(path, page, _state(file)))


def _in_parts(page: Page) -> bool:
    """Upright, and without alpha: what is hidden must be seen whole."""
    upright = tiff_read.turn(page) == 1
    return page.ours and not page.alpha and upright and page.row * page.piece[0] <= HIGHEST


def _described(block: Block, page: Page) -> Image:
    colours = 3 if page.photometric == tiff_read.RGB else 1
    info = tiff_read.info(page)
    empty = blank(page.height, page.width, colours, f"u{page.bits // 8}")
    remarks = (metadata.DAMAGED,) if metadata.has_damage(block, page.directory) else ()
    image = replace(empty, icc_profile=info.get("icc_profile"), remarks=remarks)
    return finished(image, info, metadata.exif_of(block, page.directory), 1)


def _reader(path: Path, page: Page, state: object) -> Callable[[int, int], Pixels]:
    """state: of the file when it was opened first, by `_state`."""

    def rows(top: int, bottom: int) -> Pixels:
        with reading(path), open_regular(path) as file:
            if _state(file) != state:
                raise ImageError("has changed while it was read; run the command again")
            block = Block(file)
            current = replace(page, directory=page.directory.reopened(block))
            return tiff_read.rows_of(block, current, top, bottom).pixels

    return rows


def _state(file: BinaryIO) -> object:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

"""Rows in, rows out: what the upscaler reads from and writes to."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np

from srgan_cli.images.image import Image
from srgan_cli.images.lazy import LazyImage

PORTION = 1 << 22
"""Samples that are handled at once where any number would do."""


class RowSource(Protocol):
    """A picture whose rows can be asked for in any order; asking upwards again may cost."""

    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def channels(self) -> int:
        """1 to 4: gray or RGB, then alpha where there is one."""

    @property
    def depth(self) -> np.dtype:
        """uint8 or uint16."""

    @property
    def gray(self) -> bool:
        """Whether red, green and blue are equal everywhere."""

    def rows(self, top: int, bottom: int) -> np.ndarray:
        """(bottom - top, W, C): gray or RGB, then alpha where there is one: C is 1 to 4."""


class RowSink(Protocol):
    """Takes the rows of a picture from top to bottom."""

    def write(self, rows: np.ndarray) -> None:
        """(n, W, C), with as many channels as the source has."""


class ImageSource:
    """A whole picture in memory."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.height, self.width = image.height, image.width
        self.channels = image.channels
        self.depth = image.pixels.dtype

    @cached_property
    def gray(self) -> bool:
        return is_gray(self)

    def rows(self, top: int, bottom: int) -> np.ndarray:
        pixels = self.image.pixels[top:bottom]
        if self.image.alpha is None:
            return pixels
        return np.dstack([pixels, self.image.alpha[top:bottom]])


class StoredSource:
    """A picture in its file. What was asked for last is kept: neighbouring tiles want the same."""

    def __init__(self, stored: LazyImage) -> None:
        image = stored.image
        self.height, self.width, self.channels = image.height, image.width, image.channels
        self.depth = image.pixels.dtype
        self._rows = lru_cache(maxsize=1)(stored.rows)

    @cached_property
    def gray(self) -> bool:
        return is_gray(self)

    def rows(self, top: int, bottom: int) -> np.ndarray:
        return self._rows(top, bottom)


class ImageSink:
    """Gathers a whole picture in memory."""

    def __init__(self, height: int, width: int, channels: int, depth: np.dtype) -> None:
        self.layers = np.empty((height, width, channels), depth)
        self.filled = 0

    def write(self, rows: np.ndarray) -> None:
        self.layers[self.filled : self.filled + len(rows)] = rows
        self.filled += len(rows)

    def image(self, like: Image) -> Image:
        """With the metadata of `like`, whose kind it has."""
        colours = like.pixels.shape[2]
        alpha = None if like.alpha is None else self.layers[..., colours]
        return replace(like, pixels=self.layers[..., :colours], alpha=alpha)


def copy(source: RowSource, sink: RowSink, tell: Callable[[int, int], None] | None = None) -> None:
    """tell: is told how many rows are done, and of how many."""
    for top, bottom in portions(source):
        sink.write(source.rows(top, bottom))
        if tell is not None:
            tell(bottom, source.height)


def is_gray(source: RowSource) -> bool:
    """Looks at rows until one has a colour."""
    if source.channels <= 2:
        return True
    return all(
        bool((rows[..., 1:3] == rows[..., :1]).all())
        for rows in (source.rows(*span) for span in portions(source))
    )


def portions(source: RowSource) -> Iterator[tuple[int, int]]:
    """Rows from top to bottom, in numbers that memory surely has room for."""
    step = max(1, PORTION // (source.width * source.channels))
    for top in range(0, source.height, step):
        yield top, min(top + step, source.height)

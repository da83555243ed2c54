"""Rows in, rows out: what the upscaler reads from and writes to."""

from functools import cached_property
from typing import Protocol

import numpy as np

from srgan_cli.images.value import Image


class RowSource(Protocol):
    """A picture whose rows can be asked for in any order; asking upwards again may cost."""

    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
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
        self.depth = image.pixels.dtype

    @cached_property
    def gray(self) -> bool:
        first = self.image.pixels[..., :1]
        return bool(
            np.array_equal(np.broadcast_to(first, self.image.pixels.shape), self.image.pixels)
        )

    def rows(self, top: int, bottom: int) -> np.ndarray:
        pixels = self.image.pixels[top:bottom]
        if self.image.alpha is None:
            return pixels
        return np.dstack([pixels, self.image.alpha[top:bottom]])


class ImageSink:
    """Gathers a whole picture in memory."""

    def __init__(self, height: int, width: int, channels: int, depth: np.dtype) -> None:
        self.layers = np.empty((height, width, channels), depth)
        self.filled = 0

    def write(self, rows: np.ndarray) -> None:
        self.layers[self.filled : self.filled + len(rows)] = rows
        self.filled += len(rows)

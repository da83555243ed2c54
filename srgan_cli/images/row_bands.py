"""Rows that arrive in any portions, given on in portions that depend on the picture alone.

So a file written as it is computed has the bytes of one that was written at once.
"""

from collections.abc import Iterator

import numpy as np

from srgan_cli.images.image import Image, Pixels

PORTION = 1 << 24  # bytes of samples that are put together at once


class Bands:
    """rows: of every portion but the last, which ends with the picture at `height`."""

    def __init__(self, rows: int, height: int) -> None:
        self.rows = rows
        self.left = height
        """Rows that have not been given on."""
        self._waiting: list[Pixels] = []
        self._count = 0

    def add(self, rows: Pixels) -> Iterator[Pixels]:
        """The portions that `rows`, (n, W, C), complete."""
        start = 0
        while start < len(rows):
            wanted = min(self.rows, self.left) - self._count
            piece = rows[start : start + wanted]
            start += len(piece)
            if len(piece) == wanted:
                yield self._joined(piece)
            else:  # copied: whoever gave it may use its memory again
                self._waiting.append(piece.copy())
                self._count += len(piece)

    def _joined(self, piece: Pixels) -> Pixels:
        band = np.concatenate([*self._waiting, piece]) if self._waiting else piece
        self._waiting, self._count = [], 0
        self.left -= len(band)
        return band


def portions(image: Image) -> Iterator[Pixels]:
    """(n, W, C): the samples from top to bottom, alpha among them, not all at once."""
    rows = max(1, PORTION // (image.width * image.channels * image.pixels.itemsize))
    for top in range(0, image.height, rows):
        pixels = image.pixels[top : top + rows]
        if image.alpha is None:
            yield pixels
        else:
            yield np.dstack([pixels, image.alpha[top : top + rows]])

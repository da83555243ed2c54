"""Rows that arrive in any portions, regrouped into bands that depend on the image alone.

So a file written as it is computed has the bytes of one that was written at once.
"""

from collections.abc import Iterator

import numpy as np

from srgan_cli.images.image import Image, Pixels

BAND_BYTES = 1 << 24


class RowBands:
    """rows: of every band but the last, which ends with the image at `height`."""

    def __init__(self, rows: int, height: int) -> None:
        self.rows = rows
        self.left = height
        """Rows that are still to be yielded."""
        self._pending: list[Pixels] = []
        self._count = 0

    def add(self, rows: Pixels) -> Iterator[Pixels]:
        """The bands that `rows`, (n, W, C), complete."""
        start = 0
        while start < len(rows):
            wanted = min(self.rows, self.left) - self._count
            part = rows[start : start + wanted]
            start += len(part)
            if len(part) == wanted:
                yield self._complete(part)
            else:  # copied: the caller may reuse its memory
                self._pending.append(part.copy())
                self._count += len(part)

    def _complete(self, part: Pixels) -> Pixels:
        band = np.concatenate([*self._pending, part]) if self._pending else part
        self._pending, self._count = [], 0
        self.left -= len(band)
        return band


def split_rows(image: Image) -> Iterator[Pixels]:
    """(n, W, C): the samples from top to bottom, alpha among them, not all at once."""
    rows = max(1, BAND_BYTES // image.row_bytes)
    for top in range(0, image.height, rows):
        bottom = top + rows
        alpha = None if image.alpha is None else image.alpha[top:bottom]
        yield Image(image.pixels[top:bottom], alpha).array

"""Steps that look at some rows around each one, done while the rows come."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from srgan_cli.inference.streaming import RowSink
from srgan_cli.resample import Rows


class Step(Protocol):
    """What makes a picture of another, any band of rows by itself."""

    @property
    def height(self) -> int:
        """Of the result."""

    @property
    def band(self) -> int:
        """Rows of the result to make at once."""

    def seen(self, made: Rows) -> Rows:
        """What the rows `made` of the result need."""

    def rows(self, seen: np.ndarray, made: Rows) -> np.ndarray:
        """(n, W, C): the rows `made`, out of the rows that they need."""


class SlidingSink:
    """Keeps of a picture the rows that `step` still needs; the result's rows go to `sink`."""

    def __init__(self, step: Step, sink: RowSink) -> None:
        self._step, self._sink = step, sink
        self._bands = self._cut()
        self._next: Rows | None = next(self._bands)
        self._kept: list[np.ndarray] = []
        self._top = self._end = 0

    def write(self, rows: np.ndarray) -> None:
        self._kept.append(rows)
        self._end += len(rows)
        while self._next is not None:
            seen = self._step.seen(self._next)
            if seen.bottom > self._end:
                return
            self._sink.write(self._step.rows(self._held(seen), self._next))
            self._next = next(self._bands, None)

    def _cut(self) -> Iterator[Rows]:
        """The bands of the result. They do not depend on how the rows come."""
        height = self._step.height
        for top in range(0, height, self._step.band):
            yield Rows(top, min(top + self._step.band, height), height)

    def _held(self, seen: Rows) -> np.ndarray:
        """Those rows; the ones above are forgotten: the bands below need none of them."""
        whole = self._kept[0] if len(self._kept) == 1 else np.concatenate(self._kept)
        self._kept, self._top = [whole[seen.top - self._top :]], seen.top
        return self._kept[0][: seen.bottom - seen.top]

"""Images as streams of rows: sources, sinks, sliding windows of rows, and spooling to disk."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Protocol

import numpy as np

from srgan_cli.errors import ImageError
from srgan_cli.images.image import Image, LazyImage
from srgan_cli.resample import Rows

PORTION = 1 << 22
"""Samples that are handled at once where any number would do."""


class RowSource(Protocol):
    """An image whose rows can be asked for in any order; asking upwards again may cost."""

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
    """Takes the rows of an image from top to bottom."""

    def write(self, rows: np.ndarray) -> None:
        """(n, W, C), with as many channels as the source has."""


class ImageSource:
    """A whole image in memory."""

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
    """An image in its file. What was asked for last is kept: neighboring tiles want the same."""

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
    """Gathers a whole image in memory."""

    def __init__(self, height: int, width: int, channels: int, depth: np.dtype) -> None:
        self.layers = np.empty((height, width, channels), depth)
        self.filled = 0

    def write(self, rows: np.ndarray) -> None:
        self.layers[self.filled : self.filled + len(rows)] = rows
        self.filled += len(rows)

    def image(self, like: Image) -> Image:
        """With the metadata of `like`, whose kind it has."""
        colors = like.pixels.shape[2]
        alpha = None if like.alpha is None else self.layers[..., colors]
        return replace(like, pixels=self.layers[..., :colors], alpha=alpha)


def copy(
    source: RowSource, sink: RowSink, progress: Callable[[int, int], None] | None = None
) -> None:
    """progress: called with the number of rows done, and of all."""
    for top, bottom in portions(source):
        sink.write(source.rows(top, bottom))
        if progress is not None:
            progress(bottom, source.height)


def is_gray(source: RowSource) -> bool:
    """Looks at rows until one has a color."""
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


class Step(Protocol):
    """What makes an image of another, any band of rows by itself."""

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
    """Keeps of an image the rows that `step` still needs; the result's rows go to `sink`."""

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
            self._sink.write(self._step.rows(self._window(seen), self._next))
            self._next = next(self._bands, None)

    def _cut(self) -> Iterator[Rows]:
        """The bands of the result. They do not depend on how the rows come."""
        height = self._step.height
        for top in range(0, height, self._step.band):
            yield Rows(top, min(top + self._step.band, height), height)

    def _window(self, seen: Rows) -> np.ndarray:
        """Those rows; the ones above are forgotten: the bands below need none of them."""
        whole = self._kept[0] if len(self._kept) == 1 else np.concatenate(self._kept)
        self._kept, self._top = [whole[seen.top - self._top :]], seen.top
        return self._kept[0][: seen.bottom - seen.top]


MAX_IN_MEMORY = 1 << 26
"""Bytes of an image that is kept in memory; a larger one goes to a file without a name."""


class SpooledImage:
    """First takes all rows, then gives them. `with` it, so that its file goes.

    source: what it will hold `scale` times as large. folder: where the file lies; None is the
    system's folder for temporary files.
    """

    def __init__(self, source: RowSource, scale: int, folder: Path | None = None) -> None:
        self.height, self.width = source.height * scale, source.width * scale
        self.channels, self.depth, self.gray = source.channels, source.depth, source.gray
        parent = None if folder is None else str(folder)
        self._file = SpooledTemporaryFile(MAX_IN_MEMORY, dir=parent)  # noqa: SIM115 closed by __exit__
        self._rows = lru_cache(maxsize=1)(self._read)  # the tiles of a band all want the same

    def __enter__(self) -> "SpooledImage":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._rows.cache_clear()

    def write(self, rows: np.ndarray) -> None:
        try:
            self._file.write(np.ascontiguousarray(rows).data)
        except OSError as error:
            raise ImageError(
                "the picture between two passes cannot be stored beside the result "
                f"({error.strerror}): make room there, or take a smaller scale"
            ) from error

    def rows(self, top: int, bottom: int) -> np.ndarray:
        return self._rows(top, bottom)

    def _read(self, top: int, bottom: int) -> np.ndarray:
        row = self.width * self.channels * self.depth.itemsize
        self._file.seek(top * row)
        data = self._file.read((bottom - top) * row)
        return np.frombuffer(data, self.depth).reshape(-1, self.width, self.channels)

"""A picture on its way between two networks."""

from functools import lru_cache
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType

import numpy as np

from srgan_cli.errors import ImageError
from srgan_cli.inference.streaming import RowSource

HELD = 1 << 26
"""Bytes of a picture that is kept in memory; a larger one goes to a file without a name."""


class Spool:
    """First takes all rows, then gives them. `with` it, so that its file goes.

    source: what it will hold `scale` times as large. folder: where the file lies; None is the
    system's folder for temporary files.
    """

    def __init__(self, source: RowSource, scale: int, folder: Path | None = None) -> None:
        self.height, self.width = source.height * scale, source.width * scale
        self.channels, self.depth, self.gray = source.channels, source.depth, source.gray
        self._file = SpooledTemporaryFile(HELD, dir=None if folder is None else str(folder))  # noqa: SIM115 closed by __exit__
        self._rows = lru_cache(maxsize=1)(self._read)  # the tiles of a band all want the same

    def __enter__(self) -> "Spool":
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

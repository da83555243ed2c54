"""What codecs raise for broken files, translated in one place."""

import os
import struct
import sys
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import cv2
from PIL import Image as Pillow
from PIL import ImageFile, UnidentifiedImageError

from srgan_cli.errors import ImageError
from srgan_cli.files import printable

LARGER = (
    "raise --max-pixels of srgan upscale where there is memory for it (a TIFF without alpha is "
    "read by parts and has no limit)"
)
# What Pillow and OpenCV raise for damaged files, as their code and many mutated files show.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    cv2.error,
    KeyError,
    IndexError,
    OverflowError,
    TypeError,  # tags of another type than expected
    RuntimeError,  # libavif's
)


BOMBS = (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning)
EXPLAINED = {
    FileNotFoundError: "no such file",
    IsADirectoryError: "is a folder, not a picture",
    UnidentifiedImageError: "not a picture of a kind that can be read; convert it to PNG or TIFF",
    MemoryError: "needs more memory than there is",
}


@contextmanager
def reading(name: str | Path, max_pixels: int | None = None) -> Iterator[None]:
    """Faults of the file `name` become an ImageError of one line; codecs' warnings are silent.

    An ImageError of the body gets the name in front. max_pixels: what Pillow refuses to open,
    also inside of an ICO; None for its own limit.
    """
    try:
        if isinstance(name, Path) and name.is_fifo():  # would be empty when it is opened again
            raise ImageError("is a pipe; give - for the input and send the picture there")
        with _globals.changed(max_pixels):
            yield
    except (ImageError, MemoryError, *BOMBS, *BROKEN) as error:
        raise ImageError(f"{printable(name)}: {_explained(error, max_pixels)}") from error


def _explained(error: BaseException, max_pixels: int | None) -> str:
    if isinstance(error, ImageError):
        return str(error)
    if isinstance(error, BOMBS):
        limit = "Pillow's limit" if max_pixels is None else f"{max_pixels:,}"
        return f"its pixels are more than {limit}; {LARGER}"
    known = (text for kind, text in EXPLAINED.items() if isinstance(error, kind))
    return next(known, f"cannot be read ({_line(error)})")


@contextmanager
def encoding(format: str) -> Iterator[None]:
    """What an encoder refuses becomes an ImageError of one line."""
    try:
        with _globals.changed():
            yield
    except MemoryError as error:
        raise ImageError(f"{format}: encoding needs more memory than there is") from error
    except (OSError, ValueError, OverflowError, struct.error, cv2.error) as error:
        hint = "; --strip leaves out the metadata" if "too long" in str(error) else ""
        raise ImageError(f"cannot be encoded as {format} ({_line(error)}{hint})") from error


def _line(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    words = " ".join(text.split())
    return printable(words[:200]) if words else type(error).__name__


class _Globals:
    """Settings that all threads share: the first one in changes them, the last one restores them.

    These are Python's warning filters, Pillow's limits and OpenCV's log.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limits: list[int] = []
        self._restore = ExitStack()

    @contextmanager
    def changed(self, max_pixels: int | None = None) -> Iterator[None]:
        """max_pixels: Pillow's limit, the largest of those that threads want; None wants none."""
        limit = max_pixels or 0
        with self._lock:
            if not self._limits:
                self._restore.enter_context(_restored())
            self._limits.append(limit)
            self._apply()
        try:
            yield
        finally:
            with self._lock:
                self._limits.remove(limit)
                if self._limits:
                    self._apply()
                else:
                    self._restore.close()

    def _apply(self) -> None:
        if largest := max(self._limits):
            Pillow.MAX_IMAGE_PIXELS = largest


@contextmanager
def _restored() -> Iterator[None]:
    pixels, block = Pillow.MAX_IMAGE_PIXELS, ImageFile.MAXBLOCK
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the ImageError says it
    try:
        with _silent_libraries(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Pillow.DecompressionBombWarning)
            yield
    finally:
        Pillow.MAX_IMAGE_PIXELS, ImageFile.MAXBLOCK = pixels, block
        cv2.utils.logging.setLogLevel(level)


@contextmanager
def _silent_libraries() -> Iterator[None]:
    """What libtiff, libpng and others print to file descriptor 2 goes nowhere, as the errors say
    it; only in a program whose own stderr is another descriptor (`cli.console.split_stderr`)."""
    if sys.__stderr__ is None or sys.__stderr__.closed or sys.__stderr__.fileno() == 2:
        yield
        return
    before = os.dup(2)
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


_globals = _Globals()

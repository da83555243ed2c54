"""What codecs raise for broken or huge files, translated in one place."""

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
import PIL.Image
import PIL.ImageFile

from srgan_cli.errors import ImageError
from srgan_cli.files import printable

PIXEL_HINT = (
    "raise --max-pixels of srgan upscale where there is memory for it (a TIFF without alpha is "
    "read by parts and has no limit)"
)
DATA_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, cv2.error)
PARSER_ERRORS = (KeyError, IndexError, OverflowError, TypeError, RuntimeError)
"""What decoders raise, as the code of Pillow and OpenCV, and many mutated files, show."""

ENCODER_ERRORS = (OSError, ValueError, OverflowError, struct.error, cv2.error)
SIZE_ERRORS = (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning)
EXPLANATIONS = {
    FileNotFoundError: "no such file",
    IsADirectoryError: "is a folder, not an image",
    PIL.UnidentifiedImageError: "not an image of a kind that can be read; convert it to PNG or "
    "TIFF",
    MemoryError: "needs more memory than there is",
}


def check_pixels(pixels: int, frames: int, max_pixels: int) -> None:
    """ImageError for more than `max_pixels` in all frames or pages together."""
    if pixels > max_pixels:
        total = f"{pixels:,} pixels" + (f" in {frames} frames" if frames > 1 else "")
        raise ImageError(f"its {total} are more than {max_pixels:,}; {PIXEL_HINT}")


@contextmanager
def read_errors(name: str | Path, max_pixels: int | None = None) -> Iterator[None]:
    """Faults of the file `name` become an ImageError of one line; codecs' warnings are silent.

    An ImageError of the body gets the name in front. max_pixels: what Pillow refuses to open,
    also inside of an ICO; None for its own limit.
    """
    try:
        if isinstance(name, Path) and name.is_fifo():  # would be empty when it is opened again
            raise ImageError("is a pipe; give - for the input and send the image there")
        with _library_settings.change(max_pixels or 0):
            yield
    except (ImageError, MemoryError, *SIZE_ERRORS, *DATA_ERRORS, *PARSER_ERRORS) as error:
        raise ImageError(f"{printable(name)}: {_explain(error, max_pixels)}") from error


def _explain(error: BaseException, max_pixels: int | None) -> str:
    if isinstance(error, ImageError):
        return str(error)
    if isinstance(error, SIZE_ERRORS):
        limit = "Pillow's limit" if max_pixels is None else f"{max_pixels:,}"
        return f"its pixels are more than {limit}; {PIXEL_HINT}"
    known = (text for kind, text in EXPLANATIONS.items() if isinstance(error, kind))
    return next(known, f"cannot be read ({_one_line(error)})")


@contextmanager
def encode_errors(format: str) -> Iterator[None]:
    """Turn an encoder's exceptions into an ImageError of one line."""
    try:
        with _library_settings.change():
            yield
    except MemoryError as error:
        raise ImageError(f"{format}: encoding needs more memory than there is") from error
    except ENCODER_ERRORS as error:
        hint = "; --strip leaves out the metadata" if "too long" in str(error) else ""
        raise ImageError(f"cannot be encoded as {format} ({_one_line(error)}{hint})") from error


def _one_line(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    words = " ".join(text.split())
    return printable(words[:200]) if words else type(error).__name__


class _LibrarySettings:
    """Python's warning filters, Pillow's limits and OpenCV's log level, which all threads share:
    the first one in changes them, the last one restores them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limits: list[int] = []
        self._restore = ExitStack()

    @contextmanager
    def change(self, max_pixels: int = 0) -> Iterator[None]:
        """max_pixels: Pillow's limit, the largest that any thread has set; 0 sets none."""
        with self._lock:
            if not self._limits:
                self._restore.enter_context(_saved_settings())
            self._limits.append(max_pixels)
            self._set_limit()
        try:
            yield
        finally:
            with self._lock:
                self._limits.remove(max_pixels)
                self._set_limit()
                if not self._limits:
                    self._restore.close()

    def _set_limit(self) -> None:
        if largest := max(self._limits, default=0):
            PIL.Image.MAX_IMAGE_PIXELS = largest


@contextmanager
def _saved_settings() -> Iterator[None]:
    pixels, block = PIL.Image.MAX_IMAGE_PIXELS, PIL.ImageFile.MAXBLOCK
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the ImageError says it
    try:
        with _silent_libraries(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
            yield
    finally:
        PIL.Image.MAX_IMAGE_PIXELS, PIL.ImageFile.MAXBLOCK = pixels, block
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


_library_settings = _LibrarySettings()

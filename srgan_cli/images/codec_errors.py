"""What codecs raise for broken files, translated in one place."""

import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import cv2
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from srgan_cli.errors import ImageError
from srgan_cli.files import printable

# What OpenCV would print is in the ImageError.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

LARGER = "raise --max-pixels if the file can be trusted"
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
def reading(name: str | Path) -> Iterator[None]:
    """Faults of the file `name` become an ImageError of one line; codecs' warnings are silent.

    An ImageError of the body gets the name in front.
    """
    try:
        if isinstance(name, Path) and name.is_fifo():  # would be empty when it is opened again
            raise ImageError("is a pipe; give - for the input and send the picture there")
        with _quiet:
            yield
    except (ImageError, MemoryError, *BOMBS, *BROKEN) as error:
        raise ImageError(f"{printable(name)}: {_explained(error)}") from error


def _explained(error: BaseException) -> str:
    if isinstance(error, ImageError):
        return str(error)
    if isinstance(error, BOMBS):
        return f"its pixels are more than {Pillow.MAX_IMAGE_PIXELS:,}; {LARGER}"
    known = (text for kind, text in EXPLAINED.items() if isinstance(error, kind))
    return next(known, f"cannot be read ({_line(error)})")


@contextmanager
def encoding(format: str) -> Iterator[None]:
    """What an encoder refuses becomes an ImageError of one line."""
    try:
        with _quiet:
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


class _Quiet:
    """Python's warning filters are global: the first thread in silences, the last one restores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._restore = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._restore.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", Pillow.DecompressionBombWarning)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._restore.close()


_quiet = _Quiet()

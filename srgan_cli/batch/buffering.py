"""Whether a result is gathered in memory, or written to its file as it is computed."""

from collections.abc import Sequence
from pathlib import Path

from srgan_cli.errors import ImageError
from srgan_cli.files import printable
from srgan_cli.images.encode import ROW_WRITERS
from srgan_cli.images.formats import CAPABILITIES
from srgan_cli.images.image import Image
from srgan_cli.settings import ImageSize

MOST = 1 << 28
"""Bytes of samples that are gathered where it is not needed, however much memory is free.

Gathered results are encoded while the next picture is computed.
"""

COPIES = 4
"""Times that a result lies in memory while another program's encoder works on it.

Ours, alpha beside the colours, the encoder's own (four bytes a pixel), and the file.
"""


def bytes_of(frames: Sequence[Image], sides: Sequence[ImageSize]) -> int:
    """Of the samples of the result. sides: of the result of each frame."""
    return sum(
        side.height * side.width * frame.channels * frame.pixels.itemsize
        for frame, side in zip(frames, sides, strict=True)
    )


def by_rows(path: Path, name: str, animated: bool, size: int, free: int) -> bool:
    """Whether the file `path` of the format `name` is best written as it is computed.

    size: bytes of the samples. free: bytes of memory. ImageError for a result that must be
    gathered and has no room.
    """
    if name in ROW_WRITERS and not animated:
        return size > min(MOST, free // 2)
    if COPIES * size > free:
        kind = "an animation" if animated else CAPABILITIES[name].title
        raise ImageError(
            f"{printable(path)}: as {kind} the result needs {gigabytes(COPIES * size)} of memory, "
            f"and {gigabytes(free)} are free; save it as PNG or TIFF, which are written as they "
            "are computed, or take a smaller --scale"
        )
    return False


def gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"

"""What a JPEG XL file says of its image; pillow-jxl-plugin decodes it.

The plugin decodes when it opens a file, and colors to 8 bits, so sizes and depth are read here.
https://github.com/libjxl/libjxl/blob/main/doc/format_overview.md, ISO/IEC 18181-1, annex D
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from srgan_cli.errors import ImageError

CODESTREAM = b"\xff\x0a"
CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
ENOUGH = 64  # bytes of the codestream
MOST_BOXES = 1000
MOST_XMP = 1 << 26  # bytes
SIDES = ((1, 9), (1, 13), (1, 18), (1, 30))
DEPTHS = ((8, 0), (10, 0), (12, 0), (1, 6))
PREVIEW_SIDES = ((1, 6), (65, 8), (321, 10), (1345, 12))
PREVIEW_EIGHTHS = ((16, 0), (32, 0), (1, 5), (33, 9))


@dataclass(frozen=True)
class JxlHeader:
    """Sides in pixels as they are stored. bits: of a sample."""

    width: int
    height: int
    bits: int
    animated: bool


def is_jxl(head: bytes) -> bool:
    return head.startswith((CODESTREAM, CONTAINER))


def read_jxl_header(file: BinaryIO) -> JxlHeader:
    """Raises ImageError for a file without a codestream."""
    bits = _Bits(_codestream(file)[len(CODESTREAM) :])
    height, width = _size(bits)
    if bits.take(1):  # all default
        return JxlHeader(width, height, 8, False)
    animated = False
    if bits.take(1):  # extra fields
        bits.take(3)  # orientation
        if bits.take(1):
            _size(bits)  # intrinsic
        if bits.take(1):
            _preview(bits)
        animated = bool(bits.take(1))
        if animated:
            _animation(bits)
    float_samples = bits.take(1)
    depth = 32 if float_samples else bits.choose(DEPTHS)
    return JxlHeader(width, height, depth, animated)


def _codestream(file: BinaryIO) -> bytes:
    """The beginning of it."""
    file.seek(0)
    if file.read(len(CODESTREAM)) == CODESTREAM:
        return CODESTREAM + file.read(ENOUGH)
    for name, _ in _boxes(file):
        if name == b"jxlp":
            file.read(4)  # its number
        if name in (b"jxlc", b"jxlp"):
            return file.read(len(CODESTREAM) + ENOUGH)
    raise ImageError("damaged: a JPEG XL file without an image")


def read_jxl_xmp(file: BinaryIO) -> bytes | None:
    """None also for XMP that is compressed."""
    file.seek(0)
    if file.read(len(CONTAINER)) != CONTAINER:
        return None
    size = next((size for name, size in _boxes(file) if name == b"xml "), 0)
    return file.read(min(size, MOST_XMP)) or None


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Name and size of each, the file at its content; MOST_XMP for one up to the end."""
    at = 0
    for _ in range(MOST_BOXES):
        file.seek(at)
        head = 8
        size, name = int.from_bytes(file.read(4), "big"), file.read(4)
        if size == 1:
            head, size = 16, int.from_bytes(file.read(8), "big")
        yield name, size - head if size else MOST_XMP
        if size < head:
            return
        at += size


def _size(bits: "_Bits") -> tuple[int, int]:
    """Height and width."""
    eighths = bits.take(1)
    height = 8 * (bits.take(5) + 1) if eighths else bits.choose(SIDES)
    ratio = bits.take(3)
    if ratio in RATIOS:
        across, down = RATIOS[ratio]
        return height, height * across // down
    return height, 8 * (bits.take(5) + 1) if eighths else bits.choose(SIDES)


def _preview(bits: "_Bits") -> None:
    sides = PREVIEW_EIGHTHS if bits.take(1) else PREVIEW_SIDES
    bits.choose(sides)
    if bits.take(3) not in RATIOS:
        bits.choose(sides)


def _animation(bits: "_Bits") -> None:
    bits.choose(((100, 0), (1000, 0), (1, 10), (1, 30)))  # ticks per second, numerator
    bits.choose(((1, 0), (1001, 0), (1, 8), (1, 10)))  # denominator
    bits.choose(((0, 0), (0, 3), (0, 16), (0, 32)))  # loops
    bits.take(1)  # time codes


class _Bits:
    """Bits from the lowest of each byte on; zeros behind the end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        return value

    def choose(self, choices: tuple[tuple[int, int], ...]) -> int:
        """Two bits say which one: a number, and how many bits to add to it."""
        start, count = choices[self.take(2)]
        return start + self.take(count)

"""Labeled images in rows: comparison sheets and interpolation strips."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont, ImageOps

from srgan_cli.images.image import Image, to_rgb_uint8

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

MARGIN = 16
GAP = 12
TITLE = 22  # font sizes in pixels
LABEL = 16
NOTE = 14
HEADING_WIDTH = 480  # titles are not broken earlier, however narrow the images are


TEXT_COLOR = (32, 32, 32)
LIGHT_GRAY = (104, 104, 104)
BACKGROUND = (255, 255, 255)
SPACING = 1.35  # from one line of text to the next, in font sizes

_REPLACED = str.maketrans({"×": "x", "–": "-", "—": "-", "→": "->", "−": "-", "\u00a0": " "})


@dataclass(frozen=True, eq=False)
class Cell:
    """An image with a name above it and figures under it.

    pixels: (H, W, 1 or 3) uint8 or uint16, drawn pixel by pixel. Lines of text are broken where
    they are longer than the image is wide.
    """

    pixels: np.ndarray
    label: str = ""
    note: str = ""


@dataclass(frozen=True, eq=False)
class Row:
    """Cells side by side, their columns aligned with those of the other rows."""

    cells: tuple[Cell, ...]
    title: str = ""


def sheet(rows: Sequence[Row], title: str = "") -> Image:
    """All rows on white, each column as wide as its widest image or word."""
    widths = _column_widths(rows)
    across = sum(widths) + GAP * (len(widths) - 1)
    parts = [_heading(title, across, TITLE)] if title else []
    for row in rows:
        parts += [_heading(row.title, across, LABEL + 2)] if row.title else []
        parts.append(_draw_row(row.cells, widths))
    return _to_image(ImageOps.expand(_stacked(parts), MARGIN, BACKGROUND))


def stack(images: Iterable[Image]) -> Image:
    """Finished figures under one another on white."""
    return _to_image(_stacked([Pillow.fromarray(to_rgb_uint8(p.pixels)) for p in images], gap=0))


def _column_widths(rows: Sequence[Row]) -> list[int]:
    columns = zip_longest(*(row.cells for row in rows))
    return [max(_least_width(cell) for cell in column if cell) for column in columns]


def _least_width(cell: Cell) -> int:
    labels = (text_width(word, LABEL) for word in cell.label.split())
    notes = (text_width(word, NOTE) for word in cell.note.split())
    return int(max((cell.pixels.shape[1], *labels, *notes)))


def _draw_row(cells: Sequence[Cell], widths: Sequence[int]) -> Pillow.Image:
    """Labels end, and images begin, on one line."""
    labels = [wrap(c.label, w, LABEL) for c, w in zip(cells, widths, strict=False)]
    notes = [wrap(c.note, w, NOTE) for c, w in zip(cells, widths, strict=False)]
    top = text_height(max(map(len, labels)), LABEL)
    bottom = top + max(cell.pixels.shape[0] for cell in cells)
    height = bottom + text_height(max(map(len, notes)), NOTE) + 4
    canvas = Pillow.new("RGB", (sum(widths) + GAP * (len(widths) - 1), height), BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    left = 0
    for cell, width, label, note in zip(cells, widths, labels, notes, strict=False):
        write_lines(draw, (left, top - text_height(len(label), LABEL)), label, LABEL)
        canvas.paste(Pillow.fromarray(to_rgb_uint8(cell.pixels)), (left, top))
        write_lines(draw, (left, top + cell.pixels.shape[0] + 4), note, NOTE, LIGHT_GRAY)
        left += width + GAP
    return canvas


def _heading(words: str, width: int, size: int) -> Pillow.Image:
    lines = wrap(words, max(width, HEADING_WIDTH), size)
    across = max([width, *(text_width(line, size) for line in lines)])
    canvas = Pillow.new("RGB", (across, text_height(len(lines), size)), BACKGROUND)
    write_lines(ImageDraw.Draw(canvas), (0, 0), lines, size)
    return canvas


def _stacked(parts: Sequence[Pillow.Image], gap: int = GAP) -> Pillow.Image:
    height = sum(part.height for part in parts) + gap * (len(parts) - 1)
    canvas = Pillow.new("RGB", (max(part.width for part in parts), height), BACKGROUND)
    top = 0
    for part in parts:
        canvas.paste(part, (0, top))
        top += part.height + gap
    return canvas


def _to_image(image: Pillow.Image) -> Image:
    return Image(np.asarray(image))


@lru_cache(maxsize=16)
def font(size: int) -> Font:
    return ImageFont.load_default(size)


def to_ascii(text: str) -> str:
    """ASCII, as the font has little more: accents are removed, the rest becomes "?"."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_REPLACED))
    ascii_text = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return ascii_text.encode("ascii", "replace").decode("ascii")


def text_width(text: str, size: int) -> int:
    """Width of a line in pixels, rounded up."""
    return int(font(size).getlength(to_ascii(text))) + 1 if text else 0


def text_height(lines: int, size: int) -> int:
    """Height of so many lines in pixels."""
    return round(lines * size * SPACING)


def wrap(text: str, width: int, size: int) -> list[str]:
    """Lines that fit `width`, broken between words; a longer word keeps a line to itself."""
    lines: list[str] = []
    for line in text.splitlines():
        lines.append("")
        for word in line.split():
            combined = f"{lines[-1]} {word}".strip()
            if lines[-1] and text_width(combined, size) > width:
                lines.append(word)
            else:
                lines[-1] = combined
    return lines


def write_lines(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    lines: list[str],
    size: int,
    color: tuple[int, int, int] = TEXT_COLOR,
) -> None:
    """Text from its top left corner downwards."""
    left, top = corner
    for i, line in enumerate(lines):
        draw.text((left, top + text_height(i, size)), to_ascii(line), fill=color, font=font(size))

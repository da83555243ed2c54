"""Labeled images in rows: comparison sheets and interpolation strips."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from srgan_cli.figures import text
from srgan_cli.images.image import Image, to_uint8

MARGIN = 16
GAP = 12
TITLE = 22  # font sizes in pixels
LABEL = 16
NOTE = 14
HEADING_WIDTH = 480  # titles are not broken earlier, however narrow the images are


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
    return _to_image(_with_border(_stacked(parts)))


def stack(images: Iterable[Image]) -> Image:
    """Finished figures under one another on white."""
    return _to_image(_stacked([Pillow.fromarray(eight_bit(p.pixels)) for p in images], gap=0))


def eight_bit(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 1 or 3) of any depth -> (H, W, 3) uint8."""
    return np.ascontiguousarray(np.broadcast_to(to_uint8(pixels), (*pixels.shape[:2], 3)))


def _column_widths(rows: Sequence[Row]) -> list[int]:
    columns = zip_longest(*(row.cells for row in rows))
    return [max(_least_width(cell) for cell in column if cell) for column in columns]


def _least_width(cell: Cell) -> int:
    labels = (text.text_width(word, LABEL) for word in cell.label.split())
    notes = (text.text_width(word, NOTE) for word in cell.note.split())
    return int(max((cell.pixels.shape[1], *labels, *notes)))


def _draw_row(cells: Sequence[Cell], widths: Sequence[int]) -> Pillow.Image:
    """Labels end, and images begin, on one line."""
    labels = [text.wrap(c.label, w, LABEL) for c, w in zip(cells, widths, strict=False)]
    notes = [text.wrap(c.note, w, NOTE) for c, w in zip(cells, widths, strict=False)]
    top = text.text_height(max(map(len, labels)), LABEL)
    bottom = top + max(cell.pixels.shape[0] for cell in cells)
    height = bottom + text.text_height(max(map(len, notes)), NOTE) + 4
    canvas = Pillow.new("RGB", (sum(widths) + GAP * (len(widths) - 1), height), text.BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    left = 0
    for cell, width, label, note in zip(cells, widths, labels, notes, strict=False):
        text.write_lines(draw, (left, top - text.text_height(len(label), LABEL)), label, LABEL)
        canvas.paste(Pillow.fromarray(eight_bit(cell.pixels)), (left, top))
        text.write_lines(draw, (left, top + cell.pixels.shape[0] + 4), note, NOTE, text.LIGHT_GRAY)
        left += width + GAP
    return canvas


def _heading(words: str, width: int, size: int) -> Pillow.Image:
    lines = text.wrap(words, max(width, HEADING_WIDTH), size)
    across = max([width, *(text.text_width(line, size) for line in lines)])
    canvas = Pillow.new("RGB", (across, text.text_height(len(lines), size)), text.BACKGROUND)
    text.write_lines(ImageDraw.Draw(canvas), (0, 0), lines, size)
    return canvas


def _stacked(parts: Sequence[Pillow.Image], gap: int = GAP) -> Pillow.Image:
    height = sum(part.height for part in parts) + gap * (len(parts) - 1)
    canvas = Pillow.new("RGB", (max(part.width for part in parts), height), text.BACKGROUND)
    top = 0
    for part in parts:
        canvas.paste(part, (0, top))
        top += part.height + gap
    return canvas


def _with_border(image: Pillow.Image) -> Pillow.Image:
    size = (image.width + 2 * MARGIN, image.height + 2 * MARGIN)
    canvas = Pillow.new("RGB", size, text.BACKGROUND)
    canvas.paste(image, (MARGIN, MARGIN))
    return canvas


def _to_image(image: Pillow.Image) -> Image:
    return Image(np.asarray(image))

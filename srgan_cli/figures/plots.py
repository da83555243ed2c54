"""Curves over steps, and points in a plane such as perception against distortion."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from srgan_cli.figures import text
from srgan_cli.figures.axes import axis_of
from srgan_cli.figures.labels import Box, boxes_along, free_place
from srgan_cli.images.image import Image

Colour = tuple[int, int, int]
Points = list[tuple[float, float]]

# Okabe and Ito's colours, which colour-blind people can tell apart, the darker ones first.
COLOURS: tuple[Colour, ...] = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (230, 159, 0),
    (64, 64, 64),
)
GRID: Colour = (224, 224, 224)
FINE = 2  # drawn so many times larger, then averaged: Pillow's lines have stairs
WIDTH, HEIGHT = 880, 400
HEAD, LABEL, TICK = 18, 14, 13  # font sizes in pixels
MARGIN = 18
MARK = 4  # radius of a point
MEANS = 40  # a smoothed curve shows about so many independent values


@dataclass(frozen=True)
class Curve:
    """x and y in the order in which they are joined; values that are not finite are left out.

    smooth: pale as it is, strong as its running mean. marked: a dot at each point. joined: a line
    through them. notes: words beside the points, one for each.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    smooth: bool = False
    marked: bool = False
    joined: bool = True
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Panel:
    """One pair of axes; `log` makes the vertical one logarithmic."""

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    log: bool = False


def curves(panels: Sequence[Panel]) -> Image:
    """The panels under one another on white."""
    drawn = [np.asarray(_Plot(panel).draw().reduce(FINE)) for panel in panels]
    return Image(np.concatenate(drawn))


class _Plot:
    """A panel being drawn, FINE times larger than it will be."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.points = [_points(curve, panel.log) for curve in panel.curves]
        everything = [point for points in self.points for point in points]
        across = [x for x, _ in everything]
        self.vertical = axis_of([y for _, y in everything], panel.log)
        self.horizontal = axis_of(across)
        self.legend = _legend(panel.curves)
        self.canvas = Pillow.new("RGB", (WIDTH * FINE, self._height() * FINE), text.PAPER)
        self.pen = ImageDraw.Draw(self.canvas)

    def _height(self) -> int:
        return HEIGHT + text.height_of(len(self.legend), LABEL)

    def draw(self) -> Pillow.Image:
        self._words()
        self._grid()
        for curve, points, colour in self._coloured():
            self._curve(curve, points, colour)
        self._notes()
        return self.canvas

    def _coloured(self) -> list[tuple[Curve, Points, Colour]]:
        colours = (COLOURS * (len(self.points) // len(COLOURS) + 1))[: len(self.points)]
        return list(zip(self.panel.curves, self.points, colours, strict=True))

    @property
    def _frame(self) -> Box:
        """Where the curves go: left, top, right, bottom, in final pixels."""
        ticks = max(text.width_of(self.vertical.name(v), TICK) for v in self.vertical.ticks)
        head = text.height_of(1, HEAD) + text.height_of(len(self.legend) + 1, LABEL)
        foot = text.height_of(1, TICK) + text.height_of(1, LABEL)
        height = self._height() - MARGIN
        return Box(MARGIN + ticks + 8, MARGIN + head + 8, WIDTH - 2 * MARGIN, height - foot - 8)

    def _spot(self, x: float, y: float) -> tuple[float, float]:
        left, top, right, bottom = self._frame
        across, up = self.horizontal.share(x), self.vertical.share(y)
        return left + across * (right - left), bottom - up * (bottom - top)

    def _words(self) -> None:
        frame = self._frame
        self._write((MARGIN, MARGIN), self.panel.title, HEAD)
        top = MARGIN + text.height_of(1, HEAD) + 4
        for row in self.legend:
            self._legend_row(row, top)
            top += text.height_of(1, LABEL)
        self._write((MARGIN, top), self.panel.y_label, LABEL, text.PALE)
        width = text.width_of(self.panel.x_label, LABEL)
        below = frame.bottom + 6 + text.height_of(1, TICK)
        self._write((frame.right - width, below), self.panel.x_label, LABEL, text.PALE)

    def _legend_row(self, row: list[int], top: float) -> None:
        left = float(MARGIN)
        for i in row:
            curve, _, colour = self._coloured()[i]
            middle = top + LABEL * 0.6
            if curve.joined:
                self._line([(left, middle), (left + 22, middle)], colour, 2.5)
            if curve.marked:
                self._dot((left + 11, middle), colour)
            self._write((left + 28, top), curve.name, LABEL)
            left += _legend_width(curve)

    def _grid(self) -> None:
        left, top, right, bottom = self._frame
        for value in self.vertical.ticks:
            _, y = self._spot(self.horizontal.low, value)
            self._line([(left, y), (right, y)], GRID, 1)
            name = self.vertical.name(value)
            self._write((left - 6 - text.width_of(name, TICK), y - TICK * 0.6), name, TICK)
        for value in self.horizontal.ticks:
            x, _ = self._spot(value, self.vertical.low)
            self._line([(x, top), (x, bottom)], GRID, 1)
            name = self.horizontal.name(value)
            self._write((x - text.width_of(name, TICK) / 2, bottom + 5), name, TICK)
        self._line([(left, top), (left, bottom), (right, bottom)], text.PALE, 1)
        if not any(self.points):
            self._write(((left + right) / 2 - 50, (top + bottom) / 2), "no values yet", LABEL)

    def _curve(self, curve: Curve, points: Points, colour: Colour) -> None:
        spots = [self._spot(x, y) for x, y in points]
        if curve.joined and curve.smooth:
            self._line(spots, _pale(colour), 1)
            spots = [self._spot(x, y) for x, y in _running_mean(points)]
        if curve.joined:
            self._line(spots, colour, 2)
        if curve.marked or len(spots) == 1:
            for spot in spots:
                self._dot(spot, colour)

    def _notes(self) -> None:
        """Each beside its point, where it hides neither a point nor another note."""
        if not any(curve.notes for curve in self.panel.curves):
            return
        taken: list[Box] = []
        for curve, points in zip(self.panel.curves, self.points, strict=True):
            taken += boxes_along([self._spot(x, y) for x, y in points], MARK, curve.joined)
        for curve, points, colour in self._coloured():
            for note, point in zip(curve.notes, points, strict=False):
                size = (text.width_of(note, TICK), text.height_of(1, TICK))
                box = free_place(self._spot(*point), size, self._frame, taken)
                taken.append(box)
                self._write((box.left, box.top), note, TICK, _deep(colour))

    def _write(
        self, corner: tuple[float, float], words: str, size: int, ink: Colour = text.INK
    ) -> None:
        left, top = corner
        spot = (round(left * FINE), round(top * FINE))
        text.write_lines(self.pen, spot, [words], size * FINE, ink)

    def _line(self, spots: Points, colour: Colour, width: float) -> None:
        if len(spots) > 1:
            fine = [(x * FINE, y * FINE) for x, y in spots]
            self.pen.line(fine, fill=colour, width=round(width * FINE), joint="curve")

    def _dot(self, spot: tuple[float, float], colour: Colour) -> None:
        x, y = spot
        corners = [(x - MARK) * FINE, (y - MARK) * FINE, (x + MARK) * FINE, (y + MARK) * FINE]
        self.pen.ellipse(corners, fill=colour)


def _points(curve: Curve, log: bool) -> Points:
    pairs = zip(curve.x, curve.y, strict=True)
    return [
        (float(x), float(y))
        for x, y in pairs
        if math.isfinite(x) and math.isfinite(y) and (y > 0 or not log)
    ]


def _running_mean(points: Points) -> Points:
    """Each value averaged with its neighbours on both sides, as far as there are any."""
    half = len(points) // (2 * MEANS)
    sums = np.concatenate([[0.0], np.cumsum([y for _, y in points])])
    centres = np.arange(len(points))
    first, last = np.maximum(centres - half, 0), np.minimum(centres + half + 1, len(points))
    means = (sums[last] - sums[first]) / (last - first)
    return [(x, float(mean)) for (x, _), mean in zip(points, means, strict=True)]


def _legend(shown: Sequence[Curve]) -> list[list[int]]:
    """Which curves are named in each line of the legend; a single curve needs none."""
    rows: list[list[int]] = []
    room = 0
    for i, curve in enumerate(shown if len(shown) > 1 else ()):
        room -= _legend_width(curve)
        if room < 0:
            rows.append([])
            room = WIDTH - 2 * MARGIN - _legend_width(curve)
        rows[-1].append(i)
    return rows


def _legend_width(curve: Curve) -> int:
    return 28 + text.width_of(curve.name, LABEL) + 22


def _pale(colour: Colour) -> Colour:
    red, green, blue = ((level + 3 * 255) // 4 for level in colour)
    return red, green, blue


def _deep(colour: Colour) -> Colour:
    red, green, blue = (level * 3 // 4 for level in colour)
    return red, green, blue

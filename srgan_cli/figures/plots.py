"""Curves over steps, and points in a plane such as perception against distortion.

Drawn by matplotlib (the extra `plot`), which is imported only when something is drawn.
"""

import importlib.util
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from srgan_cli.errors import OptionError
from srgan_cli.images.image import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MISSING = "curves need matplotlib: pip install matplotlib"

# Okabe and Ito's colors, which color-blind people can tell apart, the darker ones first.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#404040")
WIDTH, HEIGHT = 880, 400  # of a panel, in pixels
DPI = 100
INDEPENDENT_MEANS = 40  # a smoothed curve shows about so many independent values


@dataclass(frozen=True)
class Curve:
    """x and y in drawing order; values that are not finite are left out.

    smooth: the values pale, their running mean strong. marked: a dot at each point. joined: a line
    through the points. notes: texts beside the points, one for each.
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
    """One pair of axes. log: the vertical one is logarithmic."""

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    log: bool = False


def can_plot() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def plot_curves(panels: Sequence[Panel]) -> Image:
    """The panels below one another, 8-bit RGB. Raises OptionError without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise OptionError(MISSING) from error
    size = (WIDTH / DPI, HEIGHT * len(panels) / DPI)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    canvas: Any = FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels), squeeze=False)[:, 0]
    for panel, panel_axes in zip(panels, axes, strict=True):
        _draw_panel(panel_axes, panel)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # characters that the font lacks
        canvas.draw()
    return Image(np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3]))


def _draw_panel(axes: "Axes", panel: Panel) -> None:
    axes.set_title(_literal(panel.title), loc="left")
    axes.set_xlabel(_literal(panel.x_label))
    axes.set_ylabel(_literal(panel.y_label))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e0e0e0")
    axes.set_axisbelow(True)
    if panel.log:
        axes.set_yscale("log")
    drawn = [_finite_points(curve, panel.log) for curve in panel.curves]
    for index, curve in enumerate(drawn):
        _draw_curve(axes, curve, COLORS[index % len(COLORS)])
    if not any(len(curve.x) for curve in drawn):
        axes.text(0.5, 0.5, "no values yet", transform=axes.transAxes, ha="center")
    if len(panel.curves) > 1:
        axes.legend(fontsize="small", frameon=False, loc="best")


def _draw_curve(axes: "Axes", curve: Curve, color: str) -> None:
    points = np.array([curve.x, curve.y], dtype=np.float64).T  # (N, 2)
    x, y = points.T
    if curve.smooth and curve.joined:
        axes.plot(x, y, color=color, alpha=0.25, linewidth=1)
        y = _running_mean(y)
    marker = "o" if curve.marked or len(points) == 1 else ""
    line = "-" if curve.joined else ""
    axes.plot(x, y, color=color, marker=marker, linestyle=line, label=_literal(curve.name))
    for index, (note, point) in enumerate(zip(curve.notes, points, strict=False)):
        above = index % 2 == 0  # neighbors in turn
        offset = (6, 6) if above else (6, -14)
        axes.annotate(
            _literal(note), point, offset, textcoords="offset points", fontsize="small", color=color
        )


def _finite_points(curve: Curve, log: bool) -> Curve:
    """The curve of those points that can be drawn, with their notes."""
    kept = [
        index
        for index, (x, y) in enumerate(zip(curve.x, curve.y, strict=True))
        if math.isfinite(x) and math.isfinite(y) and (y > 0 or not log)
    ]
    return replace(
        curve,
        x=[curve.x[index] for index in kept],
        y=[curve.y[index] for index in kept],
        notes=[curve.notes[index] for index in kept if index < len(curve.notes)],
    )


def _running_mean(values: np.ndarray) -> np.ndarray:
    """Each value averaged with its neighbors on both sides, as far as there are any."""
    half = len(values) // (2 * INDEPENDENT_MEANS)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    first, last = np.maximum(index - half, 0), np.minimum(index + half + 1, len(values))
    means: np.ndarray = (sums[last] - sums[first]) / (last - first)
    return means


def _literal(text: str) -> str:
    """Escape $, with which matplotlib marks formulas."""
    return text.replace("$", r"\$")

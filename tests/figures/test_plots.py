"""Curves, drawn by matplotlib: nothing cut, nothing that cannot be drawn."""

import math
import subprocess
import sys

import numpy as np
import pytest

from srgan_cli.errors import OptionError
from srgan_cli.figures import Curve, Panel, plot_curves
from srgan_cli.figures.plots import COLORS, HEIGHT, WIDTH
from srgan_cli.images.image import Image


def loss(name: str = "loss", **more: object) -> Curve:
    steps = range(200)
    return Curve(name, steps, [1 / (step + 1) for step in steps], **more)


def plot(*curves: Curve, log: bool = False) -> Image:
    pytest.importorskip("matplotlib")
    return plot_curves([Panel("Losses", "step", "loss", curves, log)])


def pixels_of(image: Image, color: str) -> np.ndarray:
    """(N, 2): rows and columns of the pixels in exactly that color."""
    return np.argwhere((image.pixels == list(bytes.fromhex(color[1:]))).all(axis=2))


def edges_are_white(image: Image) -> bool:
    p = image.pixels
    return bool((p[0] == 255).all() and (p[-1] == 255).all() and (p[:, [0, -1]] == 255).all())


def test_every_curve_is_drawn_in_its_color() -> None:
    shown = plot(loss("a"), Curve("b", [0, 9], [1, 0]))

    for color in COLORS[:2]:
        assert len(pixels_of(shown, color))


@pytest.mark.parametrize("log", [False, True])
def test_a_curve_stays_inside_its_axes(log: bool) -> None:
    shown = plot(loss(), log=log)
    columns = pixels_of(shown, COLORS[0])[:, 1]

    assert edges_are_white(shown)
    assert columns.min() > WIDTH // 20
    assert columns.max() < WIDTH - 10


def test_panels_are_below_one_another() -> None:
    pytest.importorskip("matplotlib")
    panel = Panel("Loss", "step", "loss", (loss(smooth=True),))

    shown = plot_curves([panel, panel])

    assert (shown.height, shown.width) == (2 * HEIGHT, WIDTH)
    rows = pixels_of(shown, COLORS[0])[:, 0]
    assert rows.min() < HEIGHT < rows.max()


def test_a_smooth_curve_is_its_running_mean() -> None:
    steps = range(400)
    noisy = Curve("loss", steps, [step % 2 for step in steps])
    smooth = Curve("loss", steps, [step % 2 for step in steps], smooth=True)

    heights = [np.ptp(pixels_of(plot(curve), COLORS[0])[:, 0]) for curve in (noisy, smooth)]

    assert heights[1] < heights[0] / 2


@pytest.mark.parametrize("y", [[], [math.nan, math.inf], [3.0], [2.0, 2.0], [0.0, 0.0]])
@pytest.mark.parametrize("log", [False, True])
def test_few_or_no_numbers_are_drawn_all_the_same(y: list[float], log: bool) -> None:
    curve = Curve("PSNR", range(len(y)), y, smooth=True)

    assert edges_are_white(plot(curve, log=log))


def test_a_single_point_is_visible() -> None:
    assert len(pixels_of(plot(Curve("PSNR", [5], [3.0])), COLORS[0])) > 10


def test_notes_stay_with_their_points_where_others_cannot_be_drawn() -> None:
    holed = Curve("a", [0, 1, 2], [1.0, math.nan, 2.0], notes=["first", "none", "last"])
    whole = Curve("a", [0, 2], [1.0, 2.0], notes=["first", "last"])

    assert (plot(holed).pixels == plot(whole).pixels).all()


def test_more_curves_than_colors_and_odd_names_fit() -> None:
    names = ["the curve with the number $1", "a_b^c$", "$x$", "日本"] * 3

    assert edges_are_white(plot(*(loss(name, notes=[name]) for name in names)))


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(OptionError, match=r"pip install matplotlib"):
        plot_curves([Panel("Losses", "step", "loss", (loss(),))])


def test_figures_load_matplotlib_only_to_plot() -> None:
    code = "import sys, srgan_cli.figures; sys.exit('matplotlib' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

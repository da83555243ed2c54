"""Sheets and curves: nothing cut, nothing hidden, pixels as they are."""

import math

import numpy as np
import pytest
from PIL import ImageCms

from srgan_cli.figures import Cell, Curve, Panel, Row, curves, sheet, stack
from srgan_cli.figures.axes import Axis, axis_of
from srgan_cli.figures.labels import Box, boxes_along, free_place
from srgan_cli.figures.plots import COLOURS, MARGIN, WIDTH
from srgan_cli.figures.text import plain, width_of, wrapped
from srgan_cli.images.icc import srgb_pixels
from srgan_cli.images.image import Image

RED = (200, 0, 0)


def picture(height: int = 20, width: int = 30, colour: tuple[int, int, int] = RED) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


def where(image: Image, colour: tuple[int, int, int]) -> Box:
    """The bounds of all pixels of that colour."""
    rows, columns = np.nonzero((image.pixels == colour).all(axis=2))
    return Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def edges_are_white(image: Image) -> bool:
    p = image.pixels
    return bool((p[0] == 255).all() and (p[-1] == 255).all() and (p[:, [0, -1]] == 255).all())


def test_a_cell_shows_its_picture_pixel_by_pixel() -> None:
    noise = np.random.default_rng(0).integers(0, 200, (20, 30, 3), np.uint8)

    shown = sheet([Row((Cell(noise, "noise", "PSNR 20 dB"),))]).pixels

    spots = [
        (y, x)
        for y in range(shown.shape[0] - 19)
        for x in range(shown.shape[1] - 29)
        if np.array_equal(shown[y : y + 20, x : x + 30], noise)
    ]
    assert len(spots) == 1


def test_gray_and_16_bits_come_out_in_their_colours() -> None:
    gray = np.full((20, 30, 1), 77, np.uint8)
    deep = picture(colour=(10, 20, 30)).astype(np.uint16) * 257

    shown = sheet([Row((Cell(gray), Cell(deep)))])

    assert where(shown, (77, 77, 77)).right < where(shown, (10, 20, 30)).left


def test_colours_of_another_profile_are_brought_to_srgb() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"tXYZ").replace(b"bXYZ", b"rXYZ").replace(b"tXYZ", b"bXYZ")

    red_means_blue = srgb_pixels(Image(picture(colour=(200, 0, 0)), icc_profile=swapped))

    assert np.abs(red_means_blue.astype(int) - (0, 0, 200)).max() <= 1


def test_a_damaged_profile_leaves_the_colours_as_they_are() -> None:
    damaged = Image(picture(), icc_profile=b"no profile")

    assert np.array_equal(srgb_pixels(damaged), picture())


def test_words_wider_than_the_picture_are_not_cut() -> None:
    label = "an_uncommonly_long_name_of_a_network.safetensors and what it is"

    shown = sheet([Row((Cell(picture(), label, "figures"), Cell(picture(), label)))], label * 2)

    assert edges_are_white(shown)
    assert shown.width > 2 * width_of(label.split()[0], 16)


def test_columns_align_however_many_cells_a_row_has() -> None:
    first, second = (0, 200, 0), (0, 0, 200)
    short = Row((Cell(picture(colour=first)),), "one")
    long = Row((Cell(picture(30, 60)), Cell(picture(colour=second), "x")), "two")

    shown = sheet([short, long])

    assert where(shown, first).left == where(shown, RED).left
    assert where(shown, second).left >= where(shown, RED).right


def test_pictures_of_a_row_begin_on_one_line_whatever_their_labels() -> None:
    blue = (0, 0, 200)
    cells = Cell(picture(), "short"), Cell(picture(colour=blue), "a b c d e f g h i j k l m n")

    shown = sheet([Row(cells)])

    assert where(shown, RED).top == where(shown, blue).top


def test_stacked_figures_keep_their_pixels() -> None:
    piled = stack([Image(picture()), Image(picture(5, 40, (0, 0, 200)))])

    assert (piled.height, piled.width) == (25, 40)
    assert where(piled, RED) == Box(0, 0, 30, 20)


@pytest.mark.parametrize(
    ("text", "drawn"),
    [("Größe", "Groe"), ("×4", "x4"), ("ﬁne", "fine"), ("日本", "??"), ("é à", "e a")],
)
def test_words_are_reduced_to_what_the_font_has(text: str, drawn: str) -> None:
    expected = drawn if text != "Größe" else "Gro?e"

    assert plain(text) == expected


def test_lines_break_between_words_and_where_the_text_does() -> None:
    assert wrapped("one two\nthree", width_of("one two", 14), 14) == ["one two", "three"]
    assert wrapped("one two", width_of("one", 14), 14) == ["one", "two"]
    assert wrapped("", 100, 14) == []


def loss(name: str = "loss", **more: object) -> Curve:
    steps = range(200)
    return Curve(name, steps, [1 / (step + 1) for step in steps], **more)


def test_every_curve_is_drawn_in_its_colour() -> None:
    shown = curves([Panel("Losses", "step", "loss", (loss("a"), Curve("b", [0, 9], [1, 0])))])

    for colour in COLOURS[:2]:
        assert (shown.pixels == colour).all(axis=2).any()


def test_a_curve_stays_inside_its_axes() -> None:
    shown = curves([Panel("Loss", "step", "loss", (loss(),), log=True)])
    bounds = where(shown, COLOURS[0])

    assert edges_are_white(shown)
    assert bounds.left > MARGIN
    assert bounds.right < WIDTH - MARGIN


def test_panels_lie_under_one_another() -> None:
    panel = Panel("Loss", "step", "loss", (loss(smooth=True),))

    assert curves([panel, panel]).height == 2 * curves([panel]).height


@pytest.mark.parametrize("y", [[], [math.nan, math.inf], [3.0], [2.0, 2.0], [0.0, 0.0]])
def test_curves_of_few_or_no_numbers_are_drawn_all_the_same(y: list[float]) -> None:
    curve = Curve("PSNR", range(len(y)), y, smooth=True)

    for log in (False, True):
        assert edges_are_white(curves([Panel("Validation", "step", "dB", (curve,), log)]))


def test_more_curves_than_colours_and_long_names_fit() -> None:
    many = tuple(loss(f"the curve with the number {i}") for i in range(12))

    assert edges_are_white(curves([Panel("Many", "step", "loss", many)]))


def test_an_axis_holds_all_values_and_round_ticks() -> None:
    axis = axis_of([28.4, 31.1])

    assert axis.low < 28.4
    assert axis.high > 31.1
    assert axis.ticks == (28.5, 29.0, 29.5, 30.0, 30.5, 31.0)
    assert [axis.name(tick) for tick in axis.ticks[:2]] == ["28.5", "29.0"]


def test_many_steps_are_counted_in_thousands() -> None:
    axis = axis_of([0, 200_000])

    assert [axis.name(tick) for tick in axis.ticks] == ["0", "50k", "100k", "150k", "200k"]


@pytest.mark.parametrize("values", [[0.001, 10.0], [0.01, 0.02], [0.0101, 0.0102], [5.0]])
def test_a_logarithmic_axis_has_ticks_in_any_range(values: list[float]) -> None:
    axis = axis_of(values, log=True)

    assert len(axis.ticks) >= 2
    assert all(axis.low <= value <= axis.high for value in (*axis.ticks, *values))


def test_shares_of_a_logarithmic_axis_are_of_its_decades() -> None:
    assert Axis(0.01, 100, (1,), log=True).share(1) == pytest.approx(0.5)


def test_words_beside_a_point_avoid_points_lines_and_the_frame() -> None:
    frame = Box(0, 0, 100, 100)
    taken = boxes_along([(90, 50), (90, 90)], radius=4, joined=True)

    place = free_place((90, 50), (40, 12), frame, taken)

    assert place.within(frame)
    assert not any(place.overlaps(box) for box in taken)

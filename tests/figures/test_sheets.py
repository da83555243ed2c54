"""Sheets: nothing cut, nothing hidden, pixels as they are."""

from typing import NamedTuple

import numpy as np
import pytest
from PIL import ImageCms

from srgan_cli.figures import Cell, Row, sheet, stack
from srgan_cli.figures.sheets import text_width, to_ascii, wrap
from srgan_cli.images.icc import srgb_pixels
from srgan_cli.images.image import Image

RED = (200, 0, 0)


class Bounds(NamedTuple):
    left: int
    top: int
    right: int
    bottom: int


def make_image(height: int = 20, width: int = 30, color: tuple[int, int, int] = RED) -> np.ndarray:
    return np.full((height, width, 3), color, np.uint8)


def where(image: Image, color: tuple[int, int, int]) -> Bounds:
    """The bounds of all pixels of that color."""
    rows, columns = np.nonzero((image.pixels == color).all(axis=2))
    return Bounds(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def edges_are_white(image: Image) -> bool:
    p = image.pixels
    return bool((p[0] == 255).all() and (p[-1] == 255).all() and (p[:, [0, -1]] == 255).all())


def test_a_cell_shows_its_image_pixel_by_pixel() -> None:
    noise = np.random.default_rng(0).integers(0, 200, (20, 30, 3), np.uint8)

    shown = sheet([Row((Cell(noise, "noise", "PSNR 20 dB"),))]).pixels

    spots = [
        (y, x)
        for y in range(shown.shape[0] - 19)
        for x in range(shown.shape[1] - 29)
        if np.array_equal(shown[y : y + 20, x : x + 30], noise)
    ]
    assert len(spots) == 1


def test_gray_and_16_bits_come_out_in_their_colors() -> None:
    gray = np.full((20, 30, 1), 77, np.uint8)
    deep = make_image(color=(10, 20, 30)).astype(np.uint16) * 257

    shown = sheet([Row((Cell(gray), Cell(deep)))])

    assert where(shown, (77, 77, 77)).right < where(shown, (10, 20, 30)).left


def test_colors_of_another_profile_are_brought_to_srgb() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"tXYZ").replace(b"bXYZ", b"rXYZ").replace(b"tXYZ", b"bXYZ")

    red_means_blue = srgb_pixels(Image(make_image(color=(200, 0, 0)), icc_profile=swapped))

    assert np.abs(red_means_blue.astype(int) - (0, 0, 200)).max() <= 1


def test_a_damaged_profile_leaves_the_colors_as_they_are() -> None:
    damaged = Image(make_image(), icc_profile=b"no profile")

    assert np.array_equal(srgb_pixels(damaged), make_image())


def test_words_wider_than_the_image_are_not_cut() -> None:
    label = "an_uncommonly_long_name_of_a_network.safetensors and what it is"

    shown = sheet(
        [Row((Cell(make_image(), label, "figures"), Cell(make_image(), label)))], label * 2
    )

    assert edges_are_white(shown)
    assert shown.width > 2 * text_width(label.split()[0], 16)


def test_columns_align_however_many_cells_a_row_has() -> None:
    first, second = (0, 200, 0), (0, 0, 200)
    short = Row((Cell(make_image(color=first)),), "one")
    long = Row((Cell(make_image(30, 60)), Cell(make_image(color=second), "x")), "two")

    shown = sheet([short, long])

    assert where(shown, first).left == where(shown, RED).left
    assert where(shown, second).left >= where(shown, RED).right


def test_images_of_a_row_begin_on_one_line_whatever_their_labels() -> None:
    blue = (0, 0, 200)
    cells = Cell(make_image(), "short"), Cell(make_image(color=blue), "a b c d e f g h i j k l m n")

    shown = sheet([Row(cells)])

    assert where(shown, RED).top == where(shown, blue).top


def test_stacked_figures_keep_their_pixels() -> None:
    piled = stack([Image(make_image()), Image(make_image(5, 40, (0, 0, 200)))])

    assert (piled.height, piled.width) == (25, 40)
    assert where(piled, RED) == Bounds(0, 0, 30, 20)


@pytest.mark.parametrize(
    ("text", "drawn"),
    [("Größe", "Groe"), ("×4", "x4"), ("ﬁne", "fine"), ("日本", "??"), ("é à", "e a")],
)
def test_words_are_reduced_to_what_the_font_has(text: str, drawn: str) -> None:
    expected = drawn if text != "Größe" else "Gro?e"

    assert to_ascii(text) == expected


def test_lines_break_between_words_and_where_the_text_does() -> None:
    assert wrap("one two\nthree", text_width("one two", 14), 14) == ["one two", "three"]
    assert wrap("one two", text_width("one", 14), 14) == ["one", "two"]
    assert wrap("", 100, 14) == []

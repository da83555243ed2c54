"""Shifts of color, grids and dots, each made by hand and found again."""

import numpy as np
import pytest
from artifacts import BLOCK, FLAT, SIDE, color_shift, dots, flat_blocks, grid, roughness

from srgan_cli.errors import ImageError

SCALE = 4


def by_pixels(low: np.ndarray, scale: int = SCALE) -> np.ndarray:
    return low.repeat(scale, axis=0).repeat(scale, axis=1)


def gray_noise(side: int, sigma: float, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(128, sigma, (side, side, 1))
    return np.rint(drawn).astype(np.uint8)


def waves(side: int, period: int, height: float) -> np.ndarray:
    """(side, side, 1): a checkerboard of so many pixels' period."""
    phase = 2 * np.pi * np.arange(side) / period
    return height * (np.cos(phase)[:, None] * np.cos(phase))[..., None]


def with_waves(period: int) -> np.ndarray:
    side = SIDE * SCALE
    return np.rint(gray_noise(side, 3.0) + waves(side, period, 4.0)).astype(np.uint8)


def test_colors_shift_by_what_was_added_to_a_channel():
    low = np.random.default_rng(0).integers(50, 200, (30, 40, 3), np.uint8)
    ours = by_pixels(low)
    ours[..., 1] += 3
    shift = color_shift(ours, low)
    assert shift.mean == pytest.approx((0, 3, 0), abs=1e-5)
    assert shift.local == pytest.approx(3, abs=1e-4)


def test_a_shift_of_a_corner_is_local():
    low = np.full((64, 64, 1), 100, np.uint8)
    ours = by_pixels(low)
    ours[: 16 * SCALE, : 16 * SCALE] += 20
    shift = color_shift(ours, low)
    assert shift.mean == pytest.approx([20 / 16])
    assert 15 < shift.local < 20


def test_one_wrong_line_at_the_edge_counts_as_one_line():
    low = np.full((64, 64, 1), 100, np.uint8)
    ours = by_pixels(low)
    ours[:SCALE] += 20
    assert color_shift(ours, low).local < 2.5


def test_detail_inside_the_blocks_is_no_shift():
    low = np.full((30, 30, 1), 100, np.uint8)
    ours = by_pixels(low)
    ours[::2] += 9
    ours[1::2] -= 9
    assert color_shift(ours, low).local == pytest.approx(0, abs=1e-4)


def test_sixteen_bits_shift_like_eight():
    low = np.random.default_rng(0).integers(50, 200, (9, 9, 3), np.uint8)
    ours = by_pixels(low) + np.uint8(2)
    deep = color_shift(ours.astype(np.uint16) * 257, low)
    assert deep.mean == pytest.approx(color_shift(ours, low).mean, abs=1e-4)


@pytest.mark.parametrize(("scale", "period"), [(2, 2), (3, 3), (4, 2)])
def test_one_dotted_row_among_two_hundred_is_found(scale, period):
    height = 10 * np.cos(2 * np.pi * np.arange(200) / period)
    ours = np.full((200, 200, 3), 100.0)
    assert dots(ours.astype(np.uint8), scale) == pytest.approx(0, abs=1e-9)
    ours[90] += height[:, None]
    expected = pytest.approx(10, abs=0.3)
    assert dots(np.rint(ours).astype(np.uint8), scale) == expected
    assert dots(np.rint(ours).astype(np.uint8).swapaxes(0, 1), scale) == expected


def test_edges_and_slopes_are_no_dots():
    ours = np.full((200, 200, 1), 30, np.uint8)
    ours[70:] = 220
    ours[:, 50:] //= 2
    ours[150:] = np.arange(200)[:, None]
    assert dots(ours, SCALE) < 0.03 * 110  # of the step in each row


def test_dots_are_not_looked_for_where_there_is_no_row_of_them():
    with pytest.raises(ImageError, match="rows of 64"):
        dots(np.zeros((200, 60, 3), np.uint8), SCALE)


@pytest.mark.parametrize(("period", "other"), [(2, 4), (4, 2)])
def test_a_grid_is_found_at_its_period_alone(period, other):
    found = grid(with_waves(period), SCALE).strength
    assert found[period] > 5
    assert found[other] < 1.5


@pytest.mark.parametrize(("period", "height"), [(2, 4.0), (4, 2.0)])
def test_the_height_of_a_grid_is_its_standard_deviation(period, height):
    assert grid(with_waves(period), SCALE).height == pytest.approx(height, rel=0.1)


def test_noise_and_blank_paper_have_no_grid():
    side = SIDE * SCALE
    for image in (gray_noise(2 * side, 10.0), np.full((side, side, 3), 7, np.uint8)):
        found = grid(image, SCALE)
        assert max(found.strength.values()) < 1.2
        assert found.height < 0.5


@pytest.mark.parametrize(("scale", "periods"), [(2, [2]), (3, [3]), (4, [2, 4])])
def test_the_periods_are_those_of_the_scale(scale, periods):
    assert list(grid(gray_noise(SIDE * scale, 10.0), scale).strength) == periods


def test_an_image_too_small_for_a_spectrum_is_refused():
    with pytest.raises(ImageError, match="256 x 256"):
        grid(gray_noise(SIDE * SCALE - 1, 10.0), SCALE)


def test_dots_are_seen_where_the_low_image_is_flat():
    low = np.concatenate([gray_noise(BLOCK, 0.1), gray_noise(BLOCK, 9.0)], axis=1)
    flat = flat_blocks(low)
    assert flat.tolist() == [[True, False]]
    ours = by_pixels(low)
    assert roughness(ours, flat, SCALE) < FLAT
    ours[::SCALE, ::SCALE] += 40  # one pixel in sixteen
    expected = 40 * np.sqrt(1 / 16 * 15 / 16)
    assert roughness(ours, flat, SCALE) == pytest.approx([expected], rel=0.02)

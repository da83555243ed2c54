"""Postprocessing after the networks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.inference.postprocess import (
    RowBand,
    consistent_radius,
    fix_colors,
    fix_radius,
    make_consistent,
    plan_band,
)
from srgan_cli.resample import RowRange, all_rows, resize, resize_array


def enlarged(low: Image, factor: float, noise: float = 15, shift: float = 5) -> Image:
    """Bicubic, but of another brightness and with detail of its own."""
    height, width = (max(1, round(side * factor)) for side in (low.height, low.width))
    pixels = resize_array(low.pixels, height, width).astype(float)
    top = np.iinfo(low.pixels.dtype).max
    drawn = np.random.default_rng(0).normal(shift, noise, pixels.shape) * (top / 255)
    return replace(low, pixels=np.rint(pixels + drawn).clip(0, top).astype(low.pixels.dtype))


def on_whole(correct: Callable[[Image, Image, RowBand], Image], high: Image, low: Image) -> Image:
    """Both corrections take bands of rows; here the band is the image."""
    rows = all_rows(high.height)
    return correct(high, low, RowBand(rows, all_rows(low.height), rows))


def shrunk(image: Image, low: Image) -> np.ndarray:
    return resize_array(image.pixels, low.height, low.width).astype(float)


def agreeing(made: Image, low: Image) -> float:
    """Share of values within a level of 8 bits, of those that are not black or white."""
    top = np.iinfo(low.pixels.dtype).max
    kept = (low.pixels > 0) & (low.pixels < top)
    return float((np.abs(shrunk(made, low) - low.pixels)[kept] <= top // 255).mean())


@pytest.fixture
def low(photo_file: Path) -> Image:
    return Image(read_image(photo_file).pixels[60:130, 80:160])


@pytest.mark.parametrize("factor", [1.2, 1.5, 2, 2.5, 3, 4, 8])
def test_a_consistent_image_shrinks_to_the_input(low, factor):
    assert agreeing(on_whole(make_consistent, enlarged(low, factor), low), low) >= 0.999


@pytest.mark.parametrize("factor", [1.01, 1.05, 1.1, 1.2])
def test_where_nothing_clips_it_does_so_from_the_smallest_upscaling_on(low, factor):
    soft = Image(low.pixels // 2 + 64)
    assert agreeing(on_whole(make_consistent, enlarged(soft, factor), soft), soft) >= 0.999


@pytest.mark.parametrize(("factor", "share"), [(1.2, 0.9), (2, 0.93), (3, 0.97)])
def test_what_clips_is_made_up_for_by_what_lies_around_it(factor, share):
    """Of an image that is all black and white, which agrees: one by clipping alone does not."""
    side = round(64 * factor)
    spots = cv2.GaussianBlur(np.random.default_rng(0).normal(size=(side, side)), (0, 0), 2)
    low = Image(resize_array(np.where(spots > 0, 255, 0).astype(np.uint8)[..., None], 64, 64))
    assert agreeing(on_whole(make_consistent, enlarged(low, factor), low), low) >= share


@pytest.mark.parametrize("factor", [1.2, 2, 4])
def test_what_cannot_agree_is_gathered_in_few_values(factor):
    """Bright dots need a rim that is darker than black; squares of residuals spread that."""
    dots = np.random.default_rng(0).random((60, 60, 1)) < 0.1
    low = Image(np.where(dots, 245, 10).astype(np.uint8))
    assert agreeing(on_whole(make_consistent, enlarged(low, factor), low), low) > 0.5


@pytest.mark.parametrize("factor", [1.1, 1.5, 2, 4])
@pytest.mark.parametrize("stripes", [False, True])
def test_of_the_finest_patterns_a_result_gives_what_any_image_could(factor, stripes):
    """Their contrast after shrinking is greatest where every value is black or white."""
    rows, columns = np.indices((32, 32))
    signs = 1 - 2 * ((rows * (not stripes) + columns) % 2)
    low = Image((127.5 + 127 * signs).astype(np.uint8)[..., None])
    made = shrunk(on_whole(make_consistent, enlarged(low, factor), low), low)[..., 0]
    side = round(32 * factor)
    shrinking = resize(torch.eye(side, dtype=torch.float64), 32, side).numpy()
    most = 127.5 * np.abs(shrinking.T @ signs @ shrinking).mean() * factor**2
    assert most < 120
    assert ((made - 127.5) * signs).mean() == pytest.approx(most, rel=0.06)


@pytest.mark.parametrize("factor", [0.3, 0.5, 0.9, 0.99])
def test_a_smaller_result_comes_nearer_to_the_input(low, factor):
    high = enlarged(low, factor)
    made = on_whole(make_consistent, high, low)
    before, after = (np.abs(shrunk(one, low) - low.pixels).mean() for one in (high, made))
    assert after < before


def test_16_bits_become_consistent_within_a_256th(low):
    deep = Image(low.pixels.astype(np.uint16) * 257)
    assert agreeing(on_whole(make_consistent, enlarged(deep, 4), deep), deep) >= 0.999


def test_what_is_consistent_already_stays_within_a_level():
    ramp = np.linspace(20, 220, 24)
    smooth = Image(np.rint(ramp[:, None, None] * 0.5 + ramp[None, :, None] * 0.5).astype(np.uint8))
    high = enlarged(smooth, 4, noise=0, shift=0)
    moved = on_whole(make_consistent, high, smooth).pixels.astype(int) - high.pixels
    assert np.abs(moved).max() <= 2


def test_color_fix_takes_a_cast_away_and_leaves_the_detail(low):
    high = enlarged(low, 4, noise=3)
    plain = enlarged(low, 4, noise=3, shift=0)
    made = on_whole(fix_colors, high, low)
    assert np.abs((shrunk(made, low) - low.pixels).mean(axis=(0, 1))).max() < 0.3
    inner = slice(20, -20)
    difference = made.pixels[inner, inner].astype(float) - plain.pixels[inner, inner]
    assert np.abs(difference).mean() < 1


@settings(max_examples=20, deadline=None)
@given(
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    channels=st.sampled_from([1, 3]),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    factor=st.floats(0.5, 5),
)
def test_both_keep_shape_depth_and_gray(height, width, channels, dtype, factor):
    gray = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (height, width, 1), dtype)
    low = Image(np.repeat(gray, channels, axis=2))
    high = enlarged(low, factor)
    high = replace(high, pixels=np.repeat(high.pixels[..., :1], channels, axis=2))
    for correct in (fix_colors, make_consistent):
        made = on_whole(correct, high, low)
        assert made.pixels.shape == high.pixels.shape
        assert made.pixels.dtype == dtype
        assert made.gray


BOTH = [(fix_colors, fix_radius), (make_consistent, consistent_radius)]


@pytest.mark.parametrize(("correct", "radius"), BOTH)
def test_a_row_depends_on_no_more_than_the_stated_radius(correct, radius):
    rng = np.random.default_rng(0)
    low = Image(rng.integers(90, 160, (2 * radius(2) + 40, 6, 1), dtype=np.uint8))
    other = low.pixels.copy()
    other[:20] = 255 - other[:20]
    high = enlarged(low, 2, noise=5)
    lows = (low, replace(low, pixels=other))
    made, changed = (on_whole(correct, high, one).pixels for one in lows)
    far = 2 * (20 + radius(2))
    np.testing.assert_array_equal(made[far:], changed[far:])
    assert (made[:40] != changed[:40]).any()


@pytest.mark.parametrize(("correct", "radius"), BOTH)
@pytest.mark.parametrize(("height", "factor"), [(480, 4), (467, 1.37), (900, 0.6)])
def test_bands_are_exactly_those_of_the_whole(correct, radius, height, factor):
    rng = np.random.default_rng(0)
    low = Image(rng.integers(0, 65536, (height, 5, 3), dtype=np.uint16))
    noisy = enlarged(low, factor)
    high = replace(noisy, alpha=noisy.pixels[..., 0])
    bands = []
    for top in range(0, high.height, 150):
        made = RowRange(top, min(top + 150, high.height), high.height)
        band = plan_band(made, low.height, radius(factor))
        assert band.high_res.bottom - band.high_res.top < high.height
        bands.append(correct(part(high, band.high_res), part(low, band.low_res), band))
    whole = on_whole(correct, high, low)
    np.testing.assert_array_equal(np.concatenate([one.array for one in bands]), whole.array)


def test_a_gray_band_of_a_color_image_is_that_of_the_whole():
    low = Image(np.random.default_rng(0).integers(0, 65536, (80, 7, 3), dtype=np.uint16))
    low.pixels[:60] = low.pixels[:60, :, :1]
    high = enlarged(low, 2)
    high.pixels[:120] = high.pixels[:120, :, :1]
    band = plan_band(RowRange(0, 64, 160), 80, fix_radius(2))
    made = fix_colors(part(high, band.high_res), part(low, band.low_res), band)
    np.testing.assert_array_equal(made.pixels, on_whole(fix_colors, high, low).pixels[:64])


def part(image: Image, rows: RowRange) -> Image:
    alpha = None if image.alpha is None else image.alpha[rows.top : rows.bottom]
    return replace(image, pixels=image.pixels[rows.top : rows.bottom], alpha=alpha)

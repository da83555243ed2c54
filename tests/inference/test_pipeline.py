"""Sizes exact to the pixel, and the passes that lead there."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srgan_cli.errors import OptionError
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.inference.pipeline import (
    PROGRESS_STEPS,
    UpscalePipeline,
    plan_passes,
    split_progress,
)
from srgan_cli.resample import resize_array
from srgan_cli.settings import ImageSize, OutputSize, Postprocess

SIDES = st.integers(1, 20_000)


@pytest.mark.parametrize(
    ("size", "height", "width", "expected"),
    [
        (OutputSize(), 10, 7, ImageSize(40, 28)),
        (OutputSize(scale=Fraction("2.5")), 5, 3, ImageSize(13, 8)),
        (OutputSize(scale=Fraction("0.1")), 4, 4, ImageSize(1, 1)),
        (OutputSize(box=(1920, 1080)), 100, 100, ImageSize(1080, 1080)),
        (OutputSize(box=(1920, 1080)), 100, 400, ImageSize(480, 1920)),
        (OutputSize(width=100), 30, 40, ImageSize(75, 100)),
        (OutputSize(height=99), 30, 40, ImageSize(99, 132)),
        (OutputSize(megapixels=1.2), 30, 40, ImageSize(949, 1265)),
    ],
)
def test_sides(size, height, width, expected):
    assert size.of(height, width, native=4) == expected


@given(SIDES, SIDES, st.integers(1, 5000), st.integers(1, 5000))
def test_a_box_is_filled_and_never_left(height, width, wide, high):
    sides = OutputSize(box=(wide, high)).of(height, width, 4)
    assert sides.width <= wide
    assert sides.height <= high
    assert sides.width == wide or sides.height == high


@pytest.mark.parametrize(
    ("factor", "scales", "passes"),
    [
        ("4", [4], (4,)),
        ("2", [2, 3, 4], (2,)),
        ("2.5", [2, 3, 4], (3,)),
        ("5", [4], (4, 4)),
        ("5", [2, 3, 4], (2, 3)),
        ("8", [2, 4], (2, 4)),
        ("16.5", [4], (4, 4, 4)),
        ("1", [4], ()),
        ("0.5", [4], ()),
    ],
)
def test_the_fewest_passes_then_the_smallest_product(factor, scales, passes):
    target = OutputSize(scale=Fraction(factor)).of(100, 200, 4)
    assert plan_passes(100, 200, target, scales) == passes


@given(SIDES, SIDES, st.fractions(Fraction(1, 4), 20))
def test_passes_reach_the_target_and_one_fewer_would_not(height, width, factor):
    target = OutputSize(scale=factor).of(height, width, 4)
    passes = plan_passes(height, width, target, [2, 4])
    product = 1
    for scale in passes:
        product *= scale
    assert height * product >= min(target.height, height) or not passes
    if passes:
        assert height * product >= target.height
        assert width * product >= target.width
        fewer = 4 ** (len(passes) - 1)
        assert height * fewer < target.height or width * fewer < target.width


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": Fraction(2), "width": 5},
        {"width": 5, "height": 5},
        {"scale": Fraction(0)},
        {"box": (0, 5)},
        {"megapixels": -1.0},
        {"megapixels": float("nan")},
    ],
)
def test_sizes_that_make_no_sense_are_refused(wrong):
    with pytest.raises(OptionError):
        OutputSize(**wrong)


def test_more_passes_than_are_sensible_are_refused():
    with pytest.raises(OptionError, match="passes"):
        plan_passes(1, 1, ImageSize(10**6, 1), [2])


def test_a_single_pass_reports_its_tiles_and_several_report_one_job():
    seen: list[tuple[int, int]] = []
    (only,) = split_progress(lambda *step: seen.append(step), [1])
    only(3, 16)
    first, second = split_progress(lambda *step: seen.append(step), [1, 3])
    first(1, 2)
    second(1, 3)
    second(3, 3)
    eighths = [round(PROGRESS_STEPS * part / 8) for part in (1, 4, 8)]
    assert seen == [(3, 16), *((part, PROGRESS_STEPS) for part in eighths)]


@pytest.fixture
def photo(photo_file: Path) -> Image:
    return Image(read_image(photo_file).pixels[60:110, 80:140])


def test_bicubic_is_corrected_too(photo):
    plain = UpscalePipeline(size=OutputSize(Fraction(2)))
    fixed, consistent = (
        replace(plain, postprocess=options)(photo).pixels
        for options in (Postprocess(color_fix=True), Postprocess(consistent=True))
    )

    def residual(pixels: np.ndarray) -> float:
        shrunk = resize_array(pixels, photo.height, photo.width)
        return np.abs(shrunk.astype(float) - photo.pixels).mean()

    assert residual(consistent) < residual(plain(photo).pixels) / 2
    assert (fixed != plain(photo).pixels).any()


def test_what_is_not_enlarged_is_not_corrected(photo):
    for scale in (Fraction(1), Fraction(1, 2)):
        plain = UpscalePipeline(size=OutputSize(scale))
        made = replace(plain, postprocess=Postprocess(color_fix=True, consistent=True))(photo)
        np.testing.assert_array_equal(made.pixels, plain(photo).pixels)

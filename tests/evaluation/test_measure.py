"""Figures of methods on images."""

from pathlib import Path

import numpy as np
import pytest
from helpers import noise, save

from srgan_cli.evaluation.image_pairs import Failure, ImagePair, downscale
from srgan_cli.evaluation.measure import FIDELITY, ImageMeasurements, means, measure, measure_all
from srgan_cli.evaluation.methods import Method, bicubic
from srgan_cli.images.image import Image


def perfect(example_high: Image) -> Method:
    return Method("perfect", lambda low_res, scale: example_high)


def test_figures_are_of_what_a_method_makes_within_the_border() -> None:
    example = downscale(noise(96, 96), 4)
    spoiled = example.high_res.pixels.copy()
    spoiled[:4] = 0

    score = measure(example, [perfect(Image(spoiled))], FIDELITY)[0]

    assert score.figures["psnr_y"] == np.inf
    assert score.figures["ssim_rgb"] == pytest.approx(1)
    assert measure(example, [perfect(Image(spoiled))], FIDELITY, border=0)[0].figures["psnr_y"] < 30


def test_one_bad_image_is_named_and_the_rest_measured(tmp_path: Path) -> None:
    good, other = save(tmp_path, "a.png", "b.png", height=64, width=64)
    bad = tmp_path / "text.png"
    bad.write_text("not an image")
    pairs = [ImagePair(good), ImagePair(bad), ImagePair(other)]

    first, failure, last = measure_all(pairs, [bicubic()], FIDELITY, scale=2)

    assert isinstance(failure, Failure)
    assert failure.name == "text.png"
    assert isinstance(first, ImageMeasurements)
    assert isinstance(last, ImageMeasurements)


def test_means_are_taken_method_by_method(tmp_path: Path) -> None:
    paths = save(tmp_path, "a.png", "b.png", height=64, width=64)
    measured = list(measure_all([ImagePair(p) for p in paths], [bicubic()], FIDELITY, scale=2))

    (mean,) = means([one for one in measured if isinstance(one, ImageMeasurements)])

    figures = [
        one.scores[0].figures["psnr_y"] for one in measured if isinstance(one, ImageMeasurements)
    ]
    assert mean.figures["psnr_y"] == pytest.approx(sum(figures) / 2)
    assert means([]) == ()


def test_an_error_that_nobody_foresaw_is_the_failure_of_its_image(tmp_path: Path) -> None:
    def broken(image: Image, scale: int) -> Image:
        raise TypeError("of a codec")

    (high_res,) = save(tmp_path, "a.png")
    (failure,) = measure_all([ImagePair(high_res)], [Method("broken", broken)], FIDELITY, scale=2)
    assert isinstance(failure, Failure)
    assert failure.name == "a.png"
    assert "TypeError: of a codec" in failure.reason

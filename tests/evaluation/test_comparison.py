"""Crops side by side, and sweeps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import noise, save

from srgan_cli.evaluation.comparison import (
    CropComparison,
    CropOptions,
    compare_all,
    compare_crop,
    rows_of,
    sweep,
    upscale_crop,
)
from srgan_cli.evaluation.crops import Crop, cut
from srgan_cli.evaluation.measure import Failure, ImagePair, LoadedPair
from srgan_cli.evaluation.methods import bicubic, build_methods
from srgan_cli.metrics import FIDELITY, Metric
from srgan_cli.settings import Machine, MethodOptions
from srgan_cli.weights.container import Weights

Ends = tuple[Weights, Weights]


@pytest.mark.usefixtures("personal")
@pytest.mark.parametrize("crop", [Crop(0, 0, 8, 8), Crop(11, 9, 5, 7), Crop(30, 20, 10, 12)])
def test_an_upscaled_crop_is_that_of_the_whole(crop: Crop) -> None:
    subject = LoadedPair(noise(32, 40), 4)
    for method in build_methods(MethodOptions(models=("lone",), machine=Machine("cpu", "fp32"))):
        whole = method.upscale(subject.low_res, 4)
        part = upscale_crop(subject, crop, method)
        difference = part.pixels.astype(int) - cut(whole, crop.times(4)).pixels
        assert np.abs(difference).max() <= 1  # sums of floats in another order


def test_figures_are_taken_of_all_but_the_original() -> None:
    crop = Crop(0, 0, 32, 32)
    low_res, high_res = noise(32, 32), noise(128, 128)

    alone = compare_crop(LoadedPair(low_res, 4), crop, [bicubic()], FIDELITY)
    paired = compare_crop(LoadedPair(low_res, 4, high_res), crop, [bicubic()], FIDELITY)

    assert [list(one.figures) for one in alone.results] == [[]]
    assert [one.method for one in paired.results] == ["bicubic", "original"]
    assert list(paired.results[0].figures) == ["psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb"]
    assert not paired.results[1].figures


def test_rows_are_the_part_and_its_middle_twice_as_large() -> None:
    compared = compare_crop(LoadedPair(noise(16, 16), 2), Crop(4, 4, 8, 8), [bicubic()], ())

    whole, middle = rows_of(compared, ())

    assert [cell.label for cell in whole.cells] == ["input, its pixels", "bicubic"]
    assert whole.cells[1].pixels.shape == middle.cells[1].pixels.shape == (16, 16, 3)
    assert np.array_equal(middle.cells[1].pixels[::2, ::2], whole.cells[1].pixels[4:12, 4:12])


def test_methods_with_rows_of_their_own_stand_below_the_others() -> None:
    methods = [replace(bicubic(), name=f"{row}{i}", row=row) for row in "ab" for i in range(2)]
    subject = LoadedPair(noise(16, 16), 2, noise(32, 32))
    compared = compare_crop(subject, Crop(4, 4, 8, 8), [bicubic(), *methods], FIDELITY[:1])

    rows = rows_of(compared, FIDELITY[:1])

    labels = [[cell.label for cell in row.cells] for row in rows]
    first = ["input, its pixels", "bicubic", "original"]
    assert labels == [first, ["a0", "a1"], ["b0", "b1"]] * 2
    assert [row.title for row in rows[1:3]] == ["a", "b"]
    assert "100 %" in rows[0].title
    assert "200 %" in rows[3].title
    assert all("PSNR" in cell.note for cell in rows[2].cells)


def test_a_crop_by_hand_is_in_pixels_of_the_photograph(tmp_path: Path) -> None:
    (photo,) = save(tmp_path, "a.png", height=64, width=64)
    parts = CropOptions((Crop(16, 8, 32, 32),))

    (shrunk_first,) = compare_all([ImagePair(photo)], [bicubic()], (), parts, 4)
    (as_it_is,) = compare_all([ImagePair(None, photo)], [bicubic()], (), parts, 4)

    assert isinstance(shrunk_first, list)
    assert isinstance(as_it_is, list)
    assert shrunk_first[0].crop == Crop(4, 2, 8, 8)
    assert as_it_is[0].crop == Crop(16, 8, 32, 32)


def test_a_photograph_that_cannot_be_compared_is_named(tmp_path: Path) -> None:
    (photo,) = save(tmp_path, "a.png", height=64, width=64)
    sources = [
        ImagePair(None, tmp_path / "missing.png"),
        ImagePair(photo, photo),
        ImagePair(None, photo),
    ]

    missing, same, good = compare_all(sources, [bicubic()], FIDELITY, CropOptions(), 4)

    assert isinstance(missing, Failure)
    assert isinstance(same, list)
    assert same[0].scale == 1
    assert isinstance(good, list)
    assert isinstance(good[0], CropComparison)


PERCEPTION = Metric("mean", "mean", lambda ours, original: float(np.abs(ours - original).mean()))


def test_a_sweep_is_a_strip_and_with_a_perceptual_metric_a_curve(ends: Ends) -> None:
    low_res, high_res = noise(24, 24), noise(96, 96)

    strip = sweep(ends, LoadedPair(low_res, 4), (0, 0.5, 1))
    both = sweep(ends, LoadedPair(low_res, 4, high_res), (0, 0.5, 1), PERCEPTION)

    assert strip.width > 3 * 96
    assert both.height > strip.height + 300


@pytest.mark.parametrize("perceptual", [None, PERCEPTION])
def test_a_sweep_without_an_original_is_a_strip(ends: Ends, perceptual: Metric | None) -> None:
    strip = sweep(ends, LoadedPair(noise(8, 8), 4), (0, 1), perceptual)

    assert strip.height < 300  # a panel of a curve is 400 high

"""What spoils a whole batch at once does to each sample what OpenCV does to it alone."""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from training_helpers import picture

from srgan_cli.training import degradation
from srgan_cli.training.blur_kernels import blur_kernel, sinc_kernel
from srgan_cli.training.jpeg import as_jpeg
from srgan_cli.training.patches import as_planes, bicubic_low
from srgan_cli.training.rounds import CLEAN, Compression
from srgan_cli.training.spoiling import blurred, compressed, noisy, resized, spoiled_lows
from srgan_cli.training.treatments import Grain, Treatment, spoiled


def pictures(count: int, side: int = 64) -> torch.Tensor:
    """(count, 3, side, side) levels, one of them nothing but noise."""
    made = [as_planes(picture(seed, side, side)) for seed in range(count - 1)]
    chance = np.random.default_rng(count).integers(0, 256, (side, side, 3))
    return torch.stack([as_planes(chance.astype(np.uint8)), *made])


def pixels(planes: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(planes.permute(1, 2, 0).numpy())


def chance(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("quality", [30, 49, 50, 75, 95])
@pytest.mark.parametrize("halved", [True, False])
def test_jpeg_gives_back_what_libjpeg_gives(quality: int, halved: bool) -> None:
    soft = cv2.GaussianBlur(pixels(pictures(1)[0]), (0, 0), 4)
    given = torch.cat([pictures(3), as_planes(soft)[None]])
    how = [Compression(top, 7 - top, halved, quality) for top in (0, 3, 4, 7)]
    for ours, high, each in zip(compressed(given, how), given, how, strict=True):
        theirs = degradation.compressed(pixels(high), each)
        assert np.abs(pixels(ours) - theirs).mean() < 1.5
        assert np.abs((pixels(ours) - theirs).mean(axis=(0, 1))).max() < 0.5


def test_a_flat_colour_passes_jpeg_as_it_does_in_libjpeg() -> None:
    flat = torch.tensor([77.0, 130.0, 20.0])[:, None, None].expand(3, 16, 16)
    for quality in (30, 60, 90):
        theirs = degradation.compressed(pixels(flat), Compression(0, 0, True, quality))
        ours = as_jpeg(flat[None], [quality], [True])[0]
        assert np.abs(pixels(ours) - theirs).max() <= 1


def test_each_sample_is_blurred_with_its_own_kernel() -> None:
    rng = np.random.default_rng(4)
    kernels = [blur_kernel(rng, (0.3, 2.4)) for _ in range(7)] + [sinc_kernel(rng)]
    given = pictures(len(kernels))
    for ours, high, kernel in zip(blurred(given, kernels), given, kernels, strict=True):
        assert pixels(ours) == pytest.approx(degradation.filtered(pixels(high), kernel), abs=0.01)


@pytest.mark.parametrize("kind", range(3))
def test_resizing_is_opencvs_and_goes_on_mirrored(kind: int) -> None:
    given, after = pictures(5, 40), [8, 17, 20, 41, 55]
    done = resized(given, [40] * 5, after, [kind] * 5)
    assert done.shape == (5, 3, 55, 55)
    for ours, high, side in zip(done, given, after, strict=True):
        filter_ = degradation.FILTERS[kind]
        theirs = cv2.resize(pixels(high), (side, side), interpolation=filter_)
        around = cv2.copyMakeBorder(theirs, 0, 55 - side, 0, 55 - side, cv2.BORDER_REFLECT_101)
        assert pixels(ours) == pytest.approx(around, abs=0.01)


def test_samples_of_several_sides_come_out_as_they_would_alone() -> None:
    rng = np.random.default_rng(2)
    given, sides = pictures(3), (24, 36, 64)
    kernels = [blur_kernel(rng, (0.3, 1.0)) for _ in sides]
    courses = [
        (Treatment(side=side, filter=1), Treatment(kernel=kernel, side=16, filter=0))
        for side, kernel in zip(sides, kernels, strict=True)
    ]
    lows = spoiled_lows(given, 4, courses, chance(0))
    for ours, high, side, kernel in zip(lows, given, sides, kernels, strict=True):
        small = cv2.resize(pixels(high), (side, side), interpolation=cv2.INTER_LINEAR)
        soft = degradation.filtered(small, kernel)
        theirs = cv2.resize(soft, (16, 16), interpolation=cv2.INTER_AREA)
        assert pixels(ours) == pytest.approx(theirs.clip(0, 255), abs=0.51)


def test_noise_is_as_strong_and_as_gray_as_decided() -> None:
    flat = torch.full((4, 3, 64, 64), 100.0)
    grains = [
        Grain(gaussian, poisson, gray)
        for gaussian, poisson in ((8.0, 0.0), (0.0, 0.5))
        for gray in (True, False)
    ]
    grain = noisy(flat, grains, chance(1)) - flat
    for each, strength in zip(grain, (8, 8, 5, 5), strict=True):
        assert float(each.std()) == pytest.approx(strength, rel=0.05)
    same = [bool(torch.equal(each[0], each[2])) for each in grain]
    assert same == [True, False, True, False]
    assert not torch.equal(grain[0] / 8, grain[2] / 5)


def test_a_sample_without_a_course_is_shrunk_as_the_papers_do() -> None:
    given = pictures(4)
    courses = [(), spoiled(64, 4, np.random.default_rng(7)), (), ()]
    assert courses[1]
    lows = spoiled_lows(given, 4, courses, chance(0))
    for place in (0, 2, 3):
        theirs = bicubic_low(given[place], 4, np.random.default_rng(0))
        difference = (lows[place] - theirs).abs()
        assert difference.max() <= 1  # halves may be rounded otherwise in a larger product
        assert difference.mean() < 0.01


def test_a_low_picture_depends_on_its_own_high_one_alone() -> None:
    given = pictures(8)
    courses = [spoiled(64, 4, np.random.default_rng(seed)) for seed in range(8)]
    assert {len(course) for course in courses} == {0, 1, 4}
    before = spoiled_lows(given, 4, courses, chance(0))
    for replaced in range(8):
        other = given.clone()
        other[replaced] = 255 - given[replaced]
        after = spoiled_lows(other, 4, courses, chance(0))
        same = [torch.equal(a, b) for a, b in zip(before, after, strict=True)]
        assert same == [place != replaced for place in range(8)]


Statistic = Callable[[torch.Tensor, torch.Tensor], float]


def psnr(low: torch.Tensor, clean: torch.Tensor) -> float:
    return float(10 * torch.log10(255**2 / (low - clean).square().mean().clamp(min=0.1)))


def roughness(low: torch.Tensor, clean: torch.Tensor) -> float:
    return float(low.diff(dim=2).abs().mean() / clean.diff(dim=2).abs().mean())


def colour(low: torch.Tensor, clean: torch.Tensor) -> float:
    """How much more channels differ."""
    return float((low - clean).diff(dim=0).abs().mean())


COUNT = 400

KINDS = np.array([np.random.default_rng(seed).random() for seed in range(COUNT)])
"""What chance decides first: clean, lightly spoiled or badly."""

STATISTICS = pytest.mark.parametrize("statistic", [psnr, roughness, colour])


@pytest.fixture(scope="module")
def lows() -> dict[str, list[torch.Tensor]]:
    """One picture spoiled often, by the same decisions: at once and one by one."""
    high = pictures(2)[1]
    courses = [spoiled(64, 4, np.random.default_rng(seed)) for seed in range(COUNT)]
    batch = spoiled_lows(high.expand(COUNT, 3, 64, 64), 4, courses, chance(5))
    alone = [degradation.spoiled_low(high, 4, np.random.default_rng(i)) for i in range(COUNT)]
    return {"at once": list(batch), "alone": alone}


def of_each(statistic: Statistic, lows: list[torch.Tensor]) -> np.ndarray:
    clean = bicubic_low(pictures(2)[1], 4, np.random.default_rng(0))
    return np.array([statistic(low, clean) for low in lows])


@STATISTICS
def test_the_same_decisions_spoil_as_much_in_a_batch_as_alone(lows, statistic: Statistic) -> None:
    """All that differs is which noise: far less than what the decisions make of it."""
    some = KINDS >= CLEAN
    ours, theirs = (of_each(statistic, lows[name])[some] for name in ("at once", "alone"))
    difference = ours - theirs
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(difference))
    assert difference.std() < 0.5 * ours.std()


@pytest.mark.gpu
def test_a_gpu_makes_what_a_cpu_makes_but_for_rounding_and_noise() -> None:
    given = pictures(16)
    decided = [spoiled(64, 4, np.random.default_rng(seed)) for seed in range(16)]
    quiet = [tuple(replace(step, grain=None) for step in course) for course in decided]
    on_cpu = spoiled_lows(given, 4, quiet, chance(0))
    on_gpu = spoiled_lows(given.cuda(), 4, quiet, torch.Generator("cuda")).cpu()
    assert (on_gpu - on_cpu).abs().mean() < 0.5
    noises = [torch.Generator("cuda").manual_seed(3) for _ in range(2)]
    once, again = (spoiled_lows(given.cuda(), 4, decided, noise) for noise in noises)
    assert torch.equal(once, again)

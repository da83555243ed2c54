"""PSNR and SSIM against values computed by hand; distances between features."""

import math
import sys
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch

from srgan_cli.errors import ImageError, OptionError
from srgan_cli.metrics import distance_by, feature_distance, lpips_distance, psnr, ssim, to_y

Measure = Callable[..., float]


def flat(level: int, side: int = 16, dtype: type = np.uint8) -> np.ndarray:
    return np.full((side, side, 3), level, dtype)


def random_image(seed: int, side: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def test_luma_goes_from_16_to_235() -> None:
    colors = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]])

    luma = to_y(colors.astype(np.uint8))

    assert luma[0] == pytest.approx([16, 235, 81.481, 144.553, 40.966])


def test_psnr_of_one_level_everywhere() -> None:
    step_of_y = 219 / 255

    assert psnr(flat(100), flat(101), channel="rgb") == pytest.approx(20 * math.log10(255))
    assert psnr(flat(100), flat(101)) == pytest.approx(20 * math.log10(255 / step_of_y))


def test_psnr_of_one_wrong_sample_by_hand() -> None:
    ours, truth = flat(0, side=2), flat(0, side=2)
    ours[0, 0, 1] = 12  # a squared error of 144 among 12 samples

    assert psnr(ours, truth, channel="rgb") == pytest.approx(10 * math.log10(255**2 / 12))


def test_equal_images_are_infinitely_and_wholly_alike() -> None:
    image = random_image(0)

    assert psnr(image, image) == math.inf
    assert ssim(image, image) == pytest.approx(1)


def test_the_border_is_left_out() -> None:
    ours, truth = random_image(0), random_image(0)
    ours[:4], ours[-4:], ours[:, :4], ours[:, -4:] = 0, 0, 0, 0

    assert psnr(ours, truth) < 30
    assert psnr(ours, truth, border=4) == math.inf
    assert ssim(ours, truth, border=4) == pytest.approx(1)


def test_ssim_of_two_flat_images_is_their_luminance_term() -> None:
    c1 = (0.01 * 255) ** 2
    by_hand = (2 * 50 * 100 + c1) / (50**2 + 100**2 + c1)

    assert ssim(flat(50), flat(100), channel="rgb") == pytest.approx(by_hand)


def test_ssim_of_a_single_window_by_hand() -> None:
    ours, truth = (random_image(seed, side=11) for seed in (1, 2))
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weight = np.outer(line, line) / line.sum() ** 2
    a, b = to_y(ours), to_y(truth)
    mean_a, mean_b = (weight * a).sum(), (weight * b).sum()
    covariance = (weight * (a - mean_a) * (b - mean_b)).sum()
    variances = (weight * (a - mean_a) ** 2).sum() + (weight * (b - mean_b) ** 2).sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)

    assert ssim(ours, truth) == pytest.approx(luminance * (2 * covariance + c2) / (variances + c2))


@pytest.mark.parametrize("channel", ["y", "rgb"])
def test_ssim_agrees_with_an_independent_implementation(channel: str) -> None:
    reference = pytest.importorskip("skimage.metrics").structural_similarity
    truth = random_image(0)
    ours = cv2.GaussianBlur(truth, (0, 0), 1)
    a, b = (to_y(p)[..., None] if channel == "y" else p.astype(float) for p in (ours, truth))

    theirs = reference(
        a,
        b,
        data_range=255,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )

    assert ssim(ours, truth, channel=channel) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_sixteen_bits_measure_like_eight(measure: Measure) -> None:
    ours, truth = random_image(0), random_image(1)
    deep = measure(ours.astype(np.uint16) * 257, truth.astype(np.uint16) * 257)

    assert deep == pytest.approx(measure(ours, truth))


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_gray_equals_three_equal_channels(measure: Measure) -> None:
    gray, truth = random_image(0)[..., :1], random_image(1)

    for channel in ("y", "rgb"):
        both = measure(gray, truth, channel=channel), measure(gray.repeat(3, 2), truth, 0, channel)
        assert both[0] == pytest.approx(both[1])


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_images_of_different_size_are_refused(measure: Measure) -> None:
    with pytest.raises(ImageError, match="16 x 16 and 12 x 12"):
        measure(flat(0, 16), flat(0, 12))


def test_too_little_inside_the_border_is_refused() -> None:
    with pytest.raises(ImageError, match="border of 8"):
        psnr(flat(0), flat(0), border=8)
    with pytest.raises(ImageError, match="11 x 11"):
        ssim(flat(0), flat(0), border=4)


def pixels_as_features(rgb: torch.Tensor) -> list[torch.Tensor]:
    return [rgb]


def test_equal_features_have_no_distance_and_unrelated_ones_2() -> None:
    red, blue = flat(0), flat(0)
    red[..., 0], blue[..., 2] = 200, 80

    assert feature_distance(pixels_as_features, red, red) == 0
    assert feature_distance(pixels_as_features, red, blue) == pytest.approx(2)


def test_features_are_compared_by_direction_alone() -> None:
    assert feature_distance(pixels_as_features, flat(100), flat(200)) == pytest.approx(0, abs=1e-6)


def test_the_distance_is_the_mean_of_the_layers() -> None:
    red, blue = flat(0), flat(0)
    red[..., 0], blue[..., 2] = 200, 80

    def two_layers(rgb: torch.Tensor) -> list[torch.Tensor]:
        return [rgb, torch.ones(1, 4, 2, 2)]  # the second sees no difference

    assert feature_distance(two_layers, red, blue) == pytest.approx(1)


def test_a_comparing_network_sees_values_from_minus_1_to_1() -> None:
    def range_of(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        assert a.shape == b.shape == (1, 3, 16, 16)
        return b.max() - a.min()

    assert distance_by(range_of)(flat(0), flat(255)) == pytest.approx(2)


def test_lpips_without_its_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lpips", None)

    with pytest.raises(OptionError, match="pip install lpips"):
        lpips_distance()

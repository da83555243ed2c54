"""What `photo`'s low-resolution training images go through."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from training_helpers import random_image

from srgan_cli.training.degradation import (
    BICUBIC_SHARE,
    HEAVY_FIRST,
    LIGHT,
    Degradation,
    add_noise,
    apply,
    bicubic_downsample,
    blur_kernel,
    compress,
    degrade,
    sinc_kernel,
)
from srgan_cli.training.patches import as_planes


@pytest.fixture
def high_res() -> torch.Tensor:
    return as_planes(random_image(1, 96, 96))


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(10 * torch.log10(255**2 / (a - b).square().mean().clamp(min=1e-9)))


def test_a_degraded_image_follows_from_its_random_numbers_alone(high_res) -> None:
    for seed in range(30):
        once, again = (degrade(high_res, 4, np.random.default_rng(seed)) for _ in range(2))
        assert torch.equal(once, again)
        assert once.shape == (3, 24, 24)
        assert torch.equal(once, once.round().clamp(0, 255))


def test_some_are_untouched_most_lightly_degraded_and_few_heavily(high_res) -> None:
    clean = bicubic_downsample(high_res, 4, np.random.default_rng(0))
    distances = [psnr(degrade(high_res, 4, np.random.default_rng(i)), clean) for i in range(300)]
    untouched = np.mean([d > 90 for d in distances])
    assert untouched == pytest.approx(BICUBIC_SHARE, abs=0.06)
    assert np.mean([d > 24 for d in distances]) > 0.5
    assert np.mean([d < 22 for d in distances]) > 0.02


def test_color_and_brightness_stay_on_average(high_res) -> None:
    lows = torch.stack([degrade(high_res, 4, np.random.default_rng(i)) for i in range(200)])
    shift = lows.mean(dim=(0, 2, 3)) - high_res.mean(dim=(1, 2))
    assert shift.abs().max() < 1.0


def test_kernels_sum_to_one_and_are_odd() -> None:
    for seed in range(100):
        rng = np.random.default_rng(seed)
        for kernel in (blur_kernel(rng, (0.2, 3.0)), sinc_kernel(rng)):
            assert kernel.sum() == pytest.approx(1, abs=1e-4)
            assert kernel.shape[0] == kernel.shape[1]
            assert 7 <= kernel.shape[0] <= 21
            assert kernel.shape[0] % 2 == 1


def without_noise(degradation: Degradation) -> Degradation:
    return replace(degradation, noise=0.0, compression=0.0, blur=1.0)


def test_a_constant_stays_constant_under_blur_and_resizing() -> None:
    flat = np.full((80, 92, 3), 77, np.float32)
    for degradation in (LIGHT, HEAVY_FIRST):
        for seed in range(30):
            made = apply(without_noise(degradation), flat, (20, 23), np.random.default_rng(seed))
            assert made == pytest.approx(np.full_like(made, 77), abs=0.05)


def test_images_of_any_proportions_end_as_large_as_the_scale_has_it() -> None:
    for height, width in ((384, 380), (96, 48), (48, 384), (380, 20)):
        wide = as_planes(random_image(2, height, width))
        for seed in range(40):
            low_res = degrade(wide, 4, np.random.default_rng(seed))
            assert low_res.shape == (3, height // 4, width // 4)


def test_noise_is_gray_or_colored_and_as_strong_as_said() -> None:
    flat = np.full((64, 64, 3), 100, np.float32)
    grays, strengths = [], []
    for seed in range(60):
        noise = add_noise(flat, HEAVY_FIRST, np.random.default_rng(seed)) - flat
        grays.append(bool(np.allclose(noise[..., 0], noise[..., 1])))
        strengths.append(noise.std())
    assert 0.2 < np.mean(grays) < 0.6
    assert min(strengths) > 0.3
    assert max(strengths) < 17  # of Gaussian noise 15, of light's at this level 15


def test_compression_keeps_colors_in_order_and_starts_its_blocks_anywhere() -> None:
    red = np.zeros((32, 32, 3), np.float32)
    red[..., 0] = 200
    for seed in range(8):  # JPEG and WebP
        assert compress(red, (90, 90), np.random.default_rng(seed)) == pytest.approx(red, abs=9)
    ramp = np.broadcast_to(np.linspace(0, 255, 64)[None, :, None], (64, 64, 3)).astype(np.float32)
    results = [compress(ramp, (30, 30), np.random.default_rng(seed)) for seed in range(6)]
    assert len({result.tobytes() for result in results}) > 3

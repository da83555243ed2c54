"""What spoils the pictures that `photo` learns from."""

import numpy as np
import pytest
import torch
from training_helpers import picture

from srgan_cli.training.blur_kernels import blur_kernel, sinc_kernel
from srgan_cli.training.degradation import (
    FILTERS,
    compressed,
    filtered,
    noisy,
    resized,
    spoiled_low,
)
from srgan_cli.training.patches import as_planes, bicubic_low
from srgan_cli.training.rounds import CLEAN, FIRST, Compression
from srgan_cli.training.treatments import Grain


@pytest.fixture
def high() -> torch.Tensor:
    return as_planes(picture(1, 96, 96))


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(10 * torch.log10(255**2 / (a - b).square().mean().clamp(min=1e-9)))


def test_a_spoiled_picture_follows_from_its_random_numbers_alone(high) -> None:
    for seed in range(30):
        once, again = (spoiled_low(high, 4, np.random.default_rng(seed)) for _ in range(2))
        assert torch.equal(once, again)
        assert once.shape == (3, 24, 24)
        assert torch.equal(once, once.round().clamp(0, 255))


def test_many_are_clean_or_lightly_spoiled_and_some_badly(high) -> None:
    clean = bicubic_low(high, 4, np.random.default_rng(0))
    distances = [psnr(spoiled_low(high, 4, np.random.default_rng(i)), clean) for i in range(300)]
    untouched = np.mean([d > 90 for d in distances])
    assert untouched == pytest.approx(CLEAN, abs=0.08)
    assert np.mean([d > 26 for d in distances]) > 0.5
    assert np.mean([d < 25 for d in distances]) > 0.05


def test_colour_and_brightness_stay_on_average(high) -> None:
    lows = torch.stack([spoiled_low(high, 4, np.random.default_rng(i)) for i in range(200)])
    shift = lows.mean(dim=(0, 2, 3)) - high.mean(dim=(1, 2))
    assert shift.abs().max() < 1.0


def test_kernels_sum_to_one_and_are_odd() -> None:
    for seed in range(100):
        rng = np.random.default_rng(seed)
        for kernel in (blur_kernel(rng, (0.2, 3.0)), sinc_kernel(rng)):
            assert kernel.sum() == pytest.approx(1, abs=1e-4)
            assert kernel.shape[0] == kernel.shape[1]
            assert 7 <= kernel.shape[0] <= 21
            assert kernel.shape[0] % 2 == 1


def test_a_constant_stays_constant_under_blur_and_resizing() -> None:
    flat = np.full((40, 40, 3), 77, np.float32)
    for seed in range(30):
        rng = np.random.default_rng(seed)
        assert filtered(flat, blur_kernel(rng, (0.2, 3.0))) == pytest.approx(flat, abs=0.02)
    for kind in range(len(FILTERS)):
        assert resized(flat, (17, 23), kind) == pytest.approx(np.full((17, 23, 3), 77), abs=0.02)


def test_pictures_of_any_proportions_end_as_large_as_the_scale_has_it() -> None:
    for height, width in ((384, 380), (96, 48), (48, 384), (380, 20)):
        wide = as_planes(picture(2, height, width))
        for seed in range(40):
            low = spoiled_low(wide, 4, np.random.default_rng(seed))
            assert low.shape == (3, height // 4, width // 4)


def test_noise_is_gray_or_coloured_and_as_strong_as_said() -> None:
    flat = np.full((64, 64, 3), 100, np.float32)
    grays, strengths = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        grain = noisy(flat, Grain.of_chance(FIRST, rng), rng) - flat
        grays.append(bool(np.allclose(grain[..., 0], grain[..., 1])))
        strengths.append(grain.std())
    assert 0.2 < np.mean(grays) < 0.6
    assert min(strengths) > 0.3
    assert max(strengths) < 17  # of Gaussian noise 15, of light's at this level 15


def of_quality(quality: int, seed: int) -> Compression:
    return Compression.of_chance((quality, quality), np.random.default_rng(seed))


def test_compression_keeps_colours_in_order_and_begins_its_blocks_anywhere() -> None:
    red = np.zeros((32, 32, 3), np.float32)
    red[..., 0] = 200
    assert compressed(red, of_quality(90, 0)) == pytest.approx(red, abs=4)
    ramp = np.broadcast_to(np.linspace(0, 255, 64)[None, :, None], (64, 64, 3)).astype(np.float32)
    results = [compressed(ramp, of_quality(30, seed)) for seed in range(6)]
    assert len({result.tobytes() for result in results}) > 3

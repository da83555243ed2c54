import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from srgan_cli.resample import cubic, enlarge, resize, resize_array, taps

sides = st.integers(1, 30)


def test_the_kernel_is_keys_cubic_with_a_half():
    """(a+2)|x|^3 - (a+3)|x|^2 + 1, then a|x|^3 - 5a|x|^2 + 8a|x| - 4a, with a = -0.5."""
    expected = [1, 0.8671875, 0.5625, 0.2265625, 0, -0.0703125, -0.0625, -0.0234375, 0]
    np.testing.assert_allclose(cubic(np.arange(9) / 4), expected)
    np.testing.assert_allclose(cubic(-np.arange(9) / 4), expected)


def test_twice_as_large_mixes_four_samples_by_hand():
    """Output 2i lies a quarter before sample i: the kernel at 1.75, 0.75, 0.25 and 1.25."""
    signal = torch.zeros(1, 1, 1, 9)
    signal[..., 4] = 1
    row = resize(signal, 1, 18)[0, 0, 0]
    expected = [-0.0234375, -0.0703125, 0.2265625, 0.8671875]
    torch.testing.assert_close(row[5:9], torch.tensor(expected))
    torch.testing.assert_close(row[9:13], torch.tensor(expected[::-1]))


def test_half_as_large_uses_the_kernel_twice_as_wide():
    """Output i lies at 2i + 0.5: the kernel at half the distance, and half as high."""
    signal = torch.zeros(1, 1, 1, 16)
    signal[..., 8] = 1
    row = resize(signal, 1, 8)[0, 0, 0]
    expected = cubic(np.array([7, 3, 1, 5]) / 4) / 2
    np.testing.assert_allclose(row[2:6].numpy(), expected, atol=1e-7)


@pytest.mark.parametrize("target", [7, 20, 41])
def test_a_ramp_stays_a_ramp_away_from_its_ends(target):
    ramp = torch.arange(20.0, dtype=torch.float64)[None, None, None]
    row = resize(ramp, 1, target)[0, 0, 0].numpy()
    exact = (np.arange(target) + 0.5) * 20 / target - 0.5
    inside = (exact > 2 * max(1, 20 / target)) & (exact < 19 - 2 * max(1, 20 / target))
    assert inside.any()
    np.testing.assert_allclose(row[inside], exact[inside], atol=1e-9 if target >= 20 else 0.02)


@given(sides, sides, sides, sides)
def test_a_flat_picture_stays_flat(height, width, tall, wide):
    flat = torch.full((1, 1, height, width), 0.7, dtype=torch.float64)
    torch.testing.assert_close(
        resize(flat, tall, wide), torch.full((1, 1, tall, wide), 0.7, dtype=torch.float64)
    )


@given(sides, sides, st.integers(1, 5))
def test_enlarging_is_resizing_by_an_integer(height, width, scale):
    torch.manual_seed(height)
    pictures = torch.rand(2, 3, height, width, dtype=torch.float64)
    torch.testing.assert_close(
        enlarge(pictures, scale), resize(pictures, height * scale, width * scale)
    )


def test_large_pictures_take_the_same_weights_as_small_ones():
    """Beyond 2^16 weights samples are gathered instead of multiplied by a matrix."""
    signal = torch.rand(1, 1, 1, 600, dtype=torch.float64)
    index, weight = taps(600, 150, 0.25)
    expected = (signal[0, 0, 0].numpy()[index] * weight).sum(axis=1)
    np.testing.assert_allclose(resize(signal, 1, 150)[0, 0, 0].numpy(), expected)


def test_both_ways_are_differentiable():
    pictures = torch.rand(1, 1, 6, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: resize(x, 3, 9), (pictures,))
    assert torch.autograd.gradcheck(lambda x: enlarge(x, 2), (pictures,))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_arrays_keep_their_depth_and_are_clipped(depth):
    top = np.iinfo(depth).max
    step = np.zeros((8, 8), depth)
    step[:, 4:] = top
    large = resize_array(step, 32, 32)
    assert large.dtype == depth
    assert large.min() == 0
    assert large.max() == top
    assert resize_array(np.dstack([step] * 3), 5, 7).shape == (5, 7, 3)

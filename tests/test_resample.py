import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from srgan_cli.resample import (
    RowRange,
    all_rows,
    cubic,
    input_rows,
    resize,
    resize_array,
    resize_band,
    resize_levels,
    resize_rows,
    taps,
    upscale_bicubic,
)

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


@settings(deadline=None)
@given(sides, sides, sides, sides)
def test_a_flat_image_stays_flat(height, width, tall, wide):
    flat = torch.full((1, 1, height, width), 0.7, dtype=torch.float64)
    torch.testing.assert_close(
        resize(flat, tall, wide), torch.full((1, 1, tall, wide), 0.7, dtype=torch.float64)
    )


@settings(deadline=None)
@given(sides, sides, st.integers(1, 5))
def test_upscaling_is_resizing_by_an_integer(height, width, scale):
    torch.manual_seed(height)
    images = torch.rand(2, 3, height, width, dtype=torch.float64)
    torch.testing.assert_close(
        upscale_bicubic(images, scale), resize(images, height * scale, width * scale)
    )


@pytest.mark.parametrize("target", [150, 599, 601, 1200, 1817])
def test_large_images_take_the_same_weights_as_small_ones(target):
    """Beyond 2^16 weights they are multiplied in blocks instead of at once."""
    signal = torch.rand(2, 1, 600, dtype=torch.float64)
    index, weight = taps(600, target, target / 600)
    expected = (signal.numpy()[..., index] * weight).sum(axis=-1)
    np.testing.assert_allclose(resize(signal, 1, target).numpy(), expected)
    np.testing.assert_allclose(resize(signal.mT, target, 1).mT.numpy(), expected)


@settings(deadline=None)
@given(st.integers(1, 99), st.integers(1, 99), sides, st.integers(1, 40), st.integers(1, 3))
def test_levels_are_resized_with_the_same_weights(height, width, tall, wide, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (height + 1, width, channels), np.uint8)
    planes = torch.from_numpy(pixels[1:]).permute(2, 0, 1).double()
    made = resize_levels(pixels[1:], tall, wide)
    torch.testing.assert_close(made.double(), resize(planes, tall, wide), atol=2e-4, rtol=0)


def test_levels_at_half_the_size_are_exact():
    """All weights are fractions of 256: nothing is rounded, whatever the order of sums."""
    pixels = np.random.default_rng(0).integers(0, 256, (80, 90, 3), np.uint8)
    planes = torch.from_numpy(pixels).permute(2, 0, 1).double()
    assert torch.equal(resize_levels(pixels, 40, 45).double(), resize(planes, 40, 45))


@settings(deadline=None)
@given(st.integers(1, 90), st.integers(1, 200), st.data())
def test_rows_are_the_same_out_of_any_part_that_has_what_they_need(height, target, data):
    torch.manual_seed(0)
    image = torch.rand(height, 7)
    top = data.draw(st.integers(0, target - 1))
    made = RowRange(top, data.draw(st.integers(top + 1, target)), target)
    seen = input_rows(made, height)
    part = resize_rows(image[seen.top : seen.bottom], seen, made, 11)
    whole = resize_rows(image, all_rows(height), all_rows(target), 11)
    assert torch.equal(part, whole[made.top : made.bottom])


def test_both_ways_are_differentiable():
    images = torch.rand(1, 1, 6, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: resize(x, 3, 9), (images,))
    assert torch.autograd.gradcheck(lambda x: upscale_bicubic(x, 2), (images,))
    plane = torch.rand(40, 3, dtype=torch.float64, requires_grad=True)
    parts = all_rows(40), RowRange(5, 50, 70), 4
    assert torch.autograd.gradcheck(lambda x: resize_rows(x, *parts), (plane,))


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


def test_a_band_of_an_array_is_that_of_the_whole():
    pixels = np.random.default_rng(0).integers(0, 65536, (90, 8, 3), dtype=np.uint16)
    made = RowRange(30, 70, 120)
    seen = input_rows(made, 90)
    band = resize_band(pixels[seen.top : seen.bottom], seen, made, 13)
    np.testing.assert_array_equal(band, resize_array(pixels, 120, 13)[30:70])

"""Stages of the upsampler: for upscaling as in training."""

import pytest
import torch
from torch.nn.functional import conv2d, leaky_relu

from srgan_cli.networks.fast import (
    RGBConv,
    UpsamplingStage,
    binomial_filter,
    filter_and_activate,
)


def stage(binomial: bool = True) -> UpsamplingStage:
    torch.manual_seed(0)
    made = UpsamplingStage(3, 4, 2, binomial)
    torch.nn.init.normal_(made[0].weight)
    torch.nn.init.normal_(made[0].bias)
    return made.double()


def test_the_binomial_filter_has_its_weights_and_a_border_of_zeros():
    point = torch.zeros(1, 2, 5, 5)
    point[0, 0, 2, 2] = 16
    line = torch.tensor([1.0, 2.0, 1.0])
    filtered = binomial_filter(point)
    torch.testing.assert_close(filtered[0, 0, 1:4, 1:4], line[:, None] * line)
    assert filtered[0, 0].sum() == 16
    assert not filtered[0, 1].any()
    corner = binomial_filter(torch.ones(1, 1, 3, 3))[0, 0]
    assert (corner[1, 1], corner[0, 1], corner[0, 0]) == (1, 0.75, 0.5625)


@torch.inference_mode()
def filtered(x: torch.Tensor) -> torch.Tensor:
    """As upscaling computes it."""
    return binomial_filter(x)


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 9, 5), (2, 3, 7, 11)])
def test_upscaling_gives_what_training_computes(shape):
    x = torch.randn(shape, dtype=torch.float64)
    for one in (stage(), stage(binomial=False)):
        expected = one(x.requires_grad_())
        with torch.inference_mode():
            made = one(x)
        assert expected.requires_grad
        torch.testing.assert_close(made, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels", [1, 3, 16, 20])
def test_a_pixel_is_the_same_to_the_bit_wherever_it_lies(channels, dtype):
    x = torch.randn(1, channels, 40, 50).to(dtype).contiguous(memory_format=torch.channels_last)
    whole = filtered(x)
    for top, left, bottom, right in ((1, 2, 40, 50), (7, 0, 22, 33), (3, 11, 9, 18)):
        part = filtered(x[..., top:bottom, left:right])
        expected = whole[..., top + 1 : bottom - 1, left + 1 : right - 1]
        assert torch.equal(part[..., 1:-1, 1:-1], expected)


def test_sums_of_half_precision_are_rounded_once():
    x = torch.randn(1, 2, 12, 10).bfloat16()
    exact = filtered(x.double())
    made = filtered(x)
    torch.testing.assert_close(made, exact.bfloat16(), rtol=2**-8, atol=1e-6)
    assert (made == exact.bfloat16()).float().mean() > 0.97


def test_the_filter_comes_before_the_activation():
    x = torch.randn(1, 4, 6, 5)
    torch.testing.assert_close(
        filter_and_activate(x.clone(), True), leaky_relu(binomial_filter(x), 0.2)
    )
    assert torch.equal(filter_and_activate(x.clone(), False), leaky_relu(x, 0.2))


@pytest.mark.parametrize("processor", ["DEFAULT", "AVX2", "AVX512"])
@pytest.mark.parametrize("shape", [(1, 4, 1, 4), (2, 4, 9, 6), (1, 4, 5, 7), (1, 4, 3, 24)])
def test_pixels_made_at_once_are_those_made_singly(processor, shape, monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: processor)
    torch.manual_seed(0)
    layer, x = RGBConv(4, 3), torch.randn(shape)
    expected = conv2d(x, layer.weight, layer.bias, padding=1)
    for given in (x, x.contiguous(memory_format=torch.channels_last)):
        with torch.no_grad():
            made = layer(given)
        torch.testing.assert_close(made, expected, atol=1e-6, rtol=0)
    layer(x).sum().backward()
    assert layer.weight.grad is not None

"""Scaled channels: the same function, and channels that are alike."""

import torch
from torch import nn

from srgan_cli.networks.calibration import (
    LEAST_SHARE,
    channel_scales,
    equalize,
    fit_channels,
    int8_layers,
    scales_of_inputs,
)
from srgan_cli.networks.fast import Fast


def network(scale: int = 4, slope: float = 0.1, middle: tuple[int, ...] = ()) -> Fast:
    torch.manual_seed(3)
    made = Fast(scale, 8, 2, 4, negative_slope=slope, binomial=True, middle=middle).eval()
    nn.init.normal_(made.to_rgb.weight, std=0.05)
    return made


def some_scales(net: Fast) -> tuple[tuple[float, ...], ...]:
    generator = torch.Generator().manual_seed(0)
    widths = [8, *(block.conv1.out_channels for block in net.body)]
    return tuple(tuple((torch.rand(n, generator=generator) + 0.2).tolist()) for n in widths)


@torch.no_grad()
def test_an_equalized_network_is_the_same_function_at_every_scale_and_pruned():
    x = torch.rand(1, 3, 20, 23)
    for net in (network(), network(3), network(1), network(2, 0.0), network(4, 0.1, (5, 7))):
        before = {name: value.clone() for name, value in net.state_dict().items()}
        equal = equalize(net, some_scales(net))
        torch.testing.assert_close(equal(x), net(x), rtol=1e-4, atol=1e-5)
        assert (equal.head.weight != net.head.weight).any()
        assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


@torch.no_grad()
def test_inputs_of_layers_are_divided_by_the_scales():
    net, x = network(), torch.rand(1, 3, 20, 23)
    scales = some_scales(net)
    seen: dict[str, list[torch.Tensor]] = {"plain": [], "equal": []}
    for name, one in (("plain", net), ("equal", equalize(net, scales))):
        for layer in int8_layers(one):
            layer.register_forward_pre_hook(
                lambda _, inputs, name=name: seen[name].append(inputs[0].clone())
            )
        one(x)
    divisors = scales_of_inputs(scales, len(seen["plain"]))
    for plain, equal, divisor in zip(seen["plain"], seen["equal"], divisors, strict=True):
        expected = plain / divisor.view(1, -1, 1, 1)
        torch.testing.assert_close(equal, expected, rtol=1e-4, atol=1e-5)


def test_large_channels_are_divided_by_more_and_silent_ones_harm_nothing():
    maxima = [torch.ones(8) for _ in int8_layers(network())]
    maxima[1] = torch.tensor([100.0, 1, 1, 1, 1, 1, 1, 0])
    maxima[3] = torch.zeros(8)
    stream, first, second = channel_scales(network(), maxima)
    assert stream == second == (1.0,) * 8
    assert first[0] > 10 * first[1] > 0
    assert first[7] >= first[0] * LEAST_SHARE
    assert fit_channels((stream, first, second), network())
    assert not fit_channels((stream, first), network())

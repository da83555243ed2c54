"""Scales of channels: large channels are divided by more."""

from dataclasses import replace

import torch

from srgan_cli.networks.calibration import (
    KEPT_RANGES,
    LEAST_SHARE,
    Calibration,
    calibrate,
    channel_scales,
    int8_layers,
    positive_layers,
)
from srgan_cli.networks.fast import Fast


def network(scale: int = 4, middle: tuple[int, ...] = ()) -> Fast:
    torch.manual_seed(3)
    return Fast(scale, 8, 2, 4, negative_slope=0.1, binomial=True, middle=middle).eval()


def calibration(net: Fast) -> Calibration:
    return calibrate(net, [torch.rand(1, 3, 20, 23)])


def test_large_channels_are_divided_by_more_and_silent_ones_harm_nothing():
    maxima = torch.tensor([100.0, 1, 1, 1, 1, 1, 1, 0])
    scales = channel_scales(-maxima / 2, maxima)
    assert scales[0] > 10 * scales[1] > 0
    assert scales[7] >= scales[0] * LEAST_SHARE
    for even in (torch.ones(8), torch.zeros(8)):
        assert channel_scales(-even, even, signed=True) == (1.0,) * 8


def test_channels_that_reach_further_below_0_are_turned_where_that_is_possible():
    lows, highs = torch.tensor([-4.0, -1, -1, 0]), torch.tensor([1.0, 4, 1, 0])
    turned = channel_scales(lows, highs, signed=True)
    assert [scale < 0 for scale in turned] == [True, False, False, False]
    assert channel_scales(lows, highs) == tuple(map(abs, turned))


def test_behind_an_activation_no_scale_is_negative():
    net = network()
    torch.nn.init.normal_(net.head.bias)
    made = calibration(net)
    positive = positive_layers(net)
    assert positive == {1, 3, 6}
    for index, row in enumerate(made.scales):
        assert (min(row) < 0) == (index not in positive)
        negative = (*made.scales[:index], tuple(-abs(s) for s in row), *made.scales[index + 1 :])
        assert replace(made, scales=negative).fits(net) == (index not in positive)


def test_every_layer_has_scales_of_its_own():
    for net in (network(), network(3), network(1), network(4, (5, 7))):
        made = calibration(net)
        assert made.fits(net)
        assert len({made.scales[0], made.scales[2], made.scales[4]}) == 3  # of one residual stream
        assert not replace(made, scales=made.scales[:-1]).fits(net)
        assert not replace(made, scales=((1.0,), *made.scales[1:])).fits(net)
        assert not replace(made, floats=frozenset([5])).fits(net)
    assert not calibration(network()).fits(network(4, (5, 7)))


@torch.no_grad()
def test_ranges_are_of_inputs_divided_by_the_scales():
    net, image = network(), torch.rand(1, 3, 20, 23)
    seen: list[torch.Tensor] = []
    for layer in int8_layers(net):
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    made = calibrate(net, [image])
    for x, scales, (low, high) in zip(seen, made.scales, made.ranges, strict=True):
        divided = x / torch.tensor(scales).view(1, -1, 1, 1)
        expected = torch.stack([divided.amin().clamp(max=0), divided.amax().clamp(min=0)])
        torch.testing.assert_close(torch.tensor([low, high]), KEPT_RANGES[0] * expected)

"""How a network runs in int8: ranges of activations, and scales of their channels.

A layer's input is divided by the scales before it is rounded, and its weights are multiplied by
them: 8 bits then suit all channels. The scales follow from activations, as in Xiao et al.,
"SmoothQuant", 2022, https://arxiv.org/abs/2211.10438. Each layer has its own, also those that read
the same residual stream: it grows from block to block. There channels that reach further below 0
than above it have a negative scale, so that all reach further above it: one range then suits them.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from srgan_cli.networks.fast import Fast

EXPONENT = 0.6
"""Of a channel's largest activation. With 1 activations have all channels alike, and weights get
the differences; as measured on vivid ends."""
LEAST_SHARE = 1e-3
"""Channels below this share of the largest one are scaled as if they reached it."""
DIGITS = 4
"""Of a scale, in files too."""

KEPT_RANGES = (0.85, 0.7)
"""Shares of the range of activations that integers stand for; what is beyond it is rare, and is
clipped. As measured, most faithful ends lose least with the first, vivid ones with the second."""

MIN_PSNR = 54.0
"""dB from float32 that a network in int8 must reach: `--precision auto` asks a file's record for
it, and convolutions stay in floats until it is reached."""

Range = tuple[float, float]
"""The least and the largest value of a tensor."""

ChannelScales = tuple[tuple[float, ...], ...]
"""Of the input channels of each of `int8_layers`."""


@dataclass(frozen=True)
class Calibration:
    """How a network runs in int8.

    ranges: of the inputs of `int8_layers`, divided by `scales`. floats: indices of convolutions of
    the body that stay in floats: what is rounded there costs most.
    """

    ranges: tuple[Range, ...]
    scales: ChannelScales
    floats: frozenset[int] = frozenset()

    def fits(self, network: Fast) -> bool:
        """Whether it is one of this network's form."""
        widths = [convolution(layer).in_channels for layer in int8_layers(network)]
        return (
            len(self.ranges) == len(widths)
            and [len(row) for row in self.scales] == widths
            and all(min(self.scales[index]) > 0 for index in positive_layers(network))
            and self.floats <= set(range(len(widths) - len(network.up)))
        )


def int8_layers(network: Fast) -> list[nn.Module]:
    """Those that can run in int8, in forward order: convolutions, then the upsampler's stages."""
    body = [
        layer
        for part in (network.body, network.body_end)
        for layer in part.modules()
        if isinstance(layer, nn.Conv2d)
    ]
    return [*body, *network.up]


def positive_layers(network: Fast) -> set[int]:
    """Indices of the `int8_layers` whose scales are positive: activations are right before them.

    They are the second convolutions of the blocks, and the upsampler's stages but for the first.
    """
    end = 2 * len(network.body)
    return {*range(1, end, 2), *range(end + 2, end + 1 + len(network.up))}


def convolution(layer: nn.Module) -> nn.Conv2d:
    """layer: of `int8_layers`."""
    found = layer if isinstance(layer, nn.Conv2d) else layer[0]  # type: ignore[index]
    assert isinstance(found, nn.Conv2d)
    return found


@torch.inference_mode()
def calibrate(network: Fast, images: Sequence[Tensor], kept: float = KEPT_RANGES[0]) -> Calibration:
    """With nothing in floats. images: (B, 3, H, W) in [0, 1]. kept: share of the range."""
    layers = int8_layers(network)
    lows: dict[nn.Module, list[Tensor]] = {layer: [] for layer in layers}
    highs: dict[nn.Module, list[Tensor]] = {layer: [] for layer in layers}

    def see(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        lows[layer].append(inputs[0].amin((0, 2, 3)))  # (C,); they keep a NaN
        highs[layer].append(inputs[0].amax((0, 2, 3)))

    with ExitStack() as hooks:
        for layer in layers:
            hooks.callback(layer.register_forward_pre_hook(see).remove)
        for image in images:
            network(image)
    extremes = [
        (torch.stack(lows[layer]).amin(0), torch.stack(highs[layer]).amax(0)) for layer in layers
    ]
    positive = positive_layers(network)
    scales = [
        channel_scales(low, high, signed=index not in positive)
        for index, (low, high) in enumerate(extremes)
    ]
    ranges = [
        _kept_range(torch.stack([low, high]) / divisors, kept)
        for (low, high), divisors in zip(extremes, map(torch.tensor, scales), strict=True)
    ]
    return Calibration(tuple(ranges), tuple(scales))


def _kept_range(extremes: Tensor, kept: float) -> Range:
    low, high = kept * float(extremes.amin()), kept * float(extremes.amax())
    return min(low, 0.0), max(high, 0.0)


def channel_scales(lows: Tensor, highs: Tensor, signed: bool = False) -> tuple[float, ...]:
    """lows, highs: (C,), the least and the largest value of each channel.

    The geometric mean of the scales' sizes is 1. signed: whether those of channels that reach
    further below 0 than above it are negative.
    """
    maxima = torch.maximum(-lows, highs)
    largest = maxima.max()
    shares = (maxima / largest.where(largest > 0, 1.0)).clamp_min(LEAST_SHARE)
    logs = shares.log()
    scales = (EXPONENT * (logs - logs.mean())).exp()
    if signed:
        scales = scales.where(-lows <= highs, -scales)
    return round_digits(scales, DIGITS)


def round_digits(values: Tensor, digits: int) -> tuple[float, ...]:
    """(n,) -> n numbers of so many significant digits."""
    return tuple(float(f"{value:.{digits}g}") for value in values.tolist())

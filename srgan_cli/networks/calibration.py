"""How a network runs in int8: ranges of activations, and scales of channels.

Scaled channels are the same function, at no cost in time, and 8 bits suit all of them. What
channels are divided by, the next layer's weights are multiplied by, as in Nagel et al., "Data-free
quantization through weight equalization and bias correction", 2019,
https://arxiv.org/abs/1906.04721. The scales follow from activations, as in Xiao et al.,
"SmoothQuant", 2022, https://arxiv.org/abs/2211.10438.
"""

import copy
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from srgan_cli.networks.fast import Block, Fast

EXPONENT = 0.75
"""Of a channel's largest activation. With 1 activations have all channels alike, and weights get
the differences; as measured on vivid ends."""
LEAST_SHARE = 1e-3
"""Channels below this share of the largest one are scaled as if they reached it."""
DIGITS = 4
"""Of a scale, in files too."""

KEPT_RANGE = 0.8
"""The share of the range of activations that integers stand for; what is beyond it is rare, and is
clipped. On the vivid end of `photo` .75 was 2 dB better than .6, and .5 dB better than .85."""
Range = tuple[float, float]
"""The least and the largest value of a tensor."""

ChannelScales = tuple[tuple[float, ...], ...]
"""Of the channels of the residual stream, then of those inside each block."""


@dataclass(frozen=True)
class Calibration:
    """How a network runs in int8.

    ranges: of the inputs of `int8_layers`, once channels are divided by `scales`. floats: indices
    of convolutions of the body that stay in floats: what is rounded there costs most.
    """

    ranges: tuple[Range, ...]
    scales: ChannelScales
    floats: frozenset[int] = frozenset()

    def fits(self, network: Fast) -> bool:
        """Whether it is one of this network's form."""
        convolutions = range(2 * len(network.body) + 1)
        return (
            len(self.ranges) == len(int8_layers(network))
            and fit_channels(self.scales, network)
            and self.floats <= set(convolutions)
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


@torch.inference_mode()
def calibrate(network: Fast, images: Sequence[Tensor]) -> Calibration:
    """With nothing in floats. images: (B, 3, H, W) in [0, 1]."""
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
    by_layer = [
        (torch.stack(lows[layer]).amin(0), torch.stack(highs[layer]).amax(0)) for layer in layers
    ]
    scales = channel_scales(network, [torch.maximum(-low, high) for low, high in by_layer])
    divisors = scales_of_inputs(scales, len(layers))
    ranges = [
        (_kept((low / divisor).amin()), _kept((high / divisor).amax()))
        for (low, high), divisor in zip(by_layer, divisors, strict=True)
    ]
    return Calibration(tuple((min(low, 0.0), max(high, 0.0)) for low, high in ranges), scales)


def _kept(extreme: Tensor) -> float:
    return KEPT_RANGE * float(extreme)


def channel_scales(network: Fast, maxima: Sequence[Tensor]) -> ChannelScales:
    """maxima: the largest absolute value of each channel, of every input of `int8_layers`."""
    inside = 2 * len(network.body)
    stream = [*maxima[:inside:2], *maxima[inside : inside + 2]]
    return tuple(_scales(tensors) for tensors in (stream, *([one] for one in maxima[1:inside:2])))


def _scales(tensors: Sequence[Tensor]) -> tuple[float, ...]:
    """Of channels that are the same in all tensors: the geometric mean counts; theirs is 1."""
    logs = torch.stack([_relative(one).log() for one in tensors]).mean(0)
    scales = (EXPONENT * (logs - logs.mean())).exp()
    return tuple(float(f"{scale:.{DIGITS}g}") for scale in scales.tolist())


def _relative(maxima: Tensor) -> Tensor:
    largest = maxima.max()
    return (maxima / largest.where(largest > 0, 1.0)).clamp_min(LEAST_SHARE)


def fit_channels(scales: ChannelScales, network: Fast) -> bool:
    """Whether there is one for each channel."""
    widths = [network.head.out_channels, *(block.conv1.out_channels for block in _blocks(network))]
    return [len(one) for one in scales] == widths


def scales_of_inputs(scales: ChannelScales, layers: int) -> list[Tensor]:
    """By layer of `int8_layers`, of which there are so many: what its input is divided by."""
    stream, *inside = map(torch.tensor, scales)
    blocks = [one for middle in inside for one in (stream, middle)]
    return [*blocks, stream, stream, *[torch.ones(())] * layers][:layers]


@torch.no_grad()
def equalize(network: Fast, scales: ChannelScales) -> Fast:
    """A network of the same function whose channels are divided by `scales`."""
    equal = copy.deepcopy(network)
    stream, *inside = map(torch.tensor, scales)
    for block, middle in zip(_blocks(equal), inside, strict=True):
        _rescale(block.conv1, inputs=stream, outputs=middle)
        _rescale(block.conv2, inputs=middle, outputs=stream)
    _rescale(equal.head, outputs=stream)
    _rescale(equal.body_end, inputs=stream, outputs=stream)
    _rescale(_layer_after_body(equal), inputs=stream)
    return equal


def _blocks(network: Fast) -> Iterator[Block]:
    return (block for block in network.body if isinstance(block, Block))


def _layer_after_body(network: Fast) -> nn.Conv2d:
    layer = network.up[0][0] if len(network.up) else network.to_rgb  # type: ignore[index]
    assert isinstance(layer, nn.Conv2d)
    return layer


def _rescale(
    layer: nn.Conv2d, *, inputs: Tensor | None = None, outputs: Tensor | None = None
) -> None:
    if inputs is not None:
        layer.weight *= inputs.view(1, -1, 1, 1)
    if outputs is not None:
        layer.weight /= outputs.view(-1, 1, 1, 1)
        if layer.bias is not None:
            layer.bias /= outputs

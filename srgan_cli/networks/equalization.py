"""Channels scaled so that 8 bits suit all of a tensor: the same function, at no cost in time.

What channels are divided by, the next layer's weights are multiplied by, as in Nagel et al.,
"Data-free quantization through weight equalization and bias correction", 2019,
https://arxiv.org/abs/1906.04721. The scales follow from activations, as in Xiao et al.,
"SmoothQuant", 2022, https://arxiv.org/abs/2211.10438.
"""

import copy
from collections.abc import Iterator, Sequence

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

ChannelScales = tuple[tuple[float, ...], ...]
"""Of the channels of the residual stream, then of those inside each block."""


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
    _rescale(_behind_body(equal), inputs=stream)
    return equal


def _blocks(network: Fast) -> Iterator[Block]:
    return (block for block in network.body if isinstance(block, Block))


def _behind_body(network: Fast) -> nn.Conv2d:
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

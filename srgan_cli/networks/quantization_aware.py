"""A network for int8 in training: rounding in the forward pass, as if it were none in the backward.

How activations are rounded is trained, as in Esser et al., "Learned step size quantization", 2020,
https://arxiv.org/abs/1902.08153; what is done without the gradient of rounding is from Jacob et
al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference",
2018, https://arxiv.org/abs/1712.05877. Weights are not trained: `round_weights_` rounds them once.
"""

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from srgan_cli.networks.calibration import (
    DIGITS,
    Calibration,
    Range,
    convolution,
    int8_layers,
    round_digits,
)
from srgan_cli.networks.fast import Fast
from srgan_cli.networks.int8 import LEVELS, weight_steps

RANGE_DIGITS = 6
"""Of the ends of a range, in files too."""

LEAST_STEP = 1e-6
"""Between two levels, where a range is empty."""


class QuantizationAware(nn.Module):
    """A `Fast` with trained ranges and channel scales of the inputs of its `int8_layers`.

    Its outputs are those of int8, but for the rounding of weights.
    """

    def __init__(self, network: Fast, calibration: Calibration) -> None:
        super().__init__()
        self.network, self.scale = network.requires_grad_(False), network.scale
        self.inputs = nn.ModuleList(
            FakeQuantization(*parts)
            for parts in zip(calibration.ranges, calibration.scales, strict=True)
        )

    def forward(self, low_res: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, sH, sW)."""
        with ExitStack() as hooks:
            for layer, inputs in zip(int8_layers(self.network), self.inputs, strict=True):

                def rounded(_: nn.Module, given: Any, inputs: nn.Module = inputs) -> Any:
                    return inputs(*given)

                hooks.callback(layer.register_forward_pre_hook(rounded).remove)
            made: Tensor = self.network(low_res)
        return made

    def calibration(self) -> Calibration:
        """With ranges and channel scales as trained so far."""
        inputs = [part for part in self.inputs if isinstance(part, FakeQuantization)]
        ranges = tuple(part.range for part in inputs)
        return Calibration(ranges, tuple(part.channel_scales for part in inputs))


class FakeQuantization(nn.Module):
    """(B, C, H, W), rounded to 256 levels of a range that is scaled for each channel."""

    start: Tensor
    channels: Tensor

    def __init__(self, values: Range, channels: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("start", torch.tensor(values))
        self.register_buffer("channels", torch.tensor(channels))
        self.logs = nn.Parameter(torch.zeros(2))
        """Logarithms of both ends' ratio to `start`: trained."""
        self.channel_logs = nn.Parameter(torch.zeros(len(channels)))
        """Logarithms of the scales' ratio to `channels`: trained."""

    def ends(self) -> Tensor:
        """(2,): the least and the largest value; 0 is between them."""
        return self.start * self.logs.exp()

    def scales(self) -> Tensor:
        """(C,)."""
        return self.channels * self.channel_logs.exp()

    @property
    def range(self) -> Range:
        low, high = round_digits(self.ends(), RANGE_DIGITS)
        return low, high

    @property
    def channel_scales(self) -> tuple[float, ...]:
        return round_digits(self.scales(), DIGITS)

    def forward(self, x: Tensor) -> Tensor:
        low, high = self.ends().unbind()
        step = ((high - low) / LEVELS).clamp_min(LEAST_STEP)
        zero_point = _round(-low / step)
        steps = step * self.scales().view(1, -1, 1, 1)
        levels = _round(x / steps) + zero_point
        return (levels.clamp(0, LEVELS) - zero_point) * steps


@torch.no_grad()
def round_weights_(network: Fast, calibration: Calibration) -> None:
    """Make the weights of its `int8_layers` those that int8 has.

    The network in floats and in int8 then differ by the rounding of activations alone.
    """
    for layer, scales in zip(int8_layers(network), calibration.scales, strict=True):
        weight = convolution(layer).weight
        divisors = torch.tensor(scales, device=weight.device).view(1, -1, 1, 1)
        steps = weight_steps(weight * divisors).view(-1, 1, 1, 1) / divisors
        weight.copy_((weight / steps).round_().mul_(steps))


def _round(x: Tensor) -> Tensor:
    """With the gradient of x."""
    return x + (x.round() - x).detach()

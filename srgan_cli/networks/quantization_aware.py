"""Training of a network for int8: rounding in the forward pass, as if it were none in the backward.

Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
inference", 2018, https://arxiv.org/abs/1712.05877; the ranges of activations are trained as in
Esser et al., "Learned step size quantization", 2020, https://arxiv.org/abs/1902.08153.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from srgan_cli.networks.calibration import Calibration, Range, convolution, int8_layers
from srgan_cli.networks.fast import Fast, UpsamplingStage, filter_and_activate
from srgan_cli.networks.int8 import LEVELS, weight_steps
from srgan_cli.networks.layers import depth_to_space
from srgan_cli.networks.precision import bicubic

RANGE_RATE = 10.0
"""Ranges are trained so many times as fast as weights: each is two numbers."""

DIGITS = 6
"""Of the ends of a range, in files too."""

LEAST_STEP = 1e-6
"""Between two levels, where a range is empty."""


class QuantizationAware(nn.Module):
    """A `Fast` with trained ranges of the inputs of its `int8_layers`.

    In training mode (B, 3, H, W) -> (2 B, 3, sH, sW): first the outputs in int8, then those in
    float32. Else only those in int8, (B, 3, sH, sW).
    """

    def __init__(self, network: Fast, calibration: Calibration) -> None:
        super().__init__()
        self.network, self.scale = network, network.scale
        self.channel_scales = calibration.scales
        self.layers = int8_layers(network)  # a list: they are in `network`
        self.inputs = nn.ModuleList(
            FakeQuantization(*parts)
            for parts in zip(calibration.ranges, calibration.scales, strict=True)
        )

    def forward(self, low_res: Tensor) -> Tensor:
        quantized = self._quantized(low_res)
        return torch.cat([quantized, self.network(low_res)]) if self.training else quantized

    def _quantized(self, low_res: Tensor) -> Tensor:
        network = self.network
        shallow = x = network.head(low_res)
        for number, block in enumerate(network.residual_blocks):
            middle = block.activation(self._conv(2 * number, x))
            x = self._conv(2 * number + 1, middle) + x
        end = 2 * len(network.residual_blocks)
        x = self._conv(end, x) + shallow
        for number, stage in enumerate(network.up, start=end + 1):
            assert isinstance(stage, UpsamplingStage)
            upscaled = depth_to_space(self._conv(number, x, stage.order), stage.scale)
            x = filter_and_activate(upscaled, stage.binomial)
        return bicubic(low_res, self.scale) + network.to_rgb(x)

    def _conv(self, index: int, x: Tensor, order: Tensor | slice = slice(None)) -> Tensor:
        """order: of the outputs, by their indices in the layer."""
        layer, inputs = convolution(self.layers[index]), self.inputs[index]
        assert isinstance(inputs, FakeQuantization)
        weight = layer.weight[order] * inputs.channels
        bias = None if layer.bias is None else layer.bias[order]
        return conv2d(inputs(x), _round_weight(weight), bias, padding=layer.padding)

    def calibration(self) -> Calibration:
        """With the ranges as trained so far."""
        inputs = [part for part in self.inputs if isinstance(part, FakeQuantization)]
        return Calibration(tuple(part.range for part in inputs), self.channel_scales)


class FakeQuantization(nn.Module):
    """Divides (B, C, H, W) by a factor for each channel, and rounds it to 256 levels of a range."""

    start: Tensor
    channels: Tensor

    def __init__(self, values: Range, channels: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("start", torch.tensor(values))
        self.register_buffer("channels", torch.tensor(channels).view(1, -1, 1, 1))
        self.logs = nn.Parameter(torch.zeros(2))
        """Logarithms of both ends' ratio to `start`, divided by RANGE_RATE: trained."""

    def ends(self) -> Tensor:
        """(2,): the least and the largest value; 0 is between them."""
        return self.start * (RANGE_RATE * self.logs).exp()

    @property
    def range(self) -> Range:
        low, high = (float(f"{end:.{DIGITS}g}") for end in self.ends().tolist())
        return low, high

    def forward(self, x: Tensor) -> Tensor:
        low, high = self.ends().unbind()
        step = ((high - low) / LEVELS).clamp_min(LEAST_STEP)
        zero_point = _round(-low / step)
        levels = _round(x / (self.channels * step)) + zero_point
        return (levels.clamp(0, LEVELS) - zero_point) * step


def _round_weight(weight: Tensor) -> Tensor:
    """(O, I, k, k), as in int8."""
    steps = weight_steps(weight).view(-1, 1, 1, 1)
    return _round(weight / steps) * steps


def _round(x: Tensor) -> Tensor:
    """With the gradient of x."""
    return x + (x.round() - x).detach()

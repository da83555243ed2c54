"""8-bit integer convolutions on CPUs, by the operators of PyTorch's own compiler (oneDNN).

Weights have a scale per output channel, activations one scale and zero point per tensor, as in
Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
inference", 2018, https://arxiv.org/abs/1712.05877. The operators are private: `int8_problem` says
where they are missing or do not work. Tried with PyTorch 2.13.
"""

import copy
import warnings
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu_, pad

from srgan_cli.networks.calibration import Calibration, Range, convolution
from srgan_cli.networks.fast import Block, Fast, UpsamplingStage, filter_and_activate
from srgan_cli.networks.layers import bicubic, depth_to_space

LEVELS = 255
WEIGHT_LEVELS = 127
"""Of one weight, and of the sum of two neighbors of one sign: see `weight_steps`."""


@dataclass(frozen=True)
class Quantization:
    """real = scale (quantized - zero_point), quantized from 0 to 255."""

    scale: float
    zero_point: int

    @classmethod
    def of_range(cls, values: Range) -> "Quantization":
        """Zero, with which images are padded, is always represented exactly."""
        low, high = min(values[0], 0.0), max(values[1], 0.0)
        scale = (high - low) / LEVELS or 1.0
        return cls(scale, round(-low / scale))

    def quantize(self, x: Tensor) -> Tensor:
        """Floats -> uint8, of the same shape and layout; values out of range are clipped."""
        made = torch.quantize_per_tensor(x.float(), self.scale, self.zero_point, torch.quint8)
        integers = torch.empty(0, dtype=torch.uint8)
        return integers.set_(made.untyped_storage(), 0, made.size(), made.stride())


class Int8Conv(nn.Module):
    """A convolution of stride 1 on uint8 tensors, (B, inputs, H, W) -> (B, outputs, H, W).

    Floats are quantized first. Its parameters are not in `parameters()`: oneDNN packs them.
    """

    def __init__(self, layer: nn.Conv2d, inputs: Quantization) -> None:
        super().__init__()
        self.inputs = inputs
        weight = layer.weight.detach().float()  # (O, I, k, k)
        steps = weight_steps(weight)
        rounded = (weight / steps.view(-1, 1, 1, 1)).round_().to(torch.int8)
        self._padding = list(map(int, layer.padding))
        self._steps = steps
        self._zeros = torch.zeros(len(steps), dtype=torch.int32)
        self._bias = None if layer.bias is None else layer.bias.detach().float()
        self._packed = torch.ops.onednn.qconv_prepack(
            rounded, steps, inputs.scale, inputs.zero_point, [1, 1], self._padding, [1, 1], 1, None
        )

    def forward(self, x: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """uint8 or floats -> float32, or bfloat16 on processors that have it.

        Others take seconds for it.
        """
        return self._run(x, 1.0, 0, dtype, "none")

    def with_activation(self, x: Tensor, slope: float, outputs: Quantization) -> Tensor:
        """-> uint8 of leaky_relu(convolution); what `outputs` cannot hold is clipped.

        oneDNN fuses a ReLU, and no LeakyReLU.
        """
        if slope:
            return outputs.quantize(leaky_relu_(self(x), slope))
        return self._run(x, outputs.scale, outputs.zero_point, torch.uint8, "relu")

    def _run(self, x: Tensor, *outputs: Any) -> Tensor:
        scale, zero_point, dtype, activation = outputs
        made: Tensor = torch.ops.onednn.qconv2d_pointwise(
            x if x.dtype == torch.uint8 else self.inputs.quantize(x),
            *(self.inputs.scale, self.inputs.zero_point),
            *(self._packed, self._steps, self._zeros, self._bias),
            *([1, 1], self._padding, [1, 1], 1),
            *(scale, zero_point, dtype, activation, [], ""),
        )
        return made


def weight_steps(weight: Tensor) -> Tensor:
    """(O, I, k, k) -> (O,): what the weights of each output channel are rounded to multiples of.

    Processors without VNNI add the products of two neighboring input channels in 16 bits. The
    multiples of a pair of one sign add up to 128 at most, so that 255 x 128 fits, and all
    processors compute the same.
    """
    weight = weight.detach()
    if weight.shape[1] % 2:
        weight = pad(weight, (0, 0, 0, 0, 0, 1))
    pairs = weight.unflatten(1, (-1, 2))  # (O, I / 2, 2, k, k)
    sums = [part.sum(dim=2).amax(dim=(1, 2, 3)) for part in (pairs.relu(), (-pairs).relu())]
    largest = torch.maximum(*sums)
    return largest.where(largest > 0, 1.0) / WEIGHT_LEVELS


class Int8Block(nn.Module):
    """networks.fast.Block on tensors in float32, whose channels are divided by factors.

    Its convolutions are in int8, or in floats. ratios: (C,), factors of the inputs by those of the
    outputs.
    """

    def __init__(
        self,
        activation: nn.Module,
        conv1: Int8Conv | nn.Conv2d,
        conv2: Int8Conv | nn.Conv2d,
        ratios: Tensor,
    ) -> None:
        super().__init__()
        self.slope = activation.negative_slope if isinstance(activation, nn.LeakyReLU) else 0.0
        self.conv1, self.conv2, self.ratios = conv1, conv2, ratios

    def forward(self, x: Tensor) -> Tensor:
        return _add(self.conv2(self._activate(x)), x, self.ratios)

    def _activate(self, x: Tensor) -> Tensor:
        """For `conv2`."""
        conv1, conv2 = self.conv1, self.conv2
        if isinstance(conv1, Int8Conv) and isinstance(conv2, Int8Conv):
            return conv1.with_activation(x, self.slope, conv2.inputs)
        return leaky_relu_(conv1(x), self.slope)


class Int8Stage(nn.Module):
    """networks.fast.UpsamplingStage on uint8 tensors, or floats that become such.

    outputs: how its outputs are quantized; None: they are in `dtype`.
    """

    def __init__(
        self,
        conv: Int8Conv,
        stage: UpsamplingStage,
        outputs: Quantization | None,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.conv, self.factor, self.binomial = conv, stage.scale, stage.binomial
        self.outputs, self.dtype = outputs, dtype

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, sH, sW)."""
        upscaled = depth_to_space(self.conv(x, self.dtype), self.factor)
        made = filter_and_activate(upscaled, self.binomial)
        return made if self.outputs is None else self.outputs.quantize(made)


class Int8Fast(nn.Module):
    """`Fast` in int8, but for the first and last convolution and `calibration.floats`, in `dtype`.

    Sums and the bicubic base are in float32. Each layer's inputs come divided by its
    `calibration.scales` from the layer before: LeakyReLU, filter and sums let factors pass.
    calibration: one that fits.
    """

    def __init__(self, network: Fast, calibration: Calibration, dtype: torch.dtype) -> None:
        super().__init__()
        self.to_rgb, self.dtype = network.to_rgb, dtype
        self.scale, self.receptive_field = network.scale, network.receptive_field
        inputs = list(map(Quantization.of_range, calibration.ranges))
        factors = list(map(torch.tensor, calibration.scales))
        outputs = [*factors[1:], torch.ones(network.to_rgb.in_channels)]
        end = 2 * len(network.body)

        def int8_or_floats(index: int, layer: nn.Conv2d) -> Int8Conv | nn.Conv2d:
            made = _divided(layer, factors[index], outputs[index])
            if index in calibration.floats:
                return made
            return Int8Conv(made, inputs[index])

        def block(number: int, layers: Block) -> Int8Block:
            first = 2 * number
            conv1 = int8_or_floats(first, layers.conv1)
            conv2 = int8_or_floats(first + 1, layers.conv2)
            return Int8Block(layers.activation, conv1, conv2, factors[first] / factors[first + 2])

        def stage(index: int, layers: nn.Module) -> Int8Stage:
            assert isinstance(layers, UpsamplingStage)
            made = _divided(convolution(layers), factors[index], outputs[index], order=layers.order)
            conv = Int8Conv(made, inputs[index])
            return Int8Stage(conv, layers, [*inputs, None][index + 1], dtype)

        self.head = _divided(network.head, torch.ones(3), factors[0])
        self.body = nn.ModuleList(map(block, count(), network.residual_blocks))
        self.body_end = int8_or_floats(end, network.body_end)
        self.ratios = factors[0] / outputs[end]
        self.up = nn.ModuleList(map(stage, count(end + 1), network.up))

    def forward(self, low_res: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, sH, sW), float32."""
        half = self.dtype != torch.float32
        with torch.autocast("cpu", self.dtype if half else None, enabled=half):
            x = self._features(low_res)
            for stage in self.up:  # nn.Sequential would hold its input until the end
                x = stage(x)  # (B, thin, sH, sW) at last
            return bicubic(low_res, self.scale).add_(self.to_rgb(x))

    def _features(self, low_res: Tensor) -> Tensor:
        """(B, F, H, W), in float32."""
        shallow = self.head(low_res)
        x = shallow.float()
        for block in self.body:
            x = block(x)
        x = self.body_end(x)
        return _add(x, shallow, self.ratios)


def _divided(
    layer: nn.Conv2d, inputs: Tensor, outputs: Tensor, order: Tensor | slice = slice(None)
) -> nn.Conv2d:
    """The same convolution of inputs that are divided by factors, with outputs divided by others.

    inputs, outputs: (C,). order: of the outputs, by their indices in the layer; with sub-pixels
    `outputs` are those of each.
    """
    made = copy.deepcopy(layer)
    outputs = outputs.repeat(layer.out_channels // len(outputs))
    weight = layer.weight.detach()[order] * inputs.view(1, -1, 1, 1)
    made.weight = nn.Parameter(weight / outputs.view(-1, 1, 1, 1))
    if layer.bias is not None:
        made.bias = nn.Parameter(layer.bias.detach()[order] / outputs)
    return made


def _add(residual: Tensor, x: Tensor, ratios: Tensor) -> Tensor:
    """residual + ratios x, in float32; a residual in float32 is changed. ratios: (C,)."""
    return residual.float().addcmul_(x.float(), ratios.view(1, -1, 1, 1))


def int8_problem(network: nn.Module) -> str | None:
    """Why the network cannot run in int8 on this processor; None if it can."""
    if not isinstance(network, Fast):
        return f"networks of the kind {type(network).__name__} do not run in int8"
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        return "int8 needs a processor with AVX2"
    if not operators_work():
        return f"PyTorch {torch.__version__} has not the operators that int8 needs"
    return None


@cache
@torch.inference_mode()
def operators_work() -> bool:
    """Whether a convolution of the largest numbers there are is right."""
    layer = nn.Conv2d(64, 16, 3, padding=1, bias=False)
    nn.init.constant_(layer.weight, 1.0)
    nn.init.constant_(layer.weight[:, ::2], WEIGHT_LEVELS - 1.0)
    ones = torch.full((1, 64, 8, 8), float(LEVELS)).to(memory_format=torch.channels_last)
    integers = Quantization(1.0, 0)
    try:
        with warnings.catch_warnings():  # quantized tensors are deprecated: told once, here
            warnings.simplefilter("ignore")
            made = Int8Conv(layer, integers)(integers.quantize(ones))
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return False
    return bool(torch.allclose(made, layer(ones)))

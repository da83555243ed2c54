"""8-bit integer convolutions on CPUs, by the operators of PyTorch's own compiler (oneDNN).

Weights have a scale per output channel, activations one scale and zero point per tensor, as in
Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
inference", 2018, https://arxiv.org/abs/1712.05877. The operators are private: `int8_problem` says
where they are missing or do not work. Tried with PyTorch 2.13.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu_

from srgan_cli.networks.calibration import Calibration, Range
from srgan_cli.networks.fast import Block, Fast, UpsamplingStage, filter_and_activate
from srgan_cli.networks.layers import depth_to_space
from srgan_cli.networks.precision import bicubic

LEVELS = 255
WEIGHT_LEVELS = 127
SAFE_WEIGHT_LEVELS = 63
"""For processors without VNNI, which add two products in 16 bits: 2 x 255 x 63 still fits."""


@dataclass(frozen=True, eq=False)
class Quantization:
    """real = channels scale (quantized - zero_point), quantized from 0 to 255.

    channels: (C,), a factor for each channel; none: 1.
    """

    scale: float
    zero_point: int
    channels: Tensor | None = None

    @classmethod
    def of_range(cls, values: Range, channels: Sequence[float] = ()) -> "Quantization":
        """values: of the tensor once it is divided by `channels`.

        Zero, with which images are padded, is always represented exactly.
        """
        low, high = min(values[0], 0.0), max(values[1], 0.0)
        scale = (high - low) / LEVELS or 1.0
        return cls(scale, round(-low / scale), torch.tensor(channels) if channels else None)

    def quantize(self, x: Tensor) -> Tensor:
        """(B, C, H, W) floats -> uint8, in the same layout; values out of range are clipped."""
        x = x.float()
        divided = x if self.channels is None else x / self.channels.view(1, -1, 1, 1)
        return self.quantize_divided(divided)

    def quantize_divided(self, x: Tensor) -> Tensor:
        """As `quantize`, of what was divided by `channels` before."""
        made = torch.quantize_per_tensor(x, self.scale, self.zero_point, torch.quint8)
        integers = torch.empty(0, dtype=torch.uint8)
        return integers.set_(made.untyped_storage(), 0, made.size(), made.stride())


class Int8Conv(nn.Module):
    """A convolution of stride 1 on uint8 tensors, (B, inputs, H, W) -> (B, outputs, H, W).

    Floats are quantized first.

    order: of the outputs, by their indices in the layer. Its parameters are not in `parameters()`:
    oneDNN packs them.
    """

    def __init__(
        self,
        layer: nn.Conv2d,
        inputs: Quantization,
        weight_levels: int,
        order: Tensor | slice = slice(None),
    ) -> None:
        super().__init__()
        self.inputs = inputs
        weight = layer.weight.detach().float()[order]  # (O, I, k, k)
        if inputs.channels is not None:
            weight = weight * inputs.channels.view(1, -1, 1, 1)
        largest = weight.abs().amax(dim=(1, 2, 3))
        scales = largest.where(largest > 0, 1.0) / weight_levels
        rounded = (weight / scales.view(-1, 1, 1, 1)).round_().to(torch.int8)
        self._padding = list(map(int, layer.padding))
        self._scales = scales
        self._zeros = torch.zeros(len(scales), dtype=torch.int32)
        self._bias = None if layer.bias is None else layer.bias.detach().float()[order]
        self._packed = torch.ops.onednn.qconv_prepack(
            rounded, scales, inputs.scale, inputs.zero_point, [1, 1], self._padding, [1, 1], 1, None
        )

    def forward(self, x: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """uint8 or floats -> float32, or bfloat16 on processors that have it.

        Others take seconds for it.
        """
        return self._run(x, self._scales, self._bias, 1.0, 0, dtype, "none")

    def with_activation(self, x: Tensor, slope: float, outputs: Quantization) -> Tensor:
        """-> uint8 of leaky_relu(convolution); what `outputs` cannot hold is clipped.

        oneDNN fuses a ReLU, and no LeakyReLU.
        """
        scales, bias = self._scales, self._bias
        if outputs.channels is not None:
            scales = scales / outputs.channels
            bias = None if bias is None else bias / outputs.channels
        if slope:
            divided = self._run(x, scales, bias, 1.0, 0, torch.float32, "none")
            return outputs.quantize_divided(leaky_relu_(divided, slope))
        return self._run(x, scales, bias, outputs.scale, outputs.zero_point, torch.uint8, "relu")

    def _run(self, x: Tensor, scales: Tensor, bias: Tensor | None, *outputs: Any) -> Tensor:
        scale, zero_point, dtype, activation = outputs
        made: Tensor = torch.ops.onednn.qconv2d_pointwise(
            x if x.dtype == torch.uint8 else self.inputs.quantize(x),
            *(self.inputs.scale, self.inputs.zero_point),
            *(self._packed, scales, self._zeros, bias),
            *([1, 1], self._padding, [1, 1], 1),
            *(scale, zero_point, dtype, activation, [], ""),
        )
        return made


class Int8Block(nn.Module):
    """networks.fast.Block on a float32 tensor, which it changes: the sum stays in float32.

    Its convolutions are in int8, or in floats.
    """

    def __init__(
        self, activation: nn.Module, conv1: Int8Conv | nn.Conv2d, conv2: Int8Conv | nn.Conv2d
    ) -> None:
        super().__init__()
        self.slope = activation.negative_slope if isinstance(activation, nn.LeakyReLU) else 0.0
        self.conv1, self.conv2 = conv1, conv2

    def forward(self, x: Tensor) -> Tensor:
        return x.add_(self.conv2(self._activate(x)))

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
        stage: UpsamplingStage,
        inputs: Quantization,
        weight_levels: int,
        outputs: Quantization | None,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        layer = stage[0]
        assert isinstance(layer, nn.Conv2d)
        self.conv = Int8Conv(layer, inputs, weight_levels, stage.order)
        self.factor, self.binomial = stage.scale, stage.binomial
        self.outputs, self.dtype = outputs, dtype

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, sH, sW)."""
        upscaled = depth_to_space(self.conv(x, self.dtype), self.factor)
        made = filter_and_activate(upscaled, self.binomial)
        return made if self.outputs is None else self.outputs.quantize(made)


class Int8Fast(nn.Module):
    """`Fast` in int8, but for the first and last convolution and `calibration.floats`, in `dtype`.

    Sums and the bicubic base are in float32. calibration: one that fits.
    """

    def __init__(
        self, network: Fast, calibration: Calibration, dtype: torch.dtype, weight_levels: int
    ) -> None:
        super().__init__()
        self.head, self.to_rgb, self.dtype = network.head, network.to_rgb, dtype
        self.scale, self.receptive_field = network.scale, network.receptive_field
        inputs = list(map(Quantization.of_range, calibration.ranges, calibration.scales))

        def convolution(index: int, layer: nn.Conv2d) -> Int8Conv | nn.Conv2d:
            if index in calibration.floats:
                return layer
            return Int8Conv(layer, inputs[index], weight_levels)

        self.body = nn.Sequential(
            *(
                Int8Block(
                    block.activation,
                    convolution(2 * i, block.conv1),
                    convolution(2 * i + 1, block.conv2),
                )
                for i, block in enumerate(network.body)
                if isinstance(block, Block)
            )
        )
        end = 2 * len(self.body)
        self.body_end = convolution(end, network.body_end)
        of_up = inputs[end + 1 :]
        self.up = nn.Sequential(
            *(
                Int8Stage(stage, of_stage, weight_levels, outputs, dtype)
                for stage, of_stage, outputs in zip(
                    network.up, of_up, [*of_up, None][1:], strict=True
                )
                if isinstance(stage, UpsamplingStage)
            )
        )

    def forward(self, low_res: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, sH, sW), float32."""
        half = self.dtype != torch.float32
        with torch.autocast("cpu", self.dtype if half else None, enabled=half):
            shallow = self.head(low_res)  # (B, F, H, W)
            x = self.body(shallow.to(torch.float32, copy=True))
            x = self.body_end(x).add_(shallow)
            x = self.up(x)  # (B, thin, sH, sW)
            return bicubic(low_res, self.scale).add_(self.to_rgb(x))


def int8_problem(network: nn.Module) -> str | None:
    """Why the network cannot run in int8 on this processor; None if it can."""
    if not isinstance(network, Fast):
        return f"networks of the kind {type(network).__name__} do not run in int8"
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        return "int8 needs a processor with AVX2"
    if weight_levels() is None:
        return f"PyTorch {torch.__version__} has not the operators that int8 needs"
    return None


@cache
def weight_levels() -> int | None:
    """127 where sums of products are exact, 63 where they saturate; None: no working operators."""
    for levels in (WEIGHT_LEVELS, SAFE_WEIGHT_LEVELS):
        try:
            if _sums_are_exact(levels):
                return levels
        except (AttributeError, NotImplementedError, RuntimeError, TypeError):
            return None
    return None


@torch.inference_mode()
def _sums_are_exact(levels: int) -> bool:
    """Whether a convolution of the largest numbers there are is right."""
    layer = nn.Conv2d(64, 16, 3, padding=1, bias=False)
    nn.init.constant_(layer.weight, float(levels))
    ones = torch.full((1, 64, 8, 8), float(LEVELS)).to(memory_format=torch.channels_last)
    integers = Quantization(1.0, 0)
    with warnings.catch_warnings():  # quantized tensors are deprecated: told once, here
        warnings.simplefilter("ignore")
        made = Int8Conv(layer, integers, levels)(integers.quantize(ones))
    return bool(torch.allclose(made, layer(ones)))

"""The default generator: residual blocks at low resolution and a smooth, thin upsampler.

Blocks without BatchNorm as in EDSR (https://arxiv.org/abs/1707.02921). The network adds detail to a
bicubic enlargement. A fixed binomial filter behind each pixel shuffle keeps the sub-pixel phases
from drifting apart, which a GAN would otherwise show as a mesh. For upscaling on CPUs the upsampler
is computed in bands of rows that fit into the processor's cache.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, leaky_relu, leaky_relu_

from srgan_cli.networks.layers import (
    SubPixelConv,
    bicubic_radius,
    conv,
    conv_radius,
    total_radius,
    upscale_factors,
    zero_init_,
)
from srgan_cli.networks.precision import at_least_float32, bicubic, to_weight_dtype

NEGATIVE_SLOPE = 0.2
"""Slope below 0 of the upsampler's LeakyReLU."""

BAND = 1 << 18
"""Values at full size that are computed at once; as measured: 1 MiB in float32."""


class Block(nn.Module):
    """x + conv(activation(conv(x))). A slope of 0 is a ReLU. middle: channels in between."""

    def __init__(self, features: int, negative_slope: float, middle: int) -> None:
        super().__init__()
        self.conv1 = conv(features, middle)
        self.activation: nn.Module = (
            nn.LeakyReLU(negative_slope, inplace=True) if negative_slope else nn.ReLU(inplace=True)
        )
        self.conv2 = conv(middle, features)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.activation(self.conv1(x))).add_(x)


class UpsamplingStage(SubPixelConv):
    """(B, inputs, H, W) -> (B, outputs, sH, sW): leaky_relu(filter(pixel_shuffle(conv(x)))).

    binomial: whether there is a filter, `binomial_filter`.
    """

    def __init__(self, inputs: int, outputs: int, scale: int, binomial: bool) -> None:
        super().__init__(inputs, outputs, scale)
        self.binomial = binomial

    def forward(self, x: Tensor) -> Tensor:
        if self.binomial and _only_upscales(x):
            blocks = self.before_shuffle(x)  # (B, s s outputs, H, W)
            return filter_blocks(blocks, self.scale, blocks.dtype)
        shuffled = super().forward(x)  # (B, outputs, sH, sW)
        return leaky_relu(binomial_filter(shuffled) if self.binomial else shuffled, NEGATIVE_SLOPE)


class Fast(nn.Module):
    """RGB in [0, 1], (B, 3, H, W) -> RGB, (B, 3, sH, sW).

    thin: channels at full size. negative_slope: of the blocks' LeakyReLU; behind a plain ReLU, half
    of the channels fell silent in training. binomial: whether the upsampler is filtered. Files
    that name neither are of networks with ReLU and without the filter. middle: channels inside each
    block, of a pruned network; none: `features`.
    """

    def __init__(
        self,
        scale: int = 4,
        features: int = 64,
        blocks: int = 8,
        thin: int = 8,
        negative_slope: float = 0.0,
        binomial: bool = False,
        middle: Sequence[int] = (),
    ) -> None:
        super().__init__()
        if middle and len(middle) != blocks:
            raise ValueError(f"middle names {len(middle)} blocks, and there are {blocks}")
        self.scale, self.binomial = scale, binomial
        steps = upscale_factors(scale)
        widths = [features, *(thin * 2 ** (len(steps) - i - 1) for i in range(len(steps)))]
        self.head = conv(3, features)
        self.body = nn.Sequential(
            *(Block(features, negative_slope, width) for width in middle or [features] * blocks)
        )
        self.body_end = conv(features, features)
        self.up = nn.ModuleList(
            UpsamplingStage(inputs, outputs, step, binomial)
            for step, inputs, outputs in zip(steps, widths[:-1], widths[1:], strict=True)
        )
        self.to_rgb = conv(widths[-1], 3)
        self._initialize()

    def _initialize(self) -> None:
        """Blocks start close to the identity, the network as bicubic."""
        for block in self.residual_blocks:
            with torch.no_grad():
                block.conv2.weight *= 0.1
        zero_init_(self.to_rgb)

    @property
    def residual_blocks(self) -> list[Block]:
        return [block for block in self.body if isinstance(block, Block)]

    @property
    def receptive_field(self) -> int:
        stages = [conv_radius(self.head, self.body, self.body_end)]
        factor = 1
        for step, layer in zip(upscale_factors(self.scale), self.up, strict=True):
            stages.append(conv_radius(layer, factor=factor))
            factor *= step
            stages.append(Fraction(int(self.binomial), factor))
        stages.append(conv_radius(self.to_rgb, factor=factor))
        return max(total_radius(stages), total_radius([bicubic_radius(self.scale)]))

    def forward(self, low_res: Tensor) -> Tensor:
        shallow = self.head(to_weight_dtype(low_res, self))  # (B, F, H, W)
        return self.upsample(low_res, self.body_end(self.body(shallow)).add_(shallow))

    def upsample(self, low_res: Tensor, x: Tensor) -> Tensor:
        """x: features, (B, F, H, W)."""
        for up in self.up:
            x = up(x)  # H -> 2H -> 4H
        return bicubic(low_res, self.scale).add_(self.to_rgb(x))  # in float32


def binomial_filter(x: Tensor) -> Tensor:
    """[1, 2, 1] x [1, 2, 1] / 16 on every channel of (B, C, H, W), with a border of zeros.

    Two 2x2 means are that filter, and faster than a grouped convolution.
    """
    return avg_pool2d(avg_pool2d(x, 2, stride=1, padding=1), 2, stride=1)


def _only_upscales(x: Tensor) -> bool:
    """On a CPU, without gradients, and not to be written as a graph."""
    tracing = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    return x.device.type == "cpu" and not torch.is_grad_enabled() and not tracing


def filter_blocks(
    blocks: Tensor,
    factor: int,
    dtype: torch.dtype,
    convert: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """leaky_relu(binomial_filter(depth_to_space(blocks, factor))), a band of rows at a time.

    (B, f f C, H, W) -> (B, C, fH, fW) of `dtype`, sums in float32 at least. convert: from these to
    `dtype`, for instance to quantized integers.
    """
    batch, _, height, width = blocks.shape
    by_pixel = blocks.permute(0, 2, 3, 1).unflatten(3, (factor, factor, -1))  # (B, H, W, f, f, C)
    channels = by_pixel.shape[-1]
    rows = max(1, min(height, BAND // (factor * factor * width * channels)))
    band = at_least_float32(blocks.new_empty(0)).new_zeros(
        batch, factor * rows + 2, factor * width + 2, channels
    )
    filtered = torch.empty(batch, factor * height, factor * width * channels, dtype=dtype)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        _fill(band[:, :, 1:-1].unflatten(2, (width, factor)), by_pixel, top, bottom)
        sums = _sums(band[:, : factor * (bottom - top) + 2].flatten(2), channels)
        values = leaky_relu_(sums.mul_(1 / 16), NEGATIVE_SLOPE)
        made = values if convert is None else convert(values)
        filtered[:, factor * top : factor * bottom] = made
    return filtered.unflatten(2, (factor * width, channels)).permute(0, 3, 1, 2)


def _fill(band: Tensor, by_pixel: Tensor, top: int, bottom: int) -> None:
    """Copy the pixels of the block rows top .. bottom and a row on either side, or zeros.

    band: (B, f rows + 2, W, f, C). by_pixel: (B, H, W, f, f, C).
    """
    factor = by_pixel.shape[3]
    end = 1 + factor * (bottom - top)
    inside = by_pixel[:, top:bottom].transpose(2, 3)  # (B, rows, f, W, f, C)
    band[:, 1:end].unflatten(1, (bottom - top, factor)).copy_(inside)
    band[:, 0] = by_pixel[:, top - 1, :, -1] if top else 0
    band[:, end] = by_pixel[:, bottom, :, 0] if bottom < by_pixel.shape[1] else 0


def _sums(rows: Tensor, channels: int) -> Tensor:
    """16 times the binomial filter: (B, h + 2, (w + 2) C) -> (B, h, w C).

    By sums of two, which are the same wherever a pixel lies.
    """
    for _ in range(2):
        rows = rows[..., :-channels] + rows[..., channels:]
    for _ in range(2):
        rows = rows[:, :-1] + rows[:, 1:]
    return rows

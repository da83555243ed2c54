"""The default generator: residual blocks at low resolution and a smooth, thin upsampler.

Blocks without BatchNorm as in EDSR (https://arxiv.org/abs/1707.02921). The network adds detail to a
bicubic enlargement. A fixed binomial filter behind each pixel shuffle keeps the sub-pixel phases
from drifting apart, which a GAN would otherwise show as a mesh.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, leaky_relu_, pad

from srgan_cli.networks.layers import (
    SubPixelConv,
    bicubic,
    bicubic_radius,
    conv,
    conv_radius,
    only_upscales,
    total_radius,
    upscale_factors,
    zero_init_,
)
from srgan_cli.networks.precision import to_weight_dtype

NEGATIVE_SLOPE = 0.2
"""Slope below 0 of the upsampler's LeakyReLU."""

PIXELS_AT_ONCE = {"AVX2": 2, "AVX512": 4}
"""By a processor's instructions: as measured, of an output with three channels."""


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
        return filter_and_activate(super().forward(x), self.binomial)


class RGBConv(nn.Conv2d):
    """A 3 x 3 convolution to a few channels, (B, inputs, H, W) -> (B, outputs, H, W).

    With three outputs most of a processor's lanes are idle. On CPUs, without gradients, it makes
    some neighboring pixels of a row at once: the same sums, in 62 to 82 % of the time.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        at_once = PIXELS_AT_ONCE.get(torch.backends.cpu.get_cpu_capability(), 1)
        count = math.gcd(at_once, x.shape[-1])
        if count == 1 or not only_upscales(x):
            return super().forward(x)
        shifted = [pad(self.weight, (i, count - 1 - i)) for i in range(count)]  # one per pixel
        bias = None if self.bias is None else self.bias.repeat(count)
        groups = conv2d(x, torch.cat(shifted), bias, stride=(1, count), padding=1)
        rows = groups.permute(0, 2, 3, 1).unflatten(3, (count, -1)).flatten(2, 3)  # (B, H, W, O)
        return rows.permute(0, 3, 1, 2)


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
        self.to_rgb = RGBConv(widths[-1], 3)
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


def filter_and_activate(upscaled: Tensor, binomial: bool) -> Tensor:
    """What follows the pixel shuffle of an upsampling stage; `upscaled` may be changed."""
    return leaky_relu_(binomial_filter(upscaled) if binomial else upscaled, NEGATIVE_SLOPE)


def binomial_filter(x: Tensor) -> Tensor:
    """[1, 2, 1] x [1, 2, 1] / 16 on every channel of (B, C, H, W), with a border of zeros.

    Two 2x2 means are that filter in every framework and on every device. On CPUs, without
    gradients, a convolution by channel takes a third of their time.
    """
    if not only_upscales(x):
        return avg_pool2d(avg_pool2d(x, 2, stride=1, padding=1), 2, stride=1)
    line = x.new_tensor([0.25, 0.5, 0.25])
    channels = x.shape[1]
    kernel = (line[:, None] * line).expand(channels, 1, 3, 3)
    return conv2d(x, kernel, padding=1, groups=channels)

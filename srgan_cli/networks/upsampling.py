"""The stages of the default generator's upsampler: sub-pixel convolution, filter and LeakyReLU.

For upscaling on CPUs a stage is computed in bands of rows that fit into the processor's cache.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, leaky_relu, leaky_relu_

from srgan_cli.networks.layers import SubPixelConv
from srgan_cli.networks.precision import at_least_float32

NEGATIVE_SLOPE = 0.2
"""Slope of the LeakyReLU below 0."""

BAND = 1 << 18
"""Values at full size that are computed at once; as measured: 1 MiB in float32."""


def binomial_filter(x: Tensor) -> Tensor:
    """[1, 2, 1] x [1, 2, 1] / 16 on every channel of (B, C, H, W), with a border of zeros.

    Two 2x2 means are that filter, and faster than a grouped convolution.
    """
    return avg_pool2d(avg_pool2d(x, 2, stride=1, padding=1), 2, stride=1)


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

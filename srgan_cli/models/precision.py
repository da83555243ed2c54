"""What stays in float32 when a network runs in half precision: bases, sums, last convolutions."""

from contextlib import AbstractContextManager, nullcontext
from fractions import Fraction

import torch
from torch import Tensor, nn

from srgan_cli.resample import SUPPORT, enlarge


def full(x: Tensor) -> Tensor:
    """Half precision -> float32; float32 and float64 stay."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def as_weights(x: Tensor, layers: nn.Module) -> Tensor:
    """In the precision of the first of the layers' weights."""
    return x.to(next(layers.parameters()).dtype)


def without_autocast(x: Tensor) -> AbstractContextManager[object]:
    """Where `x` lives, operations inside keep the precision of what they are given."""
    device = x.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()


class FullConv(nn.Conv2d):
    """A convolution in float32, also behind layers in half precision: the last of a network whose
    output is the picture itself, where half precision would cost whole levels."""

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else full(self.bias)
        with without_autocast(x):
            result: Tensor = self._conv_forward(full(x), full(self.weight), bias)
            return result


def full_conv(inputs: int, outputs: int, kernel: int = 3) -> FullConv:
    """Keeps height and width."""
    return FullConv(inputs, outputs, kernel, padding=kernel // 2)


def bicubic(low: Tensor, scale: int) -> Tensor:
    """(B, C, H, W) -> (B, C, sH, sW), in float32 at least."""
    with without_autocast(low):
        return enlarge(full(low), scale)


def radius_of_bicubic(scale: int) -> Fraction:
    """In low-resolution pixels, to be added to the radii of layers behind it."""
    return Fraction(0 if scale == 1 else SUPPORT // 2)

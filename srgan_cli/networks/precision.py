"""What stays in float32 when a network runs in half precision: bases, sums, slopes, and the
convolutions from and to pictures."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, prelu

from srgan_cli.resample import enlarge


def full(x: Tensor) -> Tensor:
    """Half precision -> float32; float32 and float64 stay."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def to_weight_dtype(x: Tensor, layers: nn.Module) -> Tensor:
    """In the precision of the first of the layers' weights."""
    return x.to(next(layers.parameters()).dtype)


def without_autocast(x: Tensor) -> AbstractContextManager[object]:
    """Where `x` lives, operations inside keep the precision of what they are given."""
    return torch.autocast(x.device.type, enabled=False) if autocasting(x) else nullcontext()


def autocasting(x: Tensor) -> bool:
    device = x.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


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


class FirstConv(FullConv):
    """A convolution that reads a picture in float32 for layers in half precision.

    bfloat16 has steps of 1/256 from 0.5 to 1 and rounds each level n/255 there up, finer ones below
    likewise: a network whose output is the picture itself would brighten it.
    """

    def forward(self, x: Tensor) -> Tensor:
        seen = x.to(full(self.weight).dtype)
        return super().forward(seen).to(_computed_in(x, self.weight))


def first_conv(inputs: int, outputs: int, kernel: int = 3) -> FirstConv:
    """Keeps height and width."""
    return FirstConv(inputs, outputs, kernel, padding=kernel // 2)


def _computed_in(x: Tensor, weight: Tensor) -> torch.dtype:
    """The precision of layers without one of their own."""
    return torch.get_autocast_dtype(x.device.type) if autocasting(x) else weight.dtype


class FullPReLU(nn.PReLU):
    """A PReLU of one slope, which stays in float32 between layers in half precision.

    A slope is rounded by up to 0.4 % in bfloat16; behind an enlargement that is a level of
    brightness, in the same direction in every picture.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known = (0, 0, 0.0)

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == self.weight.dtype:
            with without_autocast(x):
                return prelu(x, self.weight)
        sloped: Tensor = _Sloped.apply(x, self.weight, self._slope())  # type: ignore[no-untyped-call]
        return sloped

    def _slope(self) -> float:
        """Asked of the device only when it may have changed: a GPU would have to be waited for.

        Fused optimizers change it without a new version; they do so in training alone.
        """
        if self.training or self.weight.is_inference():
            return self.weight.item()
        place, version = self.weight.data_ptr(), self.weight._version
        if self._known[:2] != (place, version):
            self._known = (place, version, self.weight.item())
        return self._known[2]


class _Sloped(torch.autograd.Function):
    """x, slope as a tensor and as a number -> x where it is positive, its multiple elsewhere."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.slope, ctx.shape = slope, weight.shape
        return leaky_relu(x, slope)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        (x,) = ctx.saved_tensors
        of_x = torch.where(x > 0, gradient, gradient * ctx.slope)
        of_slope = (gradient * x.clamp(max=0)).sum(dtype=torch.float32)
        return of_x, of_slope.reshape(ctx.shape), None


def bicubic(low: Tensor, scale: int) -> Tensor:
    """(B, C, H, W) -> (B, C, sH, sW), in float32 at least."""
    with without_autocast(low):
        return enlarge(full(low), scale)

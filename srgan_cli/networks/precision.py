"""What stays in float32 when a network runs in half precision.

Bicubic bases, sums, slopes of PReLU, and the convolutions that read and write images: rounding
those would cost whole 8-bit levels.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, prelu


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision -> float32; float32 and float64 stay."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def to_weight_dtype(x: Tensor, layers: nn.Module) -> Tensor:
    """`x` in the dtype of the first of the layers' weights."""
    return x.to(next(layers.parameters()).dtype)


def autocast_disabled(x: Tensor) -> AbstractContextManager[object]:
    """On the device of `x`, operations inside keep the dtype of their inputs."""
    return torch.autocast(x.device.type, enabled=False) if _autocasts(x) else nullcontext()


def _autocasts(x: Tensor) -> bool:
    device = x.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


class Float32Conv(nn.Conv2d):
    """A convolution in float32, also behind layers in half precision. Keeps height and width."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else at_least_float32(self.bias)
        weight = at_least_float32(self.weight)
        with autocast_disabled(x):
            return conv2d(at_least_float32(x), weight, bias, self.stride, self.padding)


class InputConv(Float32Conv):
    """A convolution that reads an image in float32 for layers in half precision.

    bfloat16 has steps of 1/256 from 0.5 to 1 and rounds each level n/255 there up, finer ones below
    likewise: a network whose output is the image itself would brighten it.
    """

    def forward(self, x: Tensor) -> Tensor:
        image = x.to(at_least_float32(self.weight).dtype)
        return super().forward(image).to(_compute_dtype(x, self.weight))


def _compute_dtype(x: Tensor, weight: Tensor) -> torch.dtype:
    """The dtype of convolutions on `x`: autocast's, if it is on, else that of their weights."""
    return torch.get_autocast_dtype(x.device.type) if _autocasts(x) else weight.dtype


class Float32PReLU(nn.PReLU):
    """A PReLU of one slope, which stays in float32 between layers in half precision.

    bfloat16 would round the slope by up to 0.4 %; behind an upsampling that is a level of
    brightness, in the same direction in every image.
    """

    def __init__(self) -> None:
        super().__init__()
        self._cached = (0, 0, 0.0)  # address and version of the weight, its value

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == self.weight.dtype:
            with autocast_disabled(x):
                return prelu(x, self.weight)
        return _MixedPReLU.apply(x, self.weight, self._slope())  # type: ignore[no-untyped-call]

    def _slope(self) -> float:
        """Read from the device only when it may have changed: reading makes a GPU wait.

        Fused optimizers change it without a new version; they do so in training only.
        """
        if self.training or self.weight.is_inference():
            return self.weight.item()
        address, version = self.weight.data_ptr(), self.weight._version
        if self._cached[:2] != (address, version):
            self._cached = (address, version, self.weight.item())
        return self._cached[2]


class _MixedPReLU(torch.autograd.Function):
    """PReLU of a half-precision x. weight: float32, for its gradient. slope: its value."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.slope, ctx.shape = slope, weight.shape
        return leaky_relu(x, slope)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        (x,) = ctx.saved_tensors
        grad_x = torch.where(x > 0, gradient, gradient * ctx.slope)
        grad_slope = (gradient * x.clamp(max=0)).sum(dtype=torch.float32)
        return grad_x, grad_slope.reshape(ctx.shape), None

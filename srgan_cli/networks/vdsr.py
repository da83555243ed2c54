"""VDSR: twenty convolutions that predict the residual of a bicubic enlargement's luma.

Kim et al., "Accurate Image Super-Resolution Using Very Deep Convolutional Networks",
https://arxiv.org/abs/1511.04587. One set of weights serves several scales.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import relu

from srgan_cli.networks.layers import (
    bicubic,
    bicubic_radius,
    conv,
    conv_radius,
    he_init_,
    total_radius,
)
from srgan_cli.networks.precision import at_least_float32, to_weight_dtype
from srgan_cli.networks.srcnn import add_to_luma, luma


class VDSR(nn.Module):
    """RGB in [0, 1], (B, 3, H, W) -> RGB, (B, 3, sH, sW). Any scale."""

    luma_only = True

    def __init__(self, scale: int = 4, depth: int = 20, features: int = 64) -> None:
        super().__init__()
        if scale < 1 or depth < 2:
            raise ValueError(f"VDSR needs a scale from 1 and 2 layers, not {scale} and {depth}")
        self.scale = scale
        widths = [1, *[features] * (depth - 1), 1]
        self.layers = nn.ModuleList(he_conv(*pair) for pair in pairwise(widths))

    @property
    def receptive_field(self) -> int:
        return total_radius(
            [conv_radius(self.layers, factor=self.scale), bicubic_radius(self.scale)]
        )

    def forward(self, low_res: Tensor) -> Tensor:
        base = bicubic(low_res, self.scale)  # (B, 3, sH, sW)
        x = to_weight_dtype(luma(base), self.layers)  # (B, 1, sH, sW)
        for layer in self.layers[:-1]:
            x = relu(layer(x), inplace=True)  # (B, F, sH, sW)
        residual = at_least_float32(self.layers[-1](x))  # (B, 1, sH, sW)
        return add_to_luma(base, residual)


def he_conv(inputs: int, outputs: int) -> nn.Conv2d:
    """A 3 x 3 convolution with the paper's initialization."""
    layer = conv(inputs, outputs)
    he_init_(layer)
    return layer

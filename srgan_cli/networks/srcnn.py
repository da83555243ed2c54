"""SRCNN: three convolutions on the luma of a bicubic enlargement.

Dong et al., "Image Super-Resolution Using Deep Convolutional Networks",
https://arxiv.org/abs/1501.00092.
"""

from torch import Tensor, nn
from torch.nn.functional import relu

from srgan_cli.networks.layers import bicubic, bicubic_radius, conv, conv_radius, total_radius
from srgan_cli.networks.precision import Float32Conv, to_weight_dtype

LUMA = (65.481 / 255, 128.553 / 255, 24.966 / 255)  # of R, G, B in [0, 1], as MATLAB's rgb2ycbcr
BLACK = 16 / 255


def luma(rgb: Tensor) -> Tensor:
    """RGB in [0, 1], (B, 3, H, W) -> Y in [16, 235] / 255, (B, 1, H, W)."""
    red, green, blue = rgb.unbind(dim=1)
    y = BLACK + LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
    return y[:, None]


def add_to_luma(rgb: Tensor, residual: Tensor) -> Tensor:
    """RGB, (B, 3, H, W), with `residual`, (B, 1, H, W), added to Y; Cb and Cr stay."""
    return rgb + residual * (255 / 219)


def is_luma_only(network: nn.Module) -> bool:
    """Whether the network leaves chroma as bicubic makes it."""
    return getattr(network, "luma_only", False)


class SRCNN(nn.Module):
    """RGB in [0, 1], (B, 3, H, W) -> RGB, (B, 3, sH, sW).

    f1, f2, f3 are the paper's kernel sizes, n1 and n2 its widths: 9-5-5 here, the small form 9-1-5.
    Any scale; the layers are the same for each.
    """

    luma_only = True

    def __init__(
        self, scale: int = 4, n1: int = 64, n2: int = 32, f1: int = 9, f2: int = 5, f3: int = 5
    ) -> None:
        super().__init__()
        if scale < 1:
            raise ValueError(f"SRCNN upscales by an integer from 1, not by {scale}")
        self.scale = scale
        self.conv1 = conv(1, n1, f1)
        self.conv2 = conv(n1, n2, f2)
        self.conv3 = Float32Conv(n2, 1, f3)

    @property
    def receptive_field(self) -> int:
        return total_radius([conv_radius(self, factor=self.scale), bicubic_radius(self.scale)])

    def forward(self, low_res: Tensor) -> Tensor:
        base = bicubic(low_res, self.scale)  # (B, 3, sH, sW)
        y = luma(base)  # (B, 1, sH, sW)
        x = relu(self.conv1(to_weight_dtype(y, self.conv1)))  # (B, n1, sH, sW)
        x = relu(self.conv2(x))  # (B, n2, sH, sW)
        return add_to_luma(base, self.conv3(x) - y)

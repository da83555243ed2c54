"""Discriminators: which pictures look real? All give logits, positive for real, of any crop size.

SRGAN, Ledig et al., https://arxiv.org/abs/1609.04802; Real-ESRGAN's U-Net, Wang et al.,
https://arxiv.org/abs/2107.10833; spectral normalisation, Miyato et al.,
https://arxiv.org/abs/1802.05957.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate, leaky_relu
from torch.nn.utils.parametrizations import spectral_norm


class SRGANDiscriminator(nn.Module):
    """RGB in [0, 1], (B, 3, H, W) -> (B, 1).

    The paper's crops of 96 pixels end as 6 x 6; others are averaged to that before the dense part.
    """

    def __init__(self, features: int = 64, dense: int = 1024, grid: int = 6) -> None:
        super().__init__()
        self.grid = grid
        widths = [features * 2 ** (i // 2) for i in range(8)]  # 64 64 128 128 .. 512 512
        self.first = nn.Conv2d(3, features, 3, padding=1)
        self.body = nn.Sequential(
            *(
                normed_conv(inputs, outputs, stride=1 if i % 2 else 2)
                for i, (inputs, outputs) in enumerate(pairwise(widths))
            )
        )
        self.dense = nn.Linear(widths[-1] * grid * grid, dense)
        self.verdict = nn.Linear(dense, 1)

    def forward(self, rgb: Tensor) -> Tensor:
        x = leaky_relu(self.first(2 * rgb - 1), 0.2)  # (B, F, H, W)
        x = self.body(x)  # (B, 8F, H/16, W/16)
        x = adaptive_avg_pool2d(x, self.grid).flatten(1)  # (B, 8F grid²)
        logits: Tensor = self.verdict(leaky_relu(self.dense(x), 0.2))  # (B, 1)
        return logits


def normed_conv(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2),
    )


class UNetDiscriminator(nn.Module):
    """RGB in [0, 1], (B, 3, H, W) -> (B, 1, H, W): a verdict for each pixel."""

    def __init__(self, features: int = 64) -> None:
        super().__init__()
        n = features
        self.conv0 = nn.Conv2d(3, n, 3, padding=1)
        self.down1 = spectral_conv(n, 2 * n, 4, stride=2)
        self.down2 = spectral_conv(2 * n, 4 * n, 4, stride=2)
        self.down3 = spectral_conv(4 * n, 8 * n, 4, stride=2)
        self.up1 = spectral_conv(8 * n, 4 * n)
        self.up2 = spectral_conv(4 * n, 2 * n)
        self.up3 = spectral_conv(2 * n, n)
        self.smooth1 = spectral_conv(n, n)
        self.smooth2 = spectral_conv(n, n)
        self.verdict = nn.Conv2d(n, 1, 3, padding=1)

    def forward(self, rgb: Tensor) -> Tensor:
        x0 = leaky_relu(self.conv0(rgb), 0.2)  # (B, F, H, W)
        x1 = leaky_relu(self.down1(x0), 0.2)  # (B, 2F, H/2, W/2)
        x2 = leaky_relu(self.down2(x1), 0.2)  # (B, 4F, H/4, W/4)
        x3 = leaky_relu(self.down3(x2), 0.2)  # (B, 8F, H/8, W/8)
        x = leaky_relu(self.up1(enlarged(x3, x2)), 0.2) + x2
        x = leaky_relu(self.up2(enlarged(x, x1)), 0.2) + x1
        x = leaky_relu(self.up3(enlarged(x, x0)), 0.2) + x0  # (B, F, H, W)
        x = leaky_relu(self.smooth1(x), 0.2)
        logits: Tensor = self.verdict(leaky_relu(self.smooth2(x), 0.2))  # (B, 1, H, W)
        return logits


def enlarged(x: Tensor, like: Tensor) -> Tensor:
    """Twice as large, or as near to that as the picture's odd sides want it."""
    return interpolate(x, like.shape[-2:], mode="bilinear", align_corners=False)


def spectral_conv(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, bias: bool = False
) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, kernel, stride, padding=1, bias=bias))


class PatchDiscriminator(nn.Module):
    """RGB in [0, 1], (B, 3, H, W) -> (B, 1, H/8, W/8): a verdict for each patch, in 8 layers.

    Its strided kernels are even: odd ones look at every second pixel more often than at the others,
    and a generator learns to draw that pattern.
    """

    def __init__(self, features: int = 32) -> None:
        super().__init__()
        n = features
        widths = [3, n, 2 * n, 2 * n, 4 * n, 4 * n, 8 * n, 8 * n]
        self.body = nn.ModuleList(
            spectral_conv(inputs, outputs, *((4, 2) if i % 2 else (3, 1)), bias=True)
            for i, (inputs, outputs) in enumerate(pairwise(widths))
        )
        self.verdict = spectral_conv(8 * n, 1, bias=True)

    def forward(self, rgb: Tensor) -> Tensor:
        x = 2 * rgb - 1
        for layer in self.body:
            x = leaky_relu(layer(x), 0.2)  # at last (B, 8F, H/8, W/8)
        logits: Tensor = self.verdict(x)  # (B, 1, H/8, W/8)
        return logits

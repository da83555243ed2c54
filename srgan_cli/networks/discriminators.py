"""Discriminators: images -> logits, one an image or one a pixel; positive means real.

SRGAN, Ledig et al., https://arxiv.org/abs/1609.04802; spectral normalization, Miyato et al.,
https://arxiv.org/abs/1802.05957.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import (
    adaptive_avg_pool2d,
    avg_pool2d,
    interpolate,
    leaky_relu,
    pad,
    pixel_unshuffle,
)
from torch.nn.utils.parametrizations import spectral_norm


class SRGANDiscriminator(nn.Module):
    """RGB in [0, 1], (B, 3, H, W) -> (B, 1).

    The paper's crops of 96 pixels end as 6 x 6; others are averaged to that before the dense part.
    high_pass: whether it sees the high-pass alone, as UNetDiscriminator, and not the paper's RGB.
    """

    def __init__(
        self, features: int = 64, dense: int = 1024, grid: int = 6, high_pass: bool = False
    ) -> None:
        super().__init__()
        self.grid, self.high_pass = grid, high_pass
        widths = [features * 2 ** (i // 2) for i in range(8)]  # 64 64 128 128 .. 512 512
        self.first = nn.Conv2d(3, features, 3, padding=1)
        self.body = nn.Sequential(
            *(
                normed_conv(inputs, outputs, stride=1 if i % 2 else 2)
                for i, (inputs, outputs) in enumerate(pairwise(widths))
            )
        )
        self.dense = nn.Linear(widths[-1] * grid * grid, dense)
        self.to_logits = nn.Linear(dense, 1)

    def forward(self, rgb: Tensor) -> Tensor:
        x = high_pass(rgb) if self.high_pass else 2 * rgb - 1
        x = leaky_relu(self.first(x), 0.2)  # (B, F, H, W)
        x = self.body(x)  # (B, 8F, H/16, W/16)
        x = adaptive_avg_pool2d(x, self.grid).flatten(1)  # (B, 8F grid²)
        logits: Tensor = self.to_logits(leaky_relu(self.dense(x), 0.2))  # (B, 1)
        return logits


def normed_conv(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2),
    )


def high_pass(image: Tensor) -> Tensor:
    """(B, C, H, W) minus its 5x5 mean, times 10.

    Original and generated images differ in their finest detail only: on RGB, discriminators small
    enough for a CPU stay at chance.
    """
    mean = avg_pool2d(pad(image, (2, 2, 2, 2), mode="reflect"), kernel_size=5, stride=1)
    return (image - mean) * 10


class UNetDiscriminator(nn.Module):
    """The spectrally normalized U-Net of Real-ESRGAN (https://arxiv.org/abs/2107.10833), on the
    high-pass and at half resolution.

    RGB in [0, 1], (B, 3, H, W) -> (B, 1, H/2, W/2), with H and W padded to multiples of 16.
    """

    def __init__(self, features: int = 48) -> None:
        super().__init__()
        f = features
        self.head = nn.Conv2d(3 * 4, f, 3, padding=1)
        self.down1 = _down(f, 2 * f)
        self.down2 = _down(2 * f, 4 * f)
        self.down3 = _down(4 * f, 8 * f)
        self.up1 = spectral_conv(8 * f, 4 * f)
        self.up2 = spectral_conv(4 * f, 2 * f)
        self.up3 = spectral_conv(2 * f, f)
        self.tail = spectral_conv(f, f)
        self.to_logits = nn.Conv2d(f, 1, 3, padding=1)

    def forward(self, rgb: Tensor) -> Tensor:
        below, right = (-side % 16 for side in rgb.shape[-2:])
        x = pad(high_pass(rgb), (0, right, 0, below))
        x0 = leaky_relu(self.head(pixel_unshuffle(x, 2)), 0.2)  # (B, F, H/2, W/2)
        x1 = leaky_relu(self.down1(x0), 0.2)  # (B, 2F, H/4, W/4)
        x2 = leaky_relu(self.down2(x1), 0.2)  # (B, 4F, H/8, W/8)
        x3 = leaky_relu(self.down3(x2), 0.2)  # (B, 8F, H/16, W/16)
        x = leaky_relu(self.up1(_double(x3)), 0.2) + x2
        x = leaky_relu(self.up2(_double(x)), 0.2) + x1
        x = leaky_relu(self.up3(_double(x)), 0.2) + x0
        logits: Tensor = self.to_logits(leaky_relu(self.tail(x), 0.2))
        return logits


def spectral_conv(inputs: int, outputs: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))


def _down(inputs: int, outputs: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))


def _double(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

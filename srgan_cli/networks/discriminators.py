"""Discriminators: which pictures look real? All give logits, positive for real, of any crop size.

SRGAN, Ledig et al., https://arxiv.org/abs/1609.04802; spectral normalisation, Miyato et al.,
https://arxiv.org/abs/1802.05957.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, leaky_relu, pad, pixel_unshuffle
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


def spectral_conv(inputs: int, outputs: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, 3, padding=1))


class GridDiscriminator(nn.Module):
    """RGB in [0, 1], (B, 3, H, W) -> (B, 1, H/period, W/period): a verdict for each low pixel.

    Pictures begin where a low pixel does, and the pixels that come of one low pixel are seen side
    by side, as channels. To an original it is all one where that grid lies; rings, dots and hatches
    that a generator repeats with it look to other discriminators like texture, here they give it
    away. Where few pixels come of one, `period` spans several.
    """

    def __init__(self, scale: int = 4, features: int = 128) -> None:
        super().__init__()
        n = features
        self.period = scale * -(-3 // scale)
        widths = [3 * self.period**2, n, n, n, n, n]
        self.body = nn.ModuleList(
            spectral_conv(inputs, outputs) for inputs, outputs in pairwise(widths)
        )
        self.verdict = spectral_conv(n, 1)

    def forward(self, rgb: Tensor) -> Tensor:
        below, right = (-side % self.period for side in rgb.shape[-2:])
        x = pad(2 * rgb - 1, (0, right, 0, below), mode="replicate")
        x = pixel_unshuffle(x, self.period)  # (B, 3 period², H/period, W/period)
        for layer in self.body:
            x = leaky_relu(layer(x), 0.2)
        logits: Tensor = self.verdict(x)  # (B, 1, H/period, W/period)
        return logits

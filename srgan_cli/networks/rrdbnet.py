"""RRDBNet, ESRGAN's generator: dense blocks, residual in residual, and no BatchNorm.

Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks",
https://arxiv.org/abs/1809.00219; with pixel-unshuffled inputs as in Real-ESRGAN,
https://arxiv.org/abs/2107.10833.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad, pixel_unshuffle
from torch.nn.init import kaiming_normal_, zeros_

from srgan_cli.networks.folding import RepeatingConv
from srgan_cli.networks.layers import conv, upscale_factors
from srgan_cli.networks.precision import first_conv, full_conv
from srgan_cli.networks.receptive_field import conv_radius, sum_radii

RESIDUAL_SCALE = 0.2


class ResidualDenseBlock(nn.Module):
    """Five convolutions, each of which sees all that came before it."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.conv1 = conv(features, growth)
        self.conv2 = conv(features + growth, growth)
        self.conv3 = conv(features + 2 * growth, growth)
        self.conv4 = conv(features + 3 * growth, growth)
        self.conv5 = conv(features + 4 * growth, features)
        for layer in self.children():
            smaller_kaiming_(layer)

    def forward(self, x: Tensor) -> Tensor:
        seen = x  # (B, F, H, W)
        for grow in (self.conv1, self.conv2, self.conv3, self.conv4):
            grown = leaky_relu(grow(seen), 0.2, inplace=True)
            seen = torch.cat([seen, grown], dim=1)  # (B, + growth, H, W)
        return torch.add(x, self.conv5(seen), alpha=RESIDUAL_SCALE)


class RRDB(nn.Module):
    """Residual in residual dense block."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = ResidualDenseBlock(features, growth)
        self.rdb2 = ResidualDenseBlock(features, growth)
        self.rdb3 = ResidualDenseBlock(features, growth)

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.rdb3(self.rdb2(self.rdb1(x))), alpha=RESIDUAL_SCALE)


class RRDBNet(nn.Module):
    """RGB in [0, 1], (B, 3, H, W) -> RGB, (B, 3, sH, sW). Any scale.

    With `unshuffle` u the body works on u x u pixels at a time, at 1/u of the resolution: equal
    pictures give equal outputs only where they begin at the same multiple of u (`alignment`).
    """

    def __init__(
        self,
        scale: int = 4,
        features: int = 64,
        blocks: int = 23,
        growth: int = 32,
        unshuffle: int = 1,
    ) -> None:
        super().__init__()
        if scale < 1 or unshuffle < 1:
            raise ValueError(f"RRDBNet enlarges by an integer from 1, not by {scale} x {unshuffle}")
        self.scale = scale
        self.alignment = unshuffle
        self.steps = upscale_factors(scale * unshuffle)
        self.conv_first = first_conv(3 * unshuffle * unshuffle, features)
        self.body = nn.Sequential(*(RRDB(features, growth) for _ in range(blocks)))
        self.conv_body = conv(features, features)
        for number, step in enumerate(self.steps, start=1):
            self.add_module(f"conv_up{number}", RepeatingConv(features, features, step))
        self.conv_hr = conv(features, features)
        self.conv_last = full_conv(features, 3)

    @property
    def ups(self) -> list[nn.Module]:
        """conv_up1, conv_up2, ...: the published names."""
        return [self.get_submodule(f"conv_up{i + 1}") for i in range(len(self.steps))]

    @property
    def receptive_field(self) -> int:
        """A multiple of `alignment`, so that what is cut out at one stays at one."""
        stages = [conv_radius(self.conv_first, self.body, self.conv_body)]
        factor = 1
        for step, up in zip(self.steps, self.ups, strict=True):
            factor *= step
            stages.append(conv_radius(up, factor=factor))
        stages.append(conv_radius(self.conv_hr, self.conv_last, factor=factor))
        within = 0 if self.alignment == 1 else 1  # a pixel may lie anywhere in its u x u
        return (sum_radii(stages) + within) * self.alignment

    def forward(self, low: Tensor) -> Tensor:
        height, width = low.shape[-2:]
        x = unshuffled(low, self.alignment)  # (B, 3 u u, H, W) / u
        shallow = self.conv_first(x)  # (B, F, H, W) / u
        x = shallow + self.conv_body(self.body(shallow))
        for up in self.ups:
            x = leaky_relu(up(x), 0.2)  # H -> 2H
        x = leaky_relu(self.conv_hr(x), 0.2, inplace=True)
        rgb: Tensor = self.conv_last(x)  # (B, 3, sH, sW)
        return rgb[..., : height * self.scale, : width * self.scale]


def unshuffled(low: Tensor, factor: int) -> Tensor:
    """(B, 3, H, W) -> (B, 3 factor², H / factor, W / factor), first grown to a multiple."""
    if factor == 1:
        return low
    height, width = low.shape[-2:]
    grown = pad(low, (0, -width % factor, 0, -height % factor), mode="replicate")
    return pixel_unshuffle(grown, factor)


@torch.no_grad()
def smaller_kaiming_(layer: nn.Module) -> None:
    """A tenth of He's: deep residual networks start calmer. ESRGAN, section 3.1."""
    assert isinstance(layer, nn.Conv2d)
    kaiming_normal_(layer.weight)
    layer.weight *= 0.1
    if layer.bias is not None:
        zeros_(layer.bias)

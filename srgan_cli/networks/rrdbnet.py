"""RRDBNet, ESRGAN's generator: residual-in-residual dense blocks without BatchNorm.

Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks",
https://arxiv.org/abs/1809.00219; with pixel-unshuffled inputs as in Real-ESRGAN,
https://arxiv.org/abs/2107.10833.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad, pixel_unshuffle

from srgan_cli.networks.layers import (
    NearestConv,
    conv,
    conv_radius,
    he_init_,
    total_radius,
    upscale_factors,
)
from srgan_cli.networks.precision import Float32Conv, InputConv

RESIDUAL_SCALE = 0.2


class ResidualDenseBlock(nn.Module):
    """Five convolutions, each of which sees the outputs of all before it."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.conv1 = conv(features, growth)
        self.conv2 = conv(features + growth, growth)
        self.conv3 = conv(features + 2 * growth, growth)
        self.conv4 = conv(features + 3 * growth, growth)
        self.conv5 = conv(features + 4 * growth, features)
        for layer in self.children():
            he_init_(layer, 0.1)  # ESRGAN, section 3.1

    def forward(self, x: Tensor) -> Tensor:
        features = x  # (B, F, H, W)
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            new = leaky_relu(layer(features), 0.2, inplace=True)
            features = torch.cat([features, new], dim=1)  # (B, +growth, H, W)
        return torch.add(x, self.conv5(features), alpha=RESIDUAL_SCALE)


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

    With `unshuffle` u the body works on blocks of u x u pixels, at 1/u of the resolution: equal
    images give equal outputs only where they start at the same multiple of u (`alignment`).
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
            raise ValueError(f"RRDBNet upscales by an integer from 1, not by {scale} x {unshuffle}")
        self.scale = scale
        self.alignment = unshuffle
        self.factors = upscale_factors(scale * unshuffle)
        self.conv_first = InputConv(3 * unshuffle * unshuffle, features)
        self.body = nn.Sequential(*(RRDB(features, growth) for _ in range(blocks)))
        self.conv_body = conv(features, features)
        for number, factor in enumerate(self.factors, start=1):
            self.add_module(f"conv_up{number}", NearestConv(features, features, factor))
        self.conv_hr = conv(features, features)
        self.conv_last = Float32Conv(features, 3)

    @property
    def upsampling(self) -> list[nn.Module]:
        """conv_up1, conv_up2, ...: the published names."""
        return [self.get_submodule(f"conv_up{i + 1}") for i in range(len(self.factors))]

    @property
    def receptive_field(self) -> int:
        """A multiple of `alignment`, so that tiles with this context start at one."""
        stages = [conv_radius(self.conv_first, self.body, self.conv_body)]
        size = 1
        for factor, layer in zip(self.factors, self.upsampling, strict=True):
            size *= factor
            stages.append(conv_radius(layer, factor=size))
        stages.append(conv_radius(self.conv_hr, self.conv_last, factor=size))
        within_block = 0 if self.alignment == 1 else 1
        return (total_radius(stages) + within_block) * self.alignment

    def forward(self, low_res: Tensor) -> Tensor:
        height, width = low_res.shape[-2:]
        x = unshuffle_padded(low_res, self.alignment)  # (B, 3 u u, H, W) / u
        shallow = self.conv_first(x)  # (B, F, H, W) / u
        x = shallow + self.conv_body(self.body(shallow))
        for layer in self.upsampling:
            x = leaky_relu(layer(x), 0.2)  # H -> 2H
        x = leaky_relu(self.conv_hr(x), 0.2, inplace=True)
        rgb: Tensor = self.conv_last(x)  # (B, 3, sH, sW)
        if self.alignment == 1:
            return rgb
        return rgb[..., : height * self.scale, : width * self.scale]


def unshuffle_padded(image: Tensor, factor: int) -> Tensor:
    """(B, 3, H, W), padded to a multiple of factor -> (B, 3 factor², H / factor, W / factor)."""
    if factor == 1:
        return image
    height, width = image.shape[-2:]
    padded = pad(image, (0, -width % factor, 0, -height % factor), mode="replicate")
    return pixel_unshuffle(padded, factor)

"""Our own generator: nearly all of its work happens at low resolution.

Residual blocks without BatchNorm (EDSR, https://arxiv.org/abs/1707.02921), enlarged in steps of two
with ever fewer channels, and a thin convolution at full size: so no pixel phase of the output is
left on its own, which keeps a GAN stage free of cross-hatching. The network adds to the bicubic
picture what bicubic lacks.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu

from srgan_cli.networks.layers import conv, subpixel_conv, upscale_factors, zero_init_
from srgan_cli.networks.precision import bicubic, to_weight_dtype
from srgan_cli.networks.receptive_field import bicubic_radius, conv_radius, sum_radii


class Block(nn.Module):
    """Two convolutions around a ReLU, added to what came in."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = conv(features, features)
        self.conv2 = conv(features, features)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(relu(self.conv1(x), inplace=True)).add_(x)


class Fast(nn.Module):
    """RGB in [0, 1], (B, 3, H, W) -> RGB, (B, 3, sH, sW)."""

    def __init__(self, scale: int = 4, features: int = 64, blocks: int = 8, thin: int = 8) -> None:
        super().__init__()
        self.scale = scale
        steps = upscale_factors(scale)
        widths = [features, *(thin * 2 ** (len(steps) - i - 1) for i in range(len(steps)))]
        self.head = conv(3, features)
        self.body = nn.Sequential(*(Block(features) for _ in range(blocks)))
        self.body_end = conv(features, features)
        self.up = nn.ModuleList(
            subpixel_conv(inputs, outputs, step)
            for step, inputs, outputs in zip(steps, widths[:-1], widths[1:], strict=True)
        )
        self.to_rgb = conv(widths[-1], 3)
        self._calm()

    def _calm(self) -> None:
        """Blocks start as the identity and the network as bicubic."""
        for block in self.body:
            assert isinstance(block, Block)
            with torch.no_grad():
                block.conv2.weight *= 0.1
        zero_init_(self.to_rgb)

    @property
    def receptive_field(self) -> int:
        stages = [conv_radius(self.head, self.body, self.body_end)]
        factor = 1
        for step, layer in zip(upscale_factors(self.scale), self.up, strict=True):
            stages.append(conv_radius(layer, factor=factor))
            factor *= step
        stages.append(conv_radius(self.to_rgb, factor=factor))
        return max(sum_radii(stages), sum_radii([bicubic_radius(self.scale)]))

    def forward(self, low: Tensor) -> Tensor:
        shallow = self.head(to_weight_dtype(low, self))  # (B, F, H, W)
        x = self.body_end(self.body(shallow)).add_(shallow)
        for up in self.up:
            x = leaky_relu(up(x), 0.2, inplace=True)  # few channels: none may die; H -> 2H -> 4H
        return bicubic(low, self.scale).add_(self.to_rgb(x))  # in float32 whatever comes

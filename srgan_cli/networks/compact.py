"""Compact: a chain of convolutions at low resolution, added to a nearest-neighbor enlargement.

The "SRVGGNetCompact" of Real-ESRGAN's small models, Wang et al.,
https://arxiv.org/abs/2107.10833 and https://github.com/xinntao/Real-ESRGAN.
"""

from torch import Tensor, nn
from torch.nn.functional import interpolate

from srgan_cli.networks.layers import conv, conv_radius, total_radius
from srgan_cli.networks.precision import at_least_float32, to_weight_dtype


class Compact(nn.Module):
    """RGB in [0, 1], (B, 3, H, W) -> RGB, (B, 3, sH, sW). Any scale.

    convolutions: those between the first and the last, 16 in Compact-16. activation: "prelu",
    "relu" or "leakyrelu".
    """

    def __init__(
        self,
        scale: int = 4,
        features: int = 64,
        convolutions: int = 16,
        activation: str = "prelu",
    ) -> None:
        super().__init__()
        if scale < 1:
            raise ValueError(f"Compact upscales by an integer from 1, not by {scale}")
        self.scale = scale
        self.body = nn.ModuleList()
        for inputs in (3, *[features] * convolutions):
            self.body.append(conv(inputs, features))
            self.body.append(_activation(activation, features))
        self.body.append(conv(features, 3 * scale * scale))
        self.shuffle = nn.PixelShuffle(scale)

    @property
    def receptive_field(self) -> int:
        return total_radius([conv_radius(self.body)])

    def forward(self, low_res: Tensor) -> Tensor:
        x = to_weight_dtype(low_res, self.body)
        for layer in self.body:
            x = layer(x)  # (B, F, H, W), at last (B, 3 s s, H, W)
        residual = at_least_float32(self.shuffle(x))  # (B, 3, sH, sW)
        base = interpolate(at_least_float32(low_res), scale_factor=self.scale, mode="nearest")
        return residual + base


def _activation(name: str, features: int) -> nn.Module:
    match name:
        case "prelu":
            return nn.PReLU(features)
        case "relu":
            return nn.ReLU()
        case "leakyrelu":
            return nn.LeakyReLU(0.1)
    raise ValueError(f'Compact\'s activation is "prelu", "relu" or "leakyrelu", not "{name}"')

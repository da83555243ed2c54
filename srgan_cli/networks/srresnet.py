"""SRResNet, SRGAN's generator: residual blocks at low resolution, then sub-pixel convolutions.

Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
Network", https://arxiv.org/abs/1609.04802, and the variants of it that well-known programs train.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from srgan_cli.networks.layers import (
    NearestConv,
    OutputConv,
    SubPixelConv,
    conv,
    conv_radius,
    total_radius,
    upscale_factors,
)
from srgan_cli.networks.precision import (
    Float32PReLU,
    InputConv,
    at_least_float32,
    autocast_disabled,
)


@dataclass(frozen=True)
class Variant:
    """A published variant. Activations: "prelu", "relu", "leakyrelu" or "none"."""

    kernel: int = 9  # of the first and the last convolution
    first_activation: str = "prelu"
    block_activation: str = "prelu"
    body_end: str | None = "norm"  # or "prelu"; None: the body has no last convolution
    up_activation: str = "prelu"
    nearest: bool = False  # nearest-neighbor upsampling and a convolution, not a sub-pixel one
    conv_hr: bool = False  # one more convolution at full size before the last
    bilinear_base: bool = False  # the output is added to a bilinear enlargement


FORMS = {
    "paper": Variant(),
    "closing-prelu": Variant(body_end="prelu"),
    "msrresnet": Variant(
        kernel=3,
        first_activation="leakyrelu",
        block_activation="relu",
        body_end=None,
        up_activation="leakyrelu",
        conv_hr=True,
        bilinear_base=True,
    ),
    "early": Variant(3, "none", "relu", up_activation="relu", conv_hr=True),
    "early-nearest": Variant(3, "none", "relu", up_activation="relu", nearest=True, conv_hr=True),
}
"""paper: with BatchNorm. closing-prelu: leftthomas/SRGAN of 2018. msrresnet: BasicSR's and KAIR's;
early, early-nearest: their predecessors. These three are without BatchNorm."""

OUTPUTS = ("linear", "tanh")
"""How the last convolution's values become an image: as they are, or by (tanh + 1) / 2."""


class ResidualBlock(nn.Module):
    """x + norm(conv(activation(norm(conv(x)))))."""

    def __init__(self, features: int, activation: str, norm: bool, bias: bool) -> None:
        super().__init__()
        self.conv1 = conv(features, features, bias=bias or not norm)
        self.norm1 = _norm(features, norm)
        self.act = _activation(activation)
        self.conv2 = conv(features, features, bias=bias or not norm)
        self.norm2 = _norm(features, norm)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.act(self.norm1(self.conv1(x)))
        return torch.add(x, self.norm2(self.conv2(residual)))


class SRResNet(nn.Module):
    """RGB in [0, 1], (B, 3, H, W) -> RGB, (B, 3, sH, sW). Any scale.

    bias: of the convolutions before a BatchNorm; published files come in both kinds. form: a key of
    FORMS. output: "linear" or "tanh".
    """

    def __init__(
        self,
        scale: int = 4,
        features: int = 64,
        blocks: int = 16,
        norm: bool = True,
        bias: bool = False,
        form: str = "paper",
        output: str = "linear",
    ) -> None:
        super().__init__()
        _check(scale, form, output)
        self.scale, self.output = scale, output
        self.variant = variant = FORMS[form]
        self.factors = upscale_factors(scale)
        self.conv_first = InputConv(3, features, variant.kernel)
        self.act_first = _activation(variant.first_activation)
        self.body = nn.Sequential(
            *(ResidualBlock(features, variant.block_activation, norm, bias) for _ in range(blocks))
        )
        if variant.body_end is not None:
            normed = norm and variant.body_end == "norm"
            self.conv_body = conv(features, features, bias=bias or not normed)
            self.end_body = _norm(features, norm) if variant.body_end == "norm" else Float32PReLU()
        upsample = _nearest_conv if variant.nearest else SubPixelConv
        self.ups = nn.ModuleList(upsample(features, features, factor) for factor in self.factors)
        self.act_ups = nn.ModuleList(_activation(variant.up_activation) for _ in self.factors)
        if variant.conv_hr:
            self.conv_hr = conv(features, features)
            self.act_hr = _activation(variant.up_activation)
        self.conv_last = OutputConv(features, 3, variant.kernel)

    @property
    def receptive_field(self) -> int:
        stages = [conv_radius(self.conv_first, self.body)]
        if self.variant.body_end is not None:
            stages.append(conv_radius(self.conv_body))
        size = 1
        for factor, up in zip(self.factors, self.ups, strict=True):
            stages.append(conv_radius(up, factor=size * (factor if self.variant.nearest else 1)))
            size *= factor
        if self.variant.conv_hr:
            stages.append(conv_radius(self.conv_hr, factor=size))
        return total_radius([*stages, conv_radius(self.conv_last, factor=size)])

    def forward(self, low_res: Tensor) -> Tensor:
        shallow = self.act_first(self.conv_first(low_res))  # (B, F, H, W)
        x = self.body(shallow)
        if self.variant.body_end is not None:
            x = shallow + self.end_body(self.conv_body(x))
        rgb = self._upsample(x)  # (B, 3, sH, sW)
        if self.output == "tanh":  # the paper's images lie in [-1, 1]
            rgb = (torch.tanh(rgb) + 1) / 2
        return torch.add(rgb, _bilinear(low_res, self.scale)) if self.variant.bilinear_base else rgb

    def _upsample(self, x: Tensor) -> Tensor:
        """(B, F, H, W) -> RGB, (B, 3, sH, sW)."""
        for number, (up, act) in enumerate(zip(self.ups, self.act_ups, strict=True), start=1):
            last = number == len(self.factors) and not self.variant.conv_hr
            by_blocks = last and not torch.onnx.is_in_onnx_export()
            if by_blocks and isinstance(up, SubPixelConv):
                return self.conv_last.on_blocks(act(up.before_shuffle(x)), up.scale)
            x = act(up(x))  # H -> 2H
        if self.variant.conv_hr:
            x = self.act_hr(self.conv_hr(x))
        return self.conv_last(x)


def _check(scale: int, form: str, output: str) -> None:
    if scale < 1:
        raise ValueError(f"SRResNet upscales by an integer from 1, not by {scale}")
    if form not in FORMS:
        raise ValueError(f'SRResNet has the forms {", ".join(FORMS)}, not "{form}"')
    if output not in OUTPUTS:
        raise ValueError(f'SRResNet\'s output is {" or ".join(OUTPUTS)}, not "{output}"')


def _activation(name: str) -> nn.Module:
    match name:
        case "prelu":
            return Float32PReLU()
        case "relu":
            return nn.ReLU()
        case "leakyrelu":
            return nn.LeakyReLU(0.1)
        case "none":
            return nn.Identity()
    raise ValueError(f'"{name}" is no activation of SRResNet')


def _norm(features: int, norm: bool) -> nn.Module:
    return nn.BatchNorm2d(features) if norm else nn.Identity()


def _nearest_conv(inputs: int, outputs: int, factor: int) -> nn.Sequential:
    """(B, inputs, H, W) -> (B, outputs, fH, fW)."""
    return nn.Sequential(nn.Identity(), NearestConv(inputs, outputs, factor))  # "1" in files


def _bilinear(low_res: Tensor, scale: int) -> Tensor:
    """Bilinear upsampling, in float32 at least."""
    with autocast_disabled(low_res):
        image = at_least_float32(low_res)
        return interpolate(image, scale_factor=scale, mode="bilinear", align_corners=False)

"""SRResNet, SRGAN's generator: residual blocks at low resolution, then sub-pixel convolutions.

Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
Network", https://arxiv.org/abs/1609.04802, and the forms of it that well-known programs train.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from srgan_cli.networks.folding import RepeatingConv, folding_conv
from srgan_cli.networks.layers import SubPixelConv, conv, subpixel_conv, upscale_factors
from srgan_cli.networks.precision import FullPReLU, first_conv, full, without_autocast
from srgan_cli.networks.receptive_field import conv_radius, sum_radii


@dataclass(frozen=True)
class Form:
    """What the forms of SRResNet differ in. Activations: "prelu", "relu", "leakyrelu", "none"."""

    kernel: int = 9  # of the first and the last convolution
    first: str = "prelu"  # activation after the first convolution
    inner: str = "prelu"  # activation within the blocks
    end: str | None = "norm"  # follows the convolution behind the blocks, or "prelu"; None: no such
    late: str = "prelu"  # activation after each enlargement
    nearest: bool = False  # enlarge by repeating pixels before a convolution, not by its channels
    refine: bool = False  # one more convolution at full size before the last
    base: bool = False  # the bilinear-enlarged picture is added


FORMS = {
    "paper": Form(),
    "closing-prelu": Form(end="prelu"),
    "msrresnet": Form(3, "leakyrelu", "relu", None, "leakyrelu", refine=True, base=True),
    "early": Form(3, "none", "relu", late="relu", refine=True),
    "early-nearest": Form(3, "none", "relu", late="relu", nearest=True, refine=True),
}
"""paper: BatchNorm belongs to it. closing-prelu: leftthomas/SRGAN of 2018. msrresnet: BasicSR's and
KAIR's; early, early-nearest: what they were before. These three go without BatchNorm."""

OUTPUTS = ("linear", "tanh")
"""How the last convolution's values become a picture: as they are, or by (tanh + 1) / 2."""


class ResidualBlock(nn.Module):
    def __init__(self, features: int, activation: str, norm: bool, bias: bool) -> None:
        super().__init__()
        self.conv1 = conv(features, features, bias=bias or not norm)
        self.norm1 = normalising(features, norm)
        self.act = activating(activation)
        self.conv2 = conv(features, features, bias=bias or not norm)
        self.norm2 = normalising(features, norm)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.act(self.norm1(self.conv1(x)))
        return torch.add(x, self.norm2(self.conv2(inner)))


class SRResNet(nn.Module):
    """RGB in [0, 1], (B, 3, H, W) -> RGB, (B, 3, sH, sW). Any scale.

    `bias`: of the convolutions before a BatchNorm; files of both kinds are about.
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
        check(scale, form, output)
        self.scale, self.output, self.form = scale, output, FORMS[form]
        self.steps = upscale_factors(scale)
        shape = self.form
        self.conv_first = first_conv(3, features, shape.kernel)
        self.act_first = activating(shape.first)
        self.body = nn.Sequential(
            *(ResidualBlock(features, shape.inner, norm, bias) for _ in range(blocks))
        )
        if shape.end is not None:
            closed = norm and shape.end == "norm"
            self.conv_body = conv(features, features, bias=bias or not closed)
            self.end_body = normalising(features, norm) if shape.end == "norm" else FullPReLU()
        make = repeating if shape.nearest else subpixel_conv
        self.ups = nn.ModuleList(make(features, features, step) for step in self.steps)
        self.act_ups = nn.ModuleList(activating(shape.late) for _ in self.steps)
        if shape.refine:
            self.conv_hr = conv(features, features)
            self.act_hr = activating(shape.late)
        self.conv_last = folding_conv(features, 3, shape.kernel)

    @property
    def receptive_field(self) -> int:
        stages = [conv_radius(self.conv_first, self.body)]
        if self.form.end is not None:
            stages.append(conv_radius(self.conv_body))
        factor = 1
        for step, up in zip(self.steps, self.ups, strict=True):
            stages.append(conv_radius(up, factor=factor * (step if self.form.nearest else 1)))
            factor *= step
        if self.form.refine:
            stages.append(conv_radius(self.conv_hr, factor=factor))
        return sum_radii([*stages, conv_radius(self.conv_last, factor=factor)])

    def forward(self, low: Tensor) -> Tensor:
        shallow = self.act_first(self.conv_first(low))
        x = self.body(shallow)  # (B, F, H, W)
        if self.form.end is not None:
            x = shallow + self.end_body(self.conv_body(x))
        rgb = self._painted(x)
        if self.output == "tanh":  # the paper's pictures lie in [-1, 1]
            rgb = (torch.tanh(rgb) + 1) / 2
        return torch.add(rgb, bilinear(low, self.scale)) if self.form.base else rgb

    def _painted(self, x: Tensor) -> Tensor:
        """(B, F, H, W) -> RGB, (B, 3, sH, sW)."""
        for number, (up, act) in enumerate(zip(self.ups, self.act_ups, strict=True), start=1):
            if number == len(self.steps) and isinstance(up, SubPixelConv) and not self.form.refine:
                return self.conv_last.on_cells(act(up.cells(x)), up.scale)
            x = act(up(x))  # H -> 2H
        if self.form.refine:
            x = self.act_hr(self.conv_hr(x))
        rgb: Tensor = self.conv_last(x)
        return rgb


def check(scale: int, form: str, output: str) -> None:
    if scale < 1:
        raise ValueError(f"SRResNet enlarges by an integer from 1, not by {scale}")
    if form not in FORMS:
        raise ValueError(f'SRResNet has the forms {", ".join(FORMS)}, not "{form}"')
    if output not in OUTPUTS:
        raise ValueError(f'SRResNet\'s output is {" or ".join(OUTPUTS)}, not "{output}"')


def activating(name: str) -> nn.Module:
    match name:
        case "prelu":
            return FullPReLU()
        case "relu":
            return nn.ReLU()
        case "leakyrelu":
            return nn.LeakyReLU(0.1)
        case "none":
            return nn.Identity()
    raise ValueError(f'"{name}" is no activation of SRResNet')


def normalising(features: int, norm: bool) -> nn.Module:
    return nn.BatchNorm2d(features) if norm else nn.Identity()


def repeating(inputs: int, outputs: int, scale: int) -> nn.Sequential:
    """(B, inputs, H, W) -> (B, outputs, sH, sW)."""
    return nn.Sequential(nn.Identity(), RepeatingConv(inputs, outputs, scale))  # second in files


def bilinear(low: Tensor, scale: int) -> Tensor:
    with without_autocast(low):
        return interpolate(full(low), scale_factor=scale, mode="bilinear", align_corners=False)

"""What several papers' networks are made of."""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


def conv(inputs: int, outputs: int, kernel: int = 3, bias: bool = True) -> nn.Conv2d:
    """A convolution that keeps height and width."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)


@torch.no_grad()
def icnr_(layer: nn.Conv2d, scale: int) -> None:
    """Start a sub-pixel convolution as nearest-neighbor upsampling, free of checkerboards.

    Aitken et al., "Checkerboard artifact free sub-pixel convolution", 2017,
    https://arxiv.org/abs/1707.02937.
    """
    for values in (layer.weight, layer.bias):
        if values is not None:
            values.copy_(values[:: scale * scale].repeat_interleave(scale * scale, dim=0))


class SubPixelConv(nn.Sequential):
    """A convolution whose outputs are laid out as pixels: as by nn.PixelShuffle, to the bit, but
    with all channels of a pixel moved together, which takes a third of its time."""

    order: Tensor

    def __init__(self, layer: nn.Conv2d, scale: int) -> None:
        super().__init__(layer)
        self.scale = scale
        places = torch.arange(layer.out_channels).view(-1, scale * scale)  # of each channel
        self.register_buffer("order", places.T.flatten(), persistent=False)

    def cells(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, s s outputs, H, W): s x s pixels of each place in turn."""
        layer = self[0]
        assert isinstance(layer, nn.Conv2d)
        bias = None if layer.bias is None else layer.bias[self.order]
        return conv2d(x, layer.weight[self.order], bias, padding=layer.kernel_size[0] // 2)

    def forward(self, x: Tensor) -> Tensor:
        return laid_out(self.cells(x), self.scale)


def laid_out(cells: Tensor, step: int) -> Tensor:
    """(B, s s C, H, W), pixels before channels -> (B, C, sH, sW)."""
    places = cells.permute(0, 2, 3, 1).unflatten(3, (step, step, -1))  # (B, H, W, s, s, C)
    rows = places.transpose(2, 3).flatten(3, 4).flatten(1, 2)  # (B, sH, sW, C)
    return rows.permute(0, 3, 1, 2)


def subpixel_conv(inputs: int, outputs: int, scale: int) -> SubPixelConv:
    """(B, inputs, H, W) -> (B, outputs, sH, sW), a sub-pixel convolution that starts smooth."""
    layer = conv(inputs, outputs * scale * scale)
    icnr_(layer, scale)
    return SubPixelConv(layer, scale)


def zero_init_(layer: nn.Conv2d | nn.BatchNorm2d) -> None:
    """Start a layer silent: what it is added to passes unchanged."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def upscale_factors(scale: int) -> list[int]:
    """The steps in which a picture is enlarged: 4 -> [2, 2], 3 -> [3], 1 -> []."""
    steps = []
    while scale % 2 == 0:
        steps.append(2)
        scale //= 2
    return steps if scale == 1 else [*steps, scale]

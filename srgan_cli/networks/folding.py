"""Convolutions at full size, computed on cells of pixels at the size before.

Three colours out of many features, as SRResNet's last convolution has them, leave most of a
processor's lanes idle. Over s x s pixels at a time there are s s times as many outputs for kernels
of 1/s the side: the same sums, nearly the same number of products, in less than half the time; and
the features of an enlargement need not be laid out as pixels before.

Where pixels were only repeated, s x s times each, a kernel of 3 x 3 meets no more than 2 x 2
different ones: less than half the products do.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, pad

from srgan_cli.networks.layers import laid_out
from srgan_cli.networks.precision import FullConv, full, without_autocast


class FoldingConv(FullConv):
    """A FullConv that can also begin with what `SubPixelConv.cells` gives."""

    def on_cells(self, cells: Tensor, step: int) -> Tensor:
        """(B, s s inputs, H, W) -> (B, outputs, sH, sW), as of the cells laid out."""
        if torch.onnx.is_in_onnx_export():
            return self(laid_out(cells, step))  # it wants kernels as they are stored
        weight = folded(full(self.weight), step)
        bias = None if self.bias is None else full(self.bias).repeat(step * step)
        with without_autocast(cells):
            made = conv2d(full(cells), weight, bias, padding=weight.shape[-1] // 2)
        return laid_out(made, step)


class RepeatingConv(nn.Conv2d):
    """(B, inputs, H, W) -> (B, outputs, sH, sW): each pixel repeated, then a 3 x 3 convolution."""

    def __init__(self, inputs: int, outputs: int, step: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        if torch.onnx.is_in_onnx_export():  # it wants kernels as they are stored
            return super().forward(interpolate(x, scale_factor=self.step, mode="nearest"))
        with without_autocast(x):
            weight = gathered(full(self.weight), self.step).to(self.weight.dtype)
        bias = None if self.bias is None else self.bias.repeat(self.step**2)
        made = laid_out(conv2d(x, weight, bias, padding=1), self.step)  # begins a pixel too early
        height, width = (self.step * side for side in x.shape[-2:])
        return made[..., 1 : 1 + height, 1 : 1 + width]


def gathered(weight: Tensor, step: int) -> Tensor:
    """(O, I, 3, 3) -> (s s O, I, 2, 2): the kernels of the s x s pixels around a corner of four.

    Of the s rows that begin one above the corner, row t sees rows t - 2 to t of the repeated
    pixels, counted from the corner: those below 0 are the upper pixel, the others the lower one.
    """
    rows, taps = torch.meshgrid(torch.arange(step), torch.arange(3), indexing="ij")
    lower = (rows + taps >= 2).to(weight)
    meets = torch.stack([1 - lower, lower], dim=1)  # (s, 2, 3)
    return torch.einsum("tak,ubl,oikl->tuoiab", meets, meets, weight).flatten(0, 2)


def folded(weight: Tensor, step: int) -> Tensor:
    """(O, I, k, k) -> (s s O, s s I, c, c): the same convolution from cells to cells.

    The pixel in row p and column q of a cell sees a pixel dy rows below it in row (p + dy) mod s
    of the cell floor((p + dy) / s) below. c, odd, is the least that holds all of them.
    """
    seen = places(weight.shape[-1], step).to(weight.device)  # (s, s, c)
    wide = pad(weight, (0, 1, 0, 1))  # a zero for what lies outside the kernel
    apart = wide[:, :, seen][..., seen]  # (O, I, s, s, c, s, s, c)
    together = apart.permute(2, 5, 0, 3, 6, 1, 4, 7)  # (s, s, O, s, s, I, c, c)
    return together.flatten(3, 5).flatten(0, 2)


def places(kernel: int, step: int) -> Tensor:
    """Where in a row of the kernel (or `kernel`, beside it) a pixel of a cell finds another:
    (s, s, c), by the one's place in its cell, the other's, and the other's cell."""
    half = kernel // 2
    cells = -(-half // step)  # to each side
    own = torch.arange(step).view(-1, 1, 1)
    others = torch.arange(step).view(1, -1, 1)
    cell = torch.arange(-cells, cells + 1).view(1, 1, -1)
    place = cell * step + others - own + half
    return place.where((place >= 0) & (place < kernel), kernel)


def folding_conv(inputs: int, outputs: int, kernel: int) -> FoldingConv:
    """Keeps height and width."""
    return FoldingConv(inputs, outputs, kernel, padding=kernel // 2)

"""A large convolution at full size, computed on cells of pixels at the size before.

Three colours out of many features, as SRResNet's last convolution has them, leave most of a
processor's lanes idle. Over s x s pixels at a time there are s s times as many outputs for kernels
of 1/s the side: the same sums, nearly the same number of products, in less than half the time; and
the features of an enlargement need not be laid out as pixels before.
"""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from srgan_cli.models.layers import laid_out
from srgan_cli.models.precision import FullConv, full, without_autocast


class FoldingConv(FullConv):
    """A FullConv that can also begin with what `SubPixel.cells` gives."""

    def on_cells(self, cells: Tensor, step: int) -> Tensor:
        """(B, s s inputs, H, W) -> (B, outputs, sH, sW), as of the cells laid out."""
        if torch.onnx.is_in_onnx_export():
            return self(laid_out(cells, step))  # it wants kernels as they are stored
        weight = folded(full(self.weight), step)
        bias = None if self.bias is None else full(self.bias).repeat(step * step)
        with without_autocast(cells):
            made = conv2d(full(cells), weight, bias, padding=weight.shape[-1] // 2)
        return laid_out(made, step)


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

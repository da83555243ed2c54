"""Layers that several papers' networks share, how far networks see, and the orientations of what
they see.

`SubPixelConv`, `OutputConv` and `NearestConv` compute convolutions behind an upsampling at the
smaller size: the same sums, in less than half the time.
"""

import math
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from itertools import product

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, pad, pixel_shuffle

from srgan_cli.networks.precision import Float32Conv, at_least_float32, autocast_disabled
from srgan_cli.resample import SUPPORT, upscale_bicubic

BICUBIC_SIDE = 2
"""Low-resolution pixels that its kernel reaches to each side."""


def conv(inputs: int, outputs: int, kernel: int = 3, bias: bool = True) -> nn.Conv2d:
    """A convolution that keeps height and width."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)


def zero_init_(layer: nn.Conv2d | nn.BatchNorm2d) -> None:
    """Weights and bias 0: what the layer's output is added to passes unchanged."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


@torch.no_grad()
def he_init_(layer: nn.Module, gain: float = 1.0) -> None:
    """He initialization times `gain`, zero bias. Nothing happens on the device "meta", where torch
    would import its compiler to draw numbers."""
    assert isinstance(layer, nn.Conv2d)
    if layer.weight.is_meta:
        return
    nn.init.kaiming_normal_(layer.weight)
    layer.weight *= gain
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def upscale_factors(scale: int) -> list[int]:
    """The factors of the upsampling stages: 4 -> [2, 2], 3 -> [3], 6 -> [2, 3], 1 -> []."""
    factors = []
    while scale % 2 == 0:
        factors.append(2)
        scale //= 2
    return factors if scale == 1 else [*factors, scale]


def depth_to_space(x: Tensor, factor: int) -> Tensor:
    """(B, f f C, H, W), the pixels of a block before their channels -> (B, C, fH, fW).

    nn.PixelShuffle has the channels first; in this order all channels of a pixel move together,
    which takes a third of its time.
    """
    blocks = x.permute(0, 2, 3, 1).unflatten(3, (factor, factor, -1))  # (B, H, W, f, f, C)
    image = blocks.transpose(2, 3).flatten(3, 4).flatten(1, 2)  # (B, fH, fW, C)
    return image.permute(0, 3, 1, 2)


def only_upscales(x: Tensor) -> bool:
    """On a CPU, without gradients, and not to be written as a graph."""
    tracing = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    return x.device.type == "cpu" and not torch.is_grad_enabled() and not tracing


class SubPixelConv(nn.Sequential):
    """(B, inputs, H, W) -> (B, outputs, sH, sW): a convolution and nn.PixelShuffle, same results.

    With ICNR initialization.
    Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network", https://arxiv.org/abs/1609.05158.
    """

    def __init__(self, inputs: int, outputs: int, scale: int) -> None:
        layer = conv(inputs, outputs * scale * scale)
        icnr_(layer, scale)
        super().__init__(layer)
        self.scale = scale

    @property
    def order(self) -> Tensor:
        """PixelShuffle's channels in the order of `depth_to_space`; without memory on "meta"."""
        layer = self[0]
        assert isinstance(layer, nn.Conv2d)
        channels = torch.arange(layer.out_channels, device=layer.weight.device)
        return channels.view(-1, self.scale**2).T.flatten()

    def before_shuffle(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, s s outputs, H, W), in the order of `depth_to_space`."""
        layer = self[0]
        assert isinstance(layer, nn.Conv2d)
        bias = None if layer.bias is None else layer.bias[self.order]
        return conv2d(x, layer.weight[self.order], bias, padding=layer.kernel_size[0] // 2)

    def forward(self, x: Tensor) -> Tensor:
        if torch.onnx.is_in_onnx_export():  # one node, and kernels as they are stored
            return pixel_shuffle(self[0](x), self.scale)
        return depth_to_space(self.before_shuffle(x), self.scale)


@torch.no_grad()
def icnr_(layer: nn.Conv2d, scale: int) -> None:
    """Start a sub-pixel convolution as nearest-neighbor upsampling, free of checkerboards.

    Aitken et al., "Checkerboard artifact free sub-pixel convolution", 2017,
    https://arxiv.org/abs/1707.02937.
    """
    for values in (layer.weight, layer.bias):
        if values is not None:
            values.copy_(values[:: scale * scale].repeat_interleave(scale * scale, dim=0))


class OutputConv(Float32Conv):
    """A convolution to the image, in float32, that can be applied before `depth_to_space`.

    With three outputs for 64 inputs most of a processor's lanes are idle; on blocks of f x f pixels
    it has f f times the outputs.
    """

    def on_blocks(self, x: Tensor, factor: int) -> Tensor:
        """(B, f f inputs, H, W) -> (B, outputs, fH, fW): self(depth_to_space(x, factor))."""
        weight = _block_kernel(at_least_float32(self.weight), factor)
        bias = None if self.bias is None else at_least_float32(self.bias).repeat(factor * factor)
        with autocast_disabled(x):
            blocks = conv2d(at_least_float32(x), weight, bias, padding=weight.shape[-1] // 2)
        return depth_to_space(blocks, factor)


def _block_kernel(weight: Tensor, factor: int) -> Tensor:
    """(O, I, k, k) -> (f f O, f f I, n, n): the same convolution between blocks of f x f pixels.

    n is the smallest odd number of blocks that covers the kernel.
    """
    taps = _block_taps(weight.shape[-1], factor).to(weight.device)  # (f, f, n)
    padded = pad(weight, (0, 1, 0, 1))  # index k: a zero for pixels outside the kernel
    by_axes = padded[:, :, taps][..., taps]  # (O, I, f, f, n, f, f, n)
    blocks = by_axes.permute(2, 5, 0, 3, 6, 1, 4, 7)  # (f, f, O, f, f, I, n, n)
    return blocks.flatten(3, 5).flatten(0, 2)


def _block_taps(kernel: int, factor: int) -> Tensor:
    """(f, f, n): the index in a row of the kernel by which an output pixel sees an input pixel.

    By the output's place in its block, the input's, and the input's block; `kernel` if unseen.
    """
    radius = kernel // 2
    blocks = -(-radius // factor)  # on each side
    output = torch.arange(factor).view(-1, 1, 1)
    inputs = torch.arange(factor).view(1, -1, 1)
    block = torch.arange(-blocks, blocks + 1).view(1, 1, -1)
    index = block * factor + inputs - output + radius
    return index.where((index >= 0) & (index < kernel), kernel)


class NearestConv(nn.Conv2d):
    """Nearest-neighbor upsampling, then a 3 x 3 convolution.

    (B, inputs, H, W) -> (B, outputs, fH, fW). In an image of repeated pixels such a kernel meets at
    most 2 x 2 different ones.
    """

    def __init__(self, inputs: int, outputs: int, factor: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        if torch.onnx.is_in_onnx_export():  # ONNX needs kernels as they are stored
            return super().forward(interpolate(x, scale_factor=self.factor, mode="nearest"))
        with autocast_disabled(x):
            weight = _nearest_kernels(at_least_float32(self.weight), self.factor)
        bias = None if self.bias is None else self.bias.repeat(self.factor**2)
        blocks = conv2d(x, weight.to(self.weight.dtype), bias, padding=1)
        image = depth_to_space(blocks, self.factor)  # starts one pixel too early
        height, width = (self.factor * side for side in x.shape[-2:])
        return image[..., 1 : 1 + height, 1 : 1 + width]


def _nearest_kernels(weight: Tensor, factor: int) -> Tensor:
    """(O, I, 3, 3) -> (f f O, I, 2, 2): kernels of the f x f pixels around a corner of four.

    Of the f rows that start one above the corner, row t sees rows t - 2 to t of the repeated
    pixels, counted from the corner: those below 0 are the upper pixel, the others the lower one.
    """
    rows, taps = torch.meshgrid(torch.arange(factor), torch.arange(3), indexing="ij")
    lower = (rows + taps >= 2).to(weight)
    select = torch.stack([1 - lower, lower], dim=1)  # (f, 2, 3)
    return torch.einsum("tak,ubl,oikl->tuoiab", select, select, weight).flatten(0, 2)


def bicubic(low_res: Tensor, scale: int) -> Tensor:
    """RGB, (B, 3, H, W) -> (B, 3, sH, sW), in float32 at least.

    On CPUs, without gradients, a convolution upscales it in 40 % of the time.
    """
    with autocast_disabled(low_res):
        image = at_least_float32(low_res)
        if torch.onnx.is_in_onnx_export() or only_upscales(image):
            return _bicubic_by_convolution(image, scale)
        return upscale_bicubic(image, scale)


def _bicubic_by_convolution(image: Tensor, scale: int) -> Tensor:
    """(B, 3, H, W) -> (B, 3, sH, sW), in operations that ONNX has where one is written."""
    if scale == 1:
        return image
    kernels = torch.from_numpy(bicubic_kernels(scale)).to(image)
    padded = pad(image, (BICUBIC_SIDE,) * 4, mode="replicate")
    if torch.onnx.is_in_onnx_export():
        return pixel_shuffle(conv2d(padded, kernels), scale)
    ordered = kernels.unflatten(0, (-1, scale**2)).transpose(0, 1).flatten(0, 1)
    return depth_to_space(conv2d(padded, ordered), scale)


@lru_cache
def bicubic_kernels(scale: int) -> np.ndarray:
    """(3 s s, 3, 5, 5) float32: each output pixel of a cell out of the 5 x 5 pixels around."""
    side = 2 * BICUBIC_SIDE + 1
    impulses = torch.eye(side * side, dtype=torch.float64).view(-1, 1, side, side)
    cell = slice(BICUBIC_SIDE * scale, (BICUBIC_SIDE + 1) * scale)
    responses = upscale_bicubic(impulses, scale)[:, 0, cell, cell].flatten(1)  # (25, s s)
    planes = responses.T.reshape(scale * scale, side, side).numpy()
    kernels = np.zeros((3, scale * scale, 3, side, side), np.float32)
    for channel in range(3):
        kernels[channel, :, channel] = planes
    return kernels.reshape(-1, 3, side, side)


def conv_radius(*chains: nn.Module, factor: int = 1) -> Fraction:
    """Low-resolution pixels that convolutions in a row look to each side.

    factor: by how much larger than the low-resolution image their input is. A skip beside a
    convolution adds nothing: the longest path counts.
    """
    kernels = [
        layer.kernel_size[0]
        for chain in chains
        for layer in chain.modules()
        if isinstance(layer, nn.Conv2d)
    ]
    return sum((Fraction(kernel // 2, factor) for kernel in kernels), Fraction(0))


def bicubic_radius(scale: int) -> Fraction:
    """Radius of bicubic upsampling, to be added to those of the layers behind it."""
    return Fraction(0 if scale == 1 else SUPPORT // 2)


def total_radius(stages: Iterable[Fraction]) -> int:
    """Radius of stages in a row, rounded up to whole pixels."""
    return math.ceil(sum(stages, Fraction(0)))


ORIENTATIONS = tuple(product(range(4), (False, True)))
"""Quarter turns counterclockwise, and whether the image is flipped left to right before them."""


def upscale_rotated(generator: nn.Module, low_res: Tensor, rotations: int, flip: bool) -> Tensor:
    """(B, 3, H, W) -> (B, 3, sH, sW) in float32: upscaled in that orientation, then turned back."""
    flipped = low_res.flip(3) if flip else low_res
    high_res = generator(flipped.rot90(rotations, (2, 3))).float().rot90(-rotations, (2, 3))
    return high_res.flip(3) if flip else high_res

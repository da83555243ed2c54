"""How far a network sees: receptive fields, as radii in low-resolution pixels."""

import math
from collections.abc import Iterable
from fractions import Fraction

from torch import nn

from srgan_cli.resample import SUPPORT


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

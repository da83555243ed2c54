"""How far around it a pixel of the result is influenced so much that it shows: measured.

A deep network sees farther than matters: what lies at the end of its reach has passed through so
many layers that not one 8-bit level depends on it.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

CORE = 32
"""Side of what is compared, in the middle of the picture."""

FIRST = 96
"""The largest margin of the first search; if the result is close to it, a farther one follows."""

STEP = 4
"""Margins are multiples of it: rounding up also covers what the built-in picture does not show."""


def effective_reach(generator: nn.Module, tolerance: int = 0) -> int:
    """The smallest margin with which the built-in picture's middle keeps its 8-bit levels.

    In low-resolution pixels, at most the whole reach. tolerance: levels by which a value may
    differ. To be called with a generator on the CPU, in float32: elsewhere libraries round pictures
    of different sizes differently.
    """
    whole = int(generator.receptive_field)  # type: ignore[arg-type]
    step = math.lcm(STEP, int(getattr(generator, "alignment", 1)))
    farthest = -(-whole // step)
    most = min(FIRST // step, farthest)
    while (found := _fewest(generator, step, most, tolerance)) > 0.75 * most and most < farthest:
        most = min(2 * most, farthest)
    return min(found * step, whole)


def _fewest(generator: nn.Module, step: int, most: int, tolerance: int) -> int:
    """The fewest steps of margin that give what `most` of them give."""
    picture = torch.from_numpy(scene(CORE + 2 * most * step))[None]
    wanted = _middle(generator, picture, most * step)
    too_few, enough = -1, most
    while enough - too_few > 1:
        steps = (too_few + enough) // 2
        difference = _middle(generator, picture, steps * step) - wanted
        if difference.abs().max() <= tolerance:
            enough = steps
        else:
            too_few = steps
    return enough


@torch.inference_mode()
def _middle(generator: nn.Module, picture: Tensor, margin: int) -> Tensor:
    """The core as the network makes it, seeing `margin` pixels around it, in levels."""
    beyond = (picture.shape[2] - CORE) // 2 - margin
    seen = picture[..., beyond : picture.shape[2] - beyond, beyond : picture.shape[3] - beyond]
    scale = int(generator.scale)  # type: ignore[arg-type]
    start, stop = margin * scale, (margin + CORE) * scale
    core: Tensor = generator(seen)[..., start:stop, start:stop]
    return (core.clamp(0, 1) * 255).round()


def scene(side: int) -> NDArray[np.float32]:
    """(3, side, side) in [0, 1], of 8-bit levels: gradients, bars, discs and noise everywhere."""
    y, x = np.mgrid[:side, :side] - side // 2
    gradients = np.abs(np.stack([x, y, x + y]) / 48 % 2 - 1)  # up and down
    discs = np.hypot(x % 40 - 20, y % 40 - 20) < 12
    bars = (x + 2 * y) // 9 % 2
    noise = np.random.default_rng(2018).random((3, side, side))
    mixed = 0.6 * np.where(discs, 1 - gradients, gradients) + 0.2 * bars + 0.2 * noise
    return (np.rint(255 * mixed) / 255).astype(np.float32)

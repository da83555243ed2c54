"""JPEG as pictures come back from it, for a whole batch at once and on any device.

The baseline process of ITU-T T.81 between the colours of JFIF, rounded wherever libjpeg rounds;
what the coder of its bits does changes nothing and is left out.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

UNIT = 16
"""Pixels a side that are coded together where colours are halved."""

BLOCK = 8

NOTHING = 1e-4
"""Above what float32 errs by: halves of steps, which are common, go away from 0 all the same."""

LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""T.81, table K.1: steps of quantisation at quality 50, by vertical and horizontal frequency."""

CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
"""Table K.2."""

TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
"""JFIF 1.02: R, G, B -> Y, Cb - 128, Cr - 128."""

TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def as_jpeg(pictures: Tensor, qualities: Sequence[int], halved: Sequence[bool]) -> Tensor:
    """(B, 3, H, W) levels from 0 to 255, H and W multiples of UNIT -> whole levels.

    Each picture has its own quality, from 1 to 100, and colours of half the resolution (4:2:0) or
    not (4:4:4).
    """
    middle = pictures.new_tensor((128, 0, 0))[:, None, None]
    planes = _mixed(_whole(pictures), TO_YCC).round() - middle  # all around 0
    steps = _steps(qualities, pictures)
    whole = _coded(planes, steps)
    smooth = interpolate(
        _coded(_halved(planes[:, 1:]), steps[:, 1:]),
        scale_factor=2,
        mode="bilinear",
        align_corners=False,
    )
    is_half = torch.tensor(halved).to(pictures.device, non_blocking=True)[:, None, None, None]
    colours = torch.where(is_half, _floored(smooth, 8 / 16, 7 / 16), whole[:, 1:])
    return _whole(_mixed(torch.cat([whole[:, :1], colours], dim=1) + middle, TO_RGB))


def quantisation(table: Sequence[Sequence[int]], quality: int) -> np.ndarray:
    """(8, 8) steps as libjpeg scales them, from 1 to 255."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return ((np.array(table) * percent + 50) // 100).clip(1, 255)


def _steps(qualities: Sequence[int], pictures: Tensor) -> Tensor:
    """(B, 3, 1, 1, 8, 8) for Y, Cb and Cr, beside the pictures."""
    tables = (LUMINANCE, CHROMINANCE, CHROMINANCE)
    steps = np.stack([[quantisation(it, quality) for it in tables] for quality in qualities])
    return torch.from_numpy(steps)[:, :, None, None].to(pictures, non_blocking=True)


def _coded(planes: Tensor, steps: Tensor) -> Tensor:
    """(B, C, H, W) levels around 0: only whole multiples of the steps are left of their waves."""
    waves = torch.from_numpy(_cosines()).to(planes, non_blocking=True)
    blocks = planes.unflatten(3, (-1, BLOCK)).unflatten(2, (-1, BLOCK)).transpose(3, 4)
    found = waves @ blocks @ waves.T / steps  # (B, C, H / 8, W / 8, 8, 8)
    kept = found.sign() * rounded(found.abs() + NOTHING) * steps
    back = waves.T @ kept @ waves
    return rounded(back.transpose(3, 4).flatten(4, 5).flatten(2, 3)).clamp(-128, 127)


def _halved(planes: Tensor) -> Tensor:
    return _floored(avg_pool2d(planes, 2), 1 / 4, 2 / 4)


def _floored(levels: Tensor, even: float, odd: float) -> Tensor:
    """What libjpeg adds before it cuts fractions off depends on the column: halves go both ways."""
    lift = torch.full_like(levels[0, 0, 0], odd)
    lift[::2] = even
    return (levels + lift).floor()


def _cosines() -> np.ndarray:
    """(8, 8), the discrete cosine transform: frequency, place."""
    frequency, place = np.mgrid[:BLOCK, :BLOCK]
    waves = np.cos((2 * place + 1) * frequency * np.pi / (2 * BLOCK)) / 2
    waves[0] = np.sqrt(1 / BLOCK)
    return waves


def _mixed(planes: Tensor, mixture: Sequence[Sequence[float]]) -> Tensor:
    """Other sums of the three planes of each picture."""
    return torch.einsum("oc,bchw->bohw", planes.new_tensor(mixture), planes)


def _whole(levels: Tensor) -> Tensor:
    return rounded(levels).clamp(0, 255)


def rounded(levels: Tensor) -> Tensor:
    """Halves go up, as libjpeg's do: what is left of a flat block is multiples of an eighth."""
    return (levels + 0.5).floor()

"""Pairs of patches, low and high, cut from photographs: endless, each a function of its number."""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from srgan_cli.resample import resize
from srgan_cli.training.photographs import Photographs

MARGIN = 4
"""Low-resolution pixels around a patch that its shrinking sees and the network does not."""

CANDIDATES = 4
"""Places looked at before one is cut; the more detail, the more likely."""


class Pair(TypedDict):
    low: Tensor
    """(B, 3, P / scale, P / scale), 8-bit levels in [0, 1]."""
    high: Tensor
    """(B, 3, P, P), 8-bit levels in [0, 1]."""


@dataclass(frozen=True)
class Cut:
    """How patches are cut: all sides in high-resolution pixels."""

    batch_size: int
    patch: int
    scale: int
    shrink: float
    seed: int


class Batches(Dataset[Pair]):
    """Batch number i, the same whoever asks for it and whenever: what makes a run resumable."""

    def __init__(self, photographs: Photographs, cut: Cut) -> None:
        self.photographs = photographs
        self.cut = cut

    def __getitem__(self, number: int) -> Pair:
        rng = np.random.default_rng([self.cut.seed, number])
        pairs = [self._pair(rng) for _ in range(self.cut.batch_size)]
        return {
            "low": torch.stack([p["low"] for p in pairs]),
            "high": torch.stack([p["high"] for p in pairs]),
        }

    def _pair(self, rng: np.random.Generator) -> Pair:
        padded = self.cut.patch + 2 * MARGIN * self.cut.scale
        region = self._region(rng, padded)
        turned = np.rot90(region, int(rng.integers(4)))
        turned = turned[:, ::-1] if rng.integers(2) else turned
        high = torch.from_numpy(np.ascontiguousarray(turned)).permute(2, 0, 1).float()
        if high.shape[-1] != padded:
            high = quantised(resize(high, padded, padded))
        low = quantised(resize(high, padded // self.cut.scale, padded // self.cut.scale))
        return {"low": inner(low, MARGIN) / 255, "high": inner(high, MARGIN * self.cut.scale) / 255}

    def _region(self, rng: np.random.Generator, padded: int) -> np.ndarray:
        """(side, side, 3), the patch before it is shrunk to `padded`."""
        photograph = self.photographs.draw(rng, at_least=padded)
        smallest = min(photograph.shape[:2])
        largest_side = min(int(padded / self.cut.shrink), smallest)
        shrink = rng.uniform(padded / largest_side, 1.0)
        side = min(round(padded / shrink), smallest)
        return _detailed(photograph, side, rng)


def _detailed(photograph: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    height, width = photograph.shape[:2]
    tops = rng.integers(height - side + 1, size=CANDIDATES)
    lefts = rng.integers(width - side + 1, size=CANDIDATES)
    regions = [
        photograph[top : top + side, left : left + side]
        for top, left in zip(tops, lefts, strict=True)
    ]
    details = np.array([detail(region) for region in regions])
    return regions[rng.choice(CANDIDATES, p=details / details.sum())]


def detail(region: np.ndarray) -> float:
    """How much there is to see: the mean step between neighbours in green, never zero."""
    green = region[::3, :, 1].astype(np.int16)
    return float(np.abs(np.diff(green, axis=1)).mean()) + 0.1


def quantised(levels: Tensor) -> Tensor:
    return levels.round().clamp(0, 255)


def inner(picture: Tensor, margin: int) -> Tensor:
    return picture[..., margin:-margin, margin:-margin]

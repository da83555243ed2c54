"""High patches cut by worker processes, and the low ones that a GPU makes of them, batch by batch.

What crosses over is bytes and decisions; blur, resizing, noise and JPEG happen where the networks
are, at once for all samples of a batch.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from srgan_cli.training.patches import Cut, MadePairs, Pair
from srgan_cli.training.spoiling import spoiled_lows
from srgan_cli.training.treatments import Course

NOISE = 1
"""Marks the random numbers that a batch's noise begins with, apart from those of its samples."""

Deciding = Callable[[int, int, np.random.Generator], Course]
"""The side of a high patch, its scale, chance -> what happens to it on the way to a low one."""


@dataclass(frozen=True, eq=False)
class Highs:
    """A batch that has no low pictures yet."""

    pixels: Tensor
    """(B, 3, S, S) uint8, with the margin around the patches."""
    courses: tuple[Course, ...]
    """What is to happen to each."""
    noise: int
    """What the noise begins with."""

    def pin_memory(self) -> "Highs":
        """Called by a DataLoader that pins."""
        return replace(self, pixels=self.pixels.pin_memory())


class HighBatches(Dataset[Highs]):
    """Batch number i, the same whoever asks for it: the patches of Batches, and decisions.

    `places` are those of the samples that this process makes of each batch.
    """

    def __init__(self, cut: MadePairs, decide: Deciding, seed: int, places: range) -> None:
        self.cut, self.decide, self.seed, self.places = cut, decide, seed, places

    def __getitem__(self, number: int) -> Highs:
        chances = [np.random.default_rng([self.seed, number, place]) for place in self.places]
        pixels = torch.stack([self.cut.high(rng).byte() for rng in chances])
        about = self.cut.cut
        courses = tuple(self.decide(about.padded, about.scale, rng) for rng in chances)
        noise = np.random.default_rng([self.seed, number, self.places.start, NOISE])
        return Highs(pixels, courses, int(noise.integers(2**63)))


@torch.no_grad()
def with_lows(highs: Highs, cut: Cut, device: torch.device) -> Pair:
    """The pairs of a batch on `device`; there the same each time it is asked."""
    levels = highs.pixels.to(device, non_blocking=True).float()
    noise = torch.Generator(device).manual_seed(highs.noise)
    return cut.inside(spoiled_lows(levels, cut.scale, highs.courses, noise), levels)

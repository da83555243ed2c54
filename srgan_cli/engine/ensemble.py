"""Self-ensemble: the mean of what a network makes of a picture in its eight orientations.

Timofte et al., "Seven ways to improve example-based single image super resolution", 2016,
https://arxiv.org/abs/1511.02228.
"""

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """A generator that takes eight times as long and errs a little less."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.scale = generator.scale
        self.reach = generator.reach
        self.alignment = getattr(generator, "alignment", 1)

    def forward(self, low: Tensor) -> Tensor:
        made = [self._turned(low, turns, mirrored) for turns in range(4) for mirrored in (0, 1)]
        return torch.stack(made).mean(dim=0)

    def _turned(self, low: Tensor, turns: int, mirrored: int) -> Tensor:
        seen = low.flip(3) if mirrored else low
        made = self.generator(seen.rot90(turns, (2, 3))).float().rot90(-turns, (2, 3))
        return made.flip(3) if mirrored else made

"""Self-ensemble: the mean output of a network over the eight orientations of an image.

Timofte et al., "Seven ways to improve example-based single image super resolution", 2016,
https://arxiv.org/abs/1511.02228.
"""

import torch
from torch import Tensor, nn

from srgan_cli.networks.orientations import ORIENTATIONS, upscale_rotated


class Ensemble(nn.Module):
    """A generator that takes eight times as long and errs a little less."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.scale = generator.scale
        self.receptive_field = generator.receptive_field
        self.alignment = getattr(generator, "alignment", 1)

    def forward(self, low: Tensor) -> Tensor:
        made = [upscale_rotated(self.generator, low, *orientation) for orientation in ORIENTATIONS]
        return torch.stack(made).mean(dim=0)

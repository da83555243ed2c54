"""A trained network that tells another one what it would make: distillation.

Hinton et al., "Distilling the Knowledge in a Neural Network", https://arxiv.org/abs/1503.02531.
What an original has beyond its low picture is chance to a learner; of what a teacher makes, all can
be learnt.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from srgan_cli.errors import OptionError
from srgan_cli.orientations import ORIENTATIONS, made_turned
from srgan_cli.training.options import TrainOptions
from srgan_cli.weights import Weights, read_weights


@dataclass(frozen=True, eq=False)
class Teacher:
    """Looks at each batch in an orientation drawn at random: over many steps a learner is told the
    mean of all eight, which errs less than any of them."""

    network: nn.Module
    weight: float
    """How much its pictures count, from 0 to 1; the originals count the rest."""

    @torch.no_grad()
    def __call__(self, low: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, sH, sW)."""
        drawn = ORIENTATIONS[int(torch.randint(len(ORIENTATIONS), ()))]
        return made_turned(self.network, low, *drawn)


def teacher_weights(options: TrainOptions) -> Weights | None:
    """Raises OptionError for a network of another scale, WeightsError for a file that is none."""
    if options.teacher is None:
        return None
    given = read_weights(options.teacher)
    if given.facts.scale != options.scale:
        raise OptionError(
            f"{options.teacher} enlarges by {given.facts.scale}: it cannot teach a network that "
            f"enlarges by {options.scale}"
        )
    return given

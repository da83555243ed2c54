"""Distillation: a network is trained on the outputs of better networks.

Hinton et al., "Distilling the Knowledge in a Neural Network", https://arxiv.org/abs/1503.02531.
Detail of the original that the low-resolution image does not determine is noise to a small network;
the teacher's output is a function of that image.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from srgan_cli.errors import OptionError
from srgan_cli.networks.orientations import ORIENTATIONS, upscale_rotated
from srgan_cli.training.recipes import Stage
from srgan_cli.training.train_options import TEACHER_WEIGHT, TrainOptions
from srgan_cli.weights.container import Weights
from srgan_cli.weights.loading import load_weights


@dataclass(frozen=True, eq=False)
class TeacherEnsemble:
    """The mean output of networks, each in a random orientation: over many steps the mean of all
    eight, which is more accurate than any of them."""

    networks: Sequence[nn.Module]

    def __call__(self, low_res: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, sH, sW)."""
        outputs = [
            upscale_rotated(network, low_res, *draw_orientation()) for network in self.networks
        ]
        return torch.stack(outputs).mean(dim=0)


def draw_orientation() -> tuple[int, bool]:
    return ORIENTATIONS[int(torch.randint(len(ORIENTATIONS), ()))]


def effective_teacher_weight(options: TrainOptions, stage: Stage) -> float:
    """Share of the pixel loss whose target is the teachers' output, from 0 to 1. A GAN stage only
    uses those of a pool: running teachers at each step would cost more than the step."""
    if not options.teachers or (stage.end != "psnr" and options.pool is None):
        return 0.0
    return TEACHER_WEIGHT if options.teacher_weight is None else options.teacher_weight


def load_teachers(options: TrainOptions) -> list[Weights]:
    """Raises OptionError for a network of another scale, WeightsError for another file."""
    given = [load_weights(file) for file in options.teachers]
    for file, weights in zip(options.teachers, given, strict=True):
        if weights.metadata.scale != options.scale:
            raise OptionError(
                f"{file} enlarges by {weights.metadata.scale}: it cannot teach a network that "
                f"enlarges by {options.scale}"
            )
    return given

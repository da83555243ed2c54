"""How much memory a stage needs: its networks on the meta device, and what they would keep."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from srgan_cli.training.builder import build_discriminator
from srgan_cli.training.distillation import open_teachers, weight_of_teachers
from srgan_cli.training.feature_extractors import Eyes, perceptual_loss, perceptual_terms
from srgan_cli.training.initial_weights import starting_weights
from srgan_cli.training.memory_estimate import COPIES, Need, kept_bytes, weight_bytes
from srgan_cli.training.recipes import RECIPES, Stage
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.weights.loading import load_generator


@dataclass(frozen=True, eq=False)
class Cast:
    """The networks of a stage, on the meta device."""

    generator: nn.Module
    discriminator: nn.Module | None
    perceptual: nn.Module | None
    """A PerceptualLoss."""
    teachers: Sequence[nn.Module] = ()

    @property
    def all(self) -> list[nn.Module]:
        return [n for n in (self.generator, self.discriminator, self.perceptual) if n is not None]


def cast_of(options: TrainOptions, stage: Stage, opened: Sequence[Eyes]) -> Cast:
    recipe = RECIPES[options.recipe]
    weights = starting_weights(options, recipe)
    generator = load_generator(weights).to("meta")
    rival = build_discriminator(stage.gan).to("meta") if stage.gan else None
    terms = perceptual_terms(stage)
    seen = perceptual_loss(opened, terms[0]).to("meta") if terms else None
    runs_teachers = weight_of_teachers(options, stage) and options.pool is None
    taught_by = open_teachers(options) if runs_teachers else []
    teachers = [load_generator(weights).to("meta") for weights in taught_by]
    return Cast(generator, rival, seen, teachers)


def need_of(cast: Cast, side: int, scale: int, dtype: torch.dtype) -> Need:
    """An estimate: weights and what goes with them, and what one sample keeps."""
    low = torch.zeros(1, 3, side // scale, side // scale, device="meta")
    high = torch.zeros(1, 3, side, side, device="meta")

    def compute() -> None:
        made = cast.generator(low)
        if cast.discriminator is not None:
            cast.discriminator(made), cast.discriminator(high), cast.discriminator(made.detach())
        if cast.perceptual is not None:
            cast.perceptual(made, high)

    cast.generator.train()
    sample = kept_bytes(cast.all, compute) * dtype.itemsize / 4
    trained = [n for n in (cast.generator, cast.discriminator) if n is not None]
    fixed = sum(weight_bytes(network) * COPIES for network in trained)
    fixed += weight_bytes(cast.generator)  # the running average
    fixed += weight_bytes(cast.perceptual) if cast.perceptual is not None else 0
    fixed += sum(map(weight_bytes, cast.teachers))
    return Need(fixed, sample)

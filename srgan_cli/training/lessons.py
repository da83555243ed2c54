"""What networks learn from a batch: pixels alone, or the game of generator and discriminator."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from srgan_cli.models.precision import without_autocast
from srgan_cli.resample import resize
from srgan_cli.training.distributed import unshared
from srgan_cli.training.losses import Distance, Game, certainty, shifted
from srgan_cli.training.steps import Learner, Losses, Part

MARGIN = 4
"""Low pixels beside a patch's border, where networks see zeros in place of a picture."""


class Told(Protocol):
    """Something that a generator is told of what it made, and how much it counts."""

    @property
    def weight(self) -> float: ...

    def __call__(self, made: Tensor, low: Tensor, high: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Term:
    """A distance from the wanted picture, and how much it counts."""

    weight: float
    distance: Distance
    reference: Callable[[Tensor], Tensor] | None = None
    """What makes the wanted picture of the low one; None: it is the original."""

    def __call__(self, made: Tensor, low: Tensor, high: Tensor) -> Tensor:
        if self.reference is None:
            return self.distance(made, high)
        with torch.no_grad():
            wanted = self.reference(low).float()
        return self.distance(made, wanted)


@dataclass(frozen=True)
class AsideTerm:
    """A distance from what the generator itself makes of the same picture, moved aside by less than
    a low pixel: pictures do not care where the grid of low pixels lies, a lattice goes with it.

    For low pictures that are made by bicubic alone.
    """

    weight: float
    distance: Distance
    generator: nn.Module
    scale: int

    def __call__(self, made: Tensor, low: Tensor, high: Tensor) -> Tensor:
        top, left = torch.randint(1, max(2, self.scale), (2,)).tolist()
        height, width = (side - 1 for side in low.shape[-2:])  # what is left of it, low
        there = (
            ...,
            slice(top, top + height * self.scale),
            slice(left, left + width * self.scale),
        )
        with without_autocast(high):  # half precision would round the low picture
            moved = resize(high[there], height, width).clamp_(0, 1)
        wanted = self.generator(moved).float()
        margin = self.scale * min(MARGIN, (min(height, width) - 1) // 2)
        within = (..., slice(margin, -margin or None), slice(margin, -margin or None))
        return self.distance(made[there][within], wanted[within])


@dataclass
class PixelLesson:
    """The generator learns to come near the wanted pictures, pixel by pixel."""

    generator: Learner
    terms: Mapping[str, Told]

    @property
    def learners(self) -> list[Learner]:
        return [self.generator]

    def __call__(self, low: Tensor, high: Tensor, part: Part) -> Losses:
        with unshared(self.generator.network, part.last):
            with part.autocast():
                made = self.generator.network(low).float()
                losses = {name: term(made, low, high) for name, term in self.terms.items()}
            weights = {name: term.weight for name, term in self.terms.items()}
            part.backward(weighted_sum(losses, weights) * part.share)
        return {name: loss.item() for name, loss in losses.items()}


@dataclass
class AdversarialLesson:
    """The discriminator learns to tell pictures apart, the generator to be taken for real.

    Both gradients are of the networks as they are before the step.
    """

    generator: Learner
    discriminator: Learner
    game: Game
    adversarial_weight: float
    terms: Mapping[str, Told]
    """What else the generator is told, by name."""
    shift: int = 0
    """As in Stage, for the discriminator."""

    @property
    def learners(self) -> list[Learner]:
        return [self.generator, self.discriminator]

    def __call__(self, low: Tensor, high: Tensor, part: Part) -> Losses:
        with unshared(self.generator.network, part.last):
            with part.autocast():
                made = self.generator.network(low).float()
            verdict, told = self._teach_discriminator(made.detach(), high, part)
            with part.autocast():
                losses = {name: term(made, low, high) for name, term in self.terms.items()}
                losses["adversarial"] = self._adversarial(made, verdict)
            weights = {name: term.weight for name, term in self.terms.items()}
            weights["adversarial"] = self.adversarial_weight
            part.backward(weighted_sum(losses, weights) * part.share)
        return {name: loss.item() for name, loss in losses.items()} | told

    def _teach_discriminator(self, made: Tensor, high: Tensor, part: Part) -> tuple[Tensor, Losses]:
        """Returns the logits of the originals as well."""
        network = self.discriminator.network
        with unshared(network, part.last):
            made, high = shifted(self.shift, made, high)
            with part.autocast():
                real, fake = network(high).float(), network(made).float()
            loss = self.game.discriminator(real, fake)
            part.backward(loss * part.share)
        real, fake = real.detach(), fake.detach()
        return real, {"discriminator": loss.item()} | certainty(self.game, real, fake)

    def _adversarial(self, made: Tensor, real: Tensor) -> Tensor:
        with frozen(self.discriminator.alone):
            fake = self.discriminator.alone(*shifted(self.shift, made)).float()
        return self.game.generator(real, fake)


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Gradients pass through `network` and leave none behind."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)

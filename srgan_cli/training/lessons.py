"""What networks learn from a batch: pixels alone, or the game of generator and discriminator."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from srgan_cli.training.distributed import unshared
from srgan_cli.training.losses import Distance, Game, certainty, shifted
from srgan_cli.training.steps import Learner, Losses, Part

FAITHFUL = ("phase",)
"""Terms for which an original's own textures only hide what they look for."""


@dataclass
class PixelLesson:
    """The generator learns to come near the original, pixel by pixel."""

    generator: Learner
    distance: Distance

    @property
    def learners(self) -> list[Learner]:
        return [self.generator]

    def __call__(self, low: Tensor, high: Tensor, part: Part) -> Losses:
        with unshared(self.generator.network, part.last):
            with part.autocast():
                made = self.generator.network(low).float()
            loss = self.distance(made, high)
            part.backward(loss * part.share)
        return {"pixel": loss.item()}


@dataclass
class AdversarialLesson:
    """The discriminator learns to tell pictures apart, the generator to be taken for real.

    Both gradients are of the networks as they are before the step.
    """

    generator: Learner
    discriminator: Learner
    game: Game
    adversarial_weight: float
    terms: dict[str, tuple[float, Distance]]
    """What else the generator is told: name -> weight and distance of the made and the real."""
    shift: int = 0
    """As in Stage, for the discriminator."""
    faithful: nn.Module | None = None
    """What the terms of FAITHFUL compare with, in place of the original: what this makes of the low
    picture."""

    @property
    def learners(self) -> list[Learner]:
        return [self.generator, self.discriminator]

    def __call__(self, low: Tensor, high: Tensor, part: Part) -> Losses:
        with unshared(self.generator.network, part.last):
            with part.autocast():
                made = self.generator.network(low).float()
            verdict, told = self._teach_discriminator(made.detach(), high, part)
            with part.autocast():
                losses = self._generator_losses(made, self._wanted(low, high), verdict)
            weighted = [self._weight(name) * loss for name, loss in losses.items()]
            part.backward(torch.stack(weighted).sum() * part.share)
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

    def _wanted(self, low: Tensor, high: Tensor) -> dict[str, Tensor]:
        """What each term compares with."""
        wanted = dict.fromkeys(self.terms, high)
        if self.faithful is not None:
            with torch.no_grad():
                faithful = self.faithful(low).float()
            wanted |= {name: faithful for name in FAITHFUL if name in wanted}
        return wanted

    def _generator_losses(
        self, made: Tensor, wanted: dict[str, Tensor], real: Tensor
    ) -> dict[str, Tensor]:
        losses = {name: distance(made, wanted[name]) for name, (_, distance) in self.terms.items()}
        with frozen(self.discriminator.alone):
            fake = self.discriminator.alone(*shifted(self.shift, made)).float()
        return losses | {"adversarial": self.game.generator(real, fake)}

    def _weight(self, name: str) -> float:
        return self.adversarial_weight if name == "adversarial" else self.terms[name][0]


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Gradients pass through `network` and leave none behind."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)

"""What networks learn from a batch: pixels alone, or the game of generator and discriminator."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from srgan_cli.training.distributed import unshared
from srgan_cli.training.losses import Distance, Game, certainty, shifted
from srgan_cli.training.train_step import Learner, Losses, Part


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


@dataclass
class PixelLesson:
    """The generator learns to come near the wanted pictures, pixel by pixel."""

    generator: Learner
    terms: Mapping[str, Term]

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
    terms: Mapping[str, Term]
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

"""Losses of the generator and the discriminator. Every function gives a mean, a scalar."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss, softplus

from srgan_cli.networks.srcnn import luma
from srgan_cli.training.distributed import mean_over_processes

Distance = Callable[[Tensor, Tensor], Tensor]

DISTANCES: dict[str, Distance] = {"l1": l1_loss, "mse": mse_loss}


def of_luma(distance: Distance) -> Distance:
    """The distance of the luma of RGB images, for networks that do not change the chroma."""
    return lambda generated, target: distance(luma(generated), luma(target))


class GanLoss(Protocol):
    """Logits of any shape -> scalar losses."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor: ...
    def generator(self, real: Tensor, fake: Tensor) -> Tensor: ...


class VanillaGan:
    """-log D(x) - log(1 - D(G(z))), non-saturating for the generator.

    Goodfellow et al., https://arxiv.org/abs/1406.2661; SRGAN, equation 5.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-fake).mean()


class RelativisticAverageGan:
    """Real should look more real than the average fake, and the reverse. ESRGAN, section 3.2.

    The averages are those of the batches of all processes.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        real_loss = softplus(mean_over_processes(fake) - real).mean()
        return real_loss + softplus(fake - mean_over_processes(real)).mean()

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.discriminator(real=fake, fake=real)


GAN_LOSSES: dict[str, GanLoss] = {
    "vanilla": VanillaGan(),
    "relativistic": RelativisticAverageGan(),
}


def accuracy(real: Tensor, fake: Tensor) -> float:
    """Share of logits beyond the other class's mean: 0.5 is chance."""
    right = (real > fake.mean()).float().mean() + (fake < real.mean()).float().mean()
    return right.item() / 2


@dataclass(frozen=True, eq=False)
class WeightedFeatures:
    """A feature extractor, and how much each of its layers counts."""

    extractor: nn.Module
    """(B, 3, H, W) in [0, 1] -> layer -> (B, C, h, w)."""
    weights: Mapping[str, float]


class PerceptualLoss(nn.Module):
    """The distance of two images' features, summed over files and layers with their weights.

    SRGAN, section 2.2.1; ESRGAN, section 3.3.
    """

    def __init__(
        self, features: Iterable[WeightedFeatures], distance: Distance, scale: float = 1.0
    ) -> None:
        super().__init__()
        features = list(features)
        self.networks = nn.ModuleList(one.extractor for one in features)
        self.weights = [dict(one.weights) for one in features]
        self.distance, self.scale = distance, scale

    def forward(self, generated: Tensor, target: Tensor) -> Tensor:
        """Gradients flow to `generated` only."""
        total = generated.new_zeros((), dtype=torch.float32)
        for network, weights in zip(self.networks, self.weights, strict=True):
            with torch.no_grad():
                wanted = network(target)
            found = network(generated)
            for layer, weight in weights.items():
                a, b = found[layer].float() * self.scale, wanted[layer].float() * self.scale
                total = total + weight * self.distance(a, b)
        return total

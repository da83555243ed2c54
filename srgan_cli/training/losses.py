"""What the generator and the discriminator are told. Every function gives a mean, a scalar."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import (
    avg_pool2d,
    l1_loss,
    mse_loss,
    pixel_unshuffle,
    relu,
    smooth_l1_loss,
    softplus,
)

from srgan_cli.networks.srcnn import luma
from srgan_cli.training.distributed import mean_of_all

Distance = Callable[[Tensor, Tensor], Tensor]

UNSEEN = 1 / 1020
"""A quarter of a level."""

DISTANCES: dict[str, Distance] = {"l1": l1_loss, "mse": mse_loss}


def of_luma(distance: Distance) -> Distance:
    """Between pictures in RGB, (B, 3, H, W). Their chroma is noise to a network that leaves it."""
    return lambda made, wanted: distance(luma(made), luma(wanted))


def says(logits: Tensor, real: bool) -> Tensor:
    """How wrong it is to find pictures real with `logits`: -log of the probability, averaged."""
    return softplus(-logits if real else logits).mean()


class StandardGan:
    """Real or fake? Goodfellow et al.; the generator's term does not saturate. SRGAN, eq. 5."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return says(real, True) + says(fake, False)

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return says(fake, True)


class RelativisticGan:
    """Real should look more real than the average fake. ESRGAN, section 3.2.

    The averages are those of the batches of all processes.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return says(real - mean_of_all(fake), True) + says(fake - mean_of_all(real), False)

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return self.discriminator(real=fake, fake=real)  # the same game, roles swapped


class PairedGan:
    """Each original should look more real than what was made in its place.

    Jolicoeur-Martineau, https://arxiv.org/abs/1807.00734, section 4.1.2. An original and what is
    made of its low picture show the same, so that what they show, which sways verdicts most,
    cancels out of each difference.
    """

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return says(real - fake, True)

    def generator(self, real: Tensor, fake: Tensor) -> Tensor:
        return says(fake - real, True)


Game = StandardGan | RelativisticGan | PairedGan

GAMES: dict[str, Game] = {
    "standard": StandardGan(),
    "relativistic": RelativisticGan(),
    "paired": PairedGan(),
}


def certainty(game: Game, real: Tensor, fake: Tensor) -> dict[str, float]:
    """The mean log-probabilities of being right: 0 is certain, -0.69 a coin's."""
    if isinstance(game, PairedGan):
        real, fake = real - fake, fake - real
    elif isinstance(game, RelativisticGan):
        real, fake = real - fake.mean(), fake - real.mean()
    return {"log D(real)": -says(real, True).item(), "log 1-D(fake)": -says(fake, False).item()}


@dataclass(frozen=True)
class PhaseLoss:
    """What an enlarged picture shows of the lattice of its low one: checkerboards, cross-hatching.

    Enlarging by s makes s x s pixels of each low one. How far each of these phases is from its like
    in a picture without such patterns is averaged over windows; textures, however invented, vanish
    in that mean, a pattern that comes back with every low pixel does not. It is a pixel loss on
    narrow bands around the lattice's frequencies alone, where photographs have nothing of their
    own. Small windows see patterns that change from place to place, large ones those so faint that
    textures hide them.
    """

    period: int
    """Of the lattice, in pixels: the scale."""
    windows: tuple[int, ...] = (8, 32)
    """Their sides in periods; they overlap by half. One counts as much as another."""

    def __call__(self, made: Tensor, real: Tensor) -> Tensor:
        errors = pixel_unshuffle(made - real, self.period)  # (B, 3 p², h, w)
        errors = errors.unflatten(1, (-1, self.period**2))
        lattice = (errors - errors.mean(dim=2, keepdim=True)).flatten(1, 2)
        return torch.stack([_mean_error(lattice, window) for window in self.windows]).sum()


@dataclass(frozen=True)
class RowLoss:
    """Rows of dots: what comes back with each low pixel, or part of it, along a single row or
    column, by more than in the original. Edges that lie level or upright attract them.

    In the means of PhaseLoss rows of dots hide each other where one lies aside of the other; here
    no other row is averaged in.
    """

    scale: int
    window: int = 16
    """Length of the pieces of rows, which overlap by half."""

    def __call__(self, made: Tensor, real: Tensor) -> Tensor:
        if not _periods(self.scale):
            return made.new_zeros(())
        excess = [
            relu(self._amplitudes(ours) - self._amplitudes(theirs)).mean()
            for ours, theirs in ((made, real), (made.transpose(-2, -1), real.transpose(-2, -1)))
        ]
        return torch.stack(excess).mean()

    def _amplitudes(self, pictures: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, pieces, periods)."""
        length = min(self.window, pictures.shape[-1])
        pieces = pictures.unfold(-1, length, max(1, length // 2))
        return torch.stack([_amplitude(pieces, period) for period in _periods(self.scale)], -1)


def _periods(scale: int) -> list[int]:
    return [period for period in range(2, scale + 1) if scale % period == 0]


def _amplitude(pieces: Tensor, period: int) -> Tensor:
    """(..., n) -> (...): how strong a wave of that period is in each, under a Hann window."""
    length = pieces.shape[-1]
    window = torch.hann_window(length + 2, periodic=False, device=pieces.device)[1:-1]
    turns = torch.arange(length, device=pieces.device) * (2 * math.pi / period)
    wave = torch.polar(window / window.sum(), turns)
    return ((pieces - pieces.mean(-1, keepdim=True)) * wave).sum(-1).abs()


@dataclass(frozen=True)
class ColourLoss:
    """Shifts of colour and brightness: errors of wide windows' means.

    Features hardly see a wide area that is a level too dark. What they invent within a window
    averages out here, so this loss leaves textures alone.
    """

    scale: int
    window: int = 16
    """Side of a window in low-resolution pixels; they overlap by half."""

    def __call__(self, made: Tensor, real: Tensor) -> Tensor:
        return _mean_error(made - real, self.window * self.scale)


def _mean_error(errors: Tensor, window: int) -> Tensor:
    """Of means of windows of (B, C, H, W) that overlap by half; rounded at zero, where a stage
    that compares with its own start begins: rounding errors would count like any other."""
    window = min(window, *errors.shape[-2:])
    means = avg_pool2d(errors, window, max(1, window // 2))
    return smooth_l1_loss(means, torch.zeros_like(means), beta=UNSEEN)


def shifted(shift: int, *pictures: Tensor) -> tuple[Tensor, ...]:
    """The same cut of all (B, C, H, W), at a place chosen at random: `shift` pixels smaller."""
    height, width = pictures[0].shape[-2:]
    shift = min(shift, height // 4, width // 4)
    if shift == 0:
        return pictures
    top, left = torch.randint(shift, (2,)).tolist()
    height, width = height - shift, width - shift
    return tuple(
        picture[..., top : top + height, left : left + width].contiguous(
            memory_format=torch.channels_last
        )
        for picture in pictures
    )


@dataclass(frozen=True, eq=False)
class Look:
    """One network that shows features, and how much each of its layers counts."""

    features: nn.Module
    """(B, 3, H, W) in [0, 1] -> layer -> (B, C, h, w)."""
    weights: Mapping[str, float]


class PerceptualLoss(nn.Module):
    """The distance of two pictures' features, summed over files and layers with their weights.

    SRGAN, section 2.2.1; ESRGAN, section 3.3.
    """

    def __init__(self, looks: Iterable[Look], distance: Distance, scale: float = 1.0) -> None:
        super().__init__()
        looks = list(looks)
        self.networks = nn.ModuleList(look.features for look in looks)
        self.weights = [dict(look.weights) for look in looks]
        self.distance, self.scale = distance, scale

    def forward(self, made: Tensor, real: Tensor) -> Tensor:
        """Gradients flow to `made` only."""
        total = made.new_zeros((), dtype=torch.float32)
        for network, weights in zip(self.networks, self.weights, strict=True):
            with torch.no_grad():
                wanted = network(real)
            seen = network(made)
            for layer, weight in weights.items():
                a, b = seen[layer].float() * self.scale, wanted[layer].float() * self.scale
                total = total + weight * self.distance(a, b)
        return total

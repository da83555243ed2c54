"""How pictures are spoiled: how likely and how strong each step is, and what chance decides.

After Real-ESRGAN, https://arxiv.org/abs/2107.10833, but milder: most pictures of the world are good
or a little compressed, and a network that only sees bad ones smears the good. Values alone:
`treatments` decides by them.
"""

from dataclasses import dataclass

import numpy as np

Range = tuple[float, float]

CLEAN, LIGHT = 0.25, 0.4
"""Shares of samples that are only shrunk, and that are only a little spoiled; the rest is worse."""

SINC = 0.3
"""How likely the last filter rings, as over-sharpened and badly resized pictures do."""

COMPRESSED_LAST = 0.5
"""How likely the last compression comes after the last filter and not before it."""

HALVED = 0.7
"""How likely a JPEG has colours at half the resolution (4:2:0), not at the whole (4:4:4)."""

OF_SENSORS = 0.5
"""How likely noise is of the sensor's electronics, not of light itself."""

SMALLEST = 8
"""Pixels a side below which nothing is shrunk on the way."""

FILTERS = ("area", "bilinear", "bicubic")
"""What resizes on the way, each as likely."""


@dataclass(frozen=True)
class Round:
    """One order of spoiling: how likely and how strong."""

    blur: float
    """How likely it is."""
    sigma: Range
    resize: tuple[float, float, float]
    """How likely it grows, shrinks, stays."""
    factor: Range
    noise: float
    """How likely there is any."""
    gaussian: Range
    """Standard deviation in levels."""
    poisson: Range
    """Multiples of the square root of the level: what light itself makes."""
    gray: float
    """How likely noise is the same in all channels."""
    jpeg: float
    """How likely it is compressed."""
    quality: tuple[int, int]

    def factor_of_chance(self, rng: np.random.Generator) -> float:
        """How much a side grows."""
        low, high = self.factor
        kind = rng.choice(3, p=self.resize)
        return (rng.uniform(1.0, high), rng.uniform(low, 1.0), 1.0)[kind]


LIGHTLY = Round(
    blur=0.4,
    sigma=(0.3, 1.2),
    resize=(0.0, 0.0, 1.0),
    factor=(1.0, 1.0),
    noise=0.3,
    gaussian=(0.5, 5.0),
    poisson=(0.05, 0.5),
    gray=0.4,
    jpeg=0.8,
    quality=(70, 96),
)

FIRST = Round(
    blur=0.8,
    sigma=(0.3, 2.4),
    resize=(0.2, 0.6, 0.2),
    factor=(0.4, 1.4),
    noise=0.8,
    gaussian=(1.0, 15.0),
    poisson=(0.05, 1.5),
    gray=0.4,
    jpeg=0.7,
    quality=(40, 95),
)

SECOND = Round(
    blur=0.4,
    sigma=(0.2, 1.2),
    resize=(0.3, 0.4, 0.3),
    factor=(0.6, 1.2),
    noise=0.6,
    gaussian=(1.0, 10.0),
    poisson=(0.05, 1.0),
    gray=0.4,
    jpeg=0.0,  # the last compression is decided with the last filter
    quality=(30, 95),
)


@dataclass(frozen=True)
class Compression:
    """A JPEG, whose blocks of 8 x 8 begin anywhere: so far above and left of the picture."""

    top: int
    left: int
    halved: bool
    """Whether its colours have half the resolution."""
    quality: int

    @classmethod
    def of_chance(cls, quality: tuple[int, int], rng: np.random.Generator) -> "Compression":
        top, left = (int(n) for n in rng.integers(8, size=2))
        halved = rng.choice(2, p=(HALVED, 1 - HALVED)) == 0
        return cls(top, left, bool(halved), int(rng.integers(quality[0], quality[1] + 1)))


def scaled(side: int, factor: float) -> int:
    return max(SMALLEST, round(side * factor))


def filter_of_chance(before: int, after: int, rng: np.random.Generator) -> int:
    """Which of FILTERS; one that skips pixels only where the picture is not much larger."""
    return 0 if before > 2 * after else int(rng.integers(len(FILTERS)))

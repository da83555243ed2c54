"""What is to happen to a sample, decided before anything does: the chance of a spoiled batch.

Deciding is cheap and left to the processes that cut patches. Doing it is not: `degradation` does it
to a patch at a time, `spoiling` to a batch.
"""

from dataclasses import dataclass, replace

import numpy as np

from srgan_cli.training.blur_kernels import blur_kernel, sinc_kernel
from srgan_cli.training.rounds import (
    CLEAN,
    COMPRESSED_LAST,
    FIRST,
    LIGHT,
    LIGHTLY,
    OF_SENSORS,
    SECOND,
    SINC,
    Compression,
    Round,
    filter_of_chance,
    scaled,
)


@dataclass(frozen=True)
class Grain:
    """Noise; one of the two strengths is 0."""

    gaussian: float
    """Standard deviation in levels."""
    poisson: float
    """The same in square roots of the level."""
    gray: bool
    """Whether it is the same in all channels."""

    @classmethod
    def of_chance(cls, how: Round, rng: np.random.Generator) -> "Grain":
        gray = bool(rng.random() < how.gray)
        if rng.random() < OF_SENSORS:
            return cls(rng.uniform(*how.gaussian), 0.0, gray)
        return cls(0.0, rng.uniform(*how.poisson), gray)


@dataclass(frozen=True, kw_only=True, eq=False)
class Treatment:
    """What happens to a square, in this order; None for what does not."""

    kernel: np.ndarray | None = None
    """(K, K), what it is blurred with."""
    side: int
    """To which it is resized, in pixels."""
    filter: int
    """By which of rounds.FILTERS."""
    grain: Grain | None = None
    compression: Compression | None = None


Course = tuple[Treatment, ...]
"""All that happens to a sample, in order; nothing to one that is only shrunk."""


def only_shrunk(side: int, scale: int, rng: np.random.Generator) -> Course:
    """Of the papers' low pictures."""
    return ()


def spoiled(side: int, scale: int, rng: np.random.Generator) -> Course:
    """Of a high patch of that side: to 1 / scale of it."""
    low, kind = side // scale, rng.random()
    if kind < CLEAN:
        return ()
    if kind < CLEAN + LIGHT:
        return (_treatment(side, low, LIGHTLY, rng),)
    first = _treatment(side, side, FIRST, rng)
    return first, *_second(first.side, low, rng)


def _treatment(side: int, about: int, how: Round, rng: np.random.Generator) -> Treatment:
    """One order, from a side to `about` another."""
    kernel = blur_kernel(rng, how.sigma) if rng.random() < how.blur else None
    after = scaled(about, how.factor_of_chance(rng))
    return Treatment(
        kernel=kernel,
        side=after,
        filter=filter_of_chance(side, after, rng),
        grain=Grain.of_chance(how, rng) if rng.random() < how.noise else None,
        compression=Compression.of_chance(how.quality, rng) if rng.random() < how.jpeg else None,
    )


def _second(side: int, low: int, rng: np.random.Generator) -> Course:
    """The second order, and to the final size: perhaps ringing, compressed before or after it."""
    again = _treatment(side, low, SECOND, rng)
    kernel = sinc_kernel(rng) if rng.random() < SINC else None
    compression = Compression.of_chance(SECOND.quality, rng)
    last = rng.random() < COMPRESSED_LAST
    return (
        again if last else replace(again, compression=compression),
        Treatment(side=low, filter=filter_of_chance(again.side, low, rng)),
        Treatment(kernel=kernel, side=low, filter=0, compression=compression if last else None),
    )

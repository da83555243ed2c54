"""The corrections after the networks, while the rows of the result come."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from srgan_cli.images.image import Image
from srgan_cli.inference.color_correction import (
    Cut,
    colour_fixed,
    consistent_radius,
    cut,
    fix_radius,
    made_consistent,
)
from srgan_cli.inference.sliding import SlidingSink
from srgan_cli.inference.streaming import PORTION, RowSink, RowSource
from srgan_cli.resample import Rows
from srgan_cli.settings import ImageSize, Postprocess


@dataclass(frozen=True)
class Correction:
    """A picture of the size `target` made to agree with `low`, of which it was made.

    correct: high, low, band -> high. radius: rows of `low` that it looks at to each side.
    portion: samples of the result to make at once, where the radius does not ask for more.
    """

    correct: Callable[[Image, Image, Cut], Image]
    radius: int
    low: RowSource
    target: ImageSize
    portion: int = PORTION

    @property
    def height(self) -> int:
        return self.target.height

    @property
    def band(self) -> int:
        """At least half of what is computed in vain around it."""
        around = self.radius * self.target.height // self.low.height
        return max(1, around, self.portion // (self.target.width * self.low.channels))

    def seen(self, made: Rows) -> Rows:
        return self._cut(made).high

    def rows(self, seen: np.ndarray, made: Rows) -> np.ndarray:
        band = self._cut(made)
        low = self.low.rows(band.low.top, band.low.bottom)
        return self.correct(Image.from_samples(seen), Image.from_samples(low), band).array

    def _cut(self, made: Rows) -> Cut:
        return cut(made, self.low.height, self.radius)


def correcting(
    sink: RowSink, low: RowSource, target: ImageSize, corrections: Postprocess
) -> RowSink:
    """What corrects a picture of the size `target`, made of `low`, for `sink`."""
    scale = target.height / low.height
    if corrections.consistent:
        step = Correction(made_consistent, consistent_radius(scale), low, target)
        sink = SlidingSink(step, sink)
    if corrections.color_fix:
        sink = SlidingSink(Correction(colour_fixed, fix_radius(scale), low, target), sink)
    return sink

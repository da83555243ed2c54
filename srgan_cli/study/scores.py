"""Ratings -> mean opinion scores and differences, with 95 % intervals from a bootstrap.

Raters and images are both drawn again with replacement, for both are samples of a larger
population. A difference is taken within a rater and an image, where both methods were rated: what
a rater or an image does to all methods cancels. The plot is an SVG that any browser shows, bright
and dark: a dot and its interval per method.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from srgan_cli.errors import DatasetError
from srgan_cli.files import printable
from srgan_cli.study.answers import Result

Floats = NDArray[np.float64]

DRAWS = 10_000
OUTSIDE = 0.025  # of the draws lie on each side of the interval
SEED = 0  # the same files give the same figures


@dataclass(frozen=True)
class Estimate:
    """low, high: the interval; None where one rater rated one image, so nothing can vary."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class MethodScore:
    """A method's mean opinion score. None: nobody rated it. count: of ratings."""

    method: str
    estimate: Estimate | None
    count: int


@dataclass(frozen=True)
class Difference:
    """first minus second. None: nobody rated an image by both."""

    first: str
    second: str
    estimate: Estimate | None
    count: int

    @property
    def clear(self) -> bool:
        """The interval leaves out 0; of twenty equal pairs one does so by chance."""
        estimate = self.estimate
        if estimate is None or estimate.low is None or estimate.high is None:
            return False
        return estimate.low > 0 or estimate.high < 0


@dataclass(frozen=True)
class StudyScores:
    """scores: best first. differences: of all pairs, in that order, so none is below 0 if complete.

    notes: what to keep in mind when reading them.
    """

    raters: int
    images: int
    scores: tuple[MethodScore, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]


def score(results: Sequence[Result]) -> StudyScores:
    """Raises DatasetError if there is no rating at all."""
    ratings = _table(results)
    methods = results[0].methods
    if np.isnan(ratings).all():
        raise DatasetError("there is no rating in these results")
    draws = _Draws.of(ratings)
    scores = [
        MethodScore(method, *draws.estimate(ratings[..., index]))
        for index, method in enumerate(methods)
    ]
    order = sorted(range(len(methods)), key=lambda index: _rank(scores[index]))
    differences = [
        Difference(methods[a], methods[b], *draws.estimate(ratings[..., a] - ratings[..., b]))
        for a, b in combinations(order, 2)
    ]
    return StudyScores(
        raters=len(results),
        images=len(results[0].images),
        scores=tuple(scores[index] for index in order),
        differences=tuple(differences),
        notes=_notes(ratings),
    )


@dataclass(frozen=True, eq=False)
class _Draws:
    """Bootstrap: how often each draw took each rater (D, R) and each image (D, P)."""

    raters: Floats
    images: Floats

    @classmethod
    def of(cls, ratings: Floats) -> "_Draws":
        random = np.random.default_rng(SEED)
        raters, images = ratings.shape[:2]
        return cls(_counts(random, raters), _counts(random, images))

    def estimate(self, values: Floats) -> tuple[Estimate | None, int]:
        """The mean of (R, P), and of how many it is; NaN where there is none.

        Draws that took no value do not count.
        """
        present = ~np.isnan(values)
        count = int(present.sum())
        if not count:
            return None, 0
        mean = float(values[present].mean())
        if count == 1:
            return Estimate(mean, None, None), 1
        numbers, sums = self._sums(present.astype(float)), self._sums(np.where(present, values, 0))
        means = sums[numbers > 0] / numbers[numbers > 0]
        low, high = np.quantile(means, (OUTSIDE, 1 - OUTSIDE))
        return Estimate(mean, float(low), float(high)), count

    def _sums(self, values: Floats) -> Floats:
        """(R, P) -> (D,)"""
        sums: Floats = ((self.raters @ values) * self.images).sum(axis=1)
        return sums


def _counts(random: np.random.Generator, count: int) -> Floats:
    return random.multinomial(count, np.full(count, 1 / count), size=DRAWS).astype(float)


def _table(results: Sequence[Result]) -> Floats:
    """(raters, images, methods), NaN where a rating is missing."""
    images = {name: index for index, name in enumerate(results[0].images)}
    methods = {name: index for index, name in enumerate(results[0].methods)}
    table = np.full((len(results), len(images), len(methods)), np.nan)
    for rater, result in enumerate(results):
        for trial, rating in result.ratings.items():
            table[rater, images[trial.image], methods[trial.method]] = rating
    return table


def _rank(score: MethodScore) -> tuple[float, str]:
    """Best first; of equals, by name; unrated ones last."""
    return (-score.estimate.mean if score.estimate else 0.0, score.method)


def _notes(ratings: Floats) -> tuple[str, ...]:
    raters, images, _ = ratings.shape
    notes = []
    if raters == 1:
        notes.append("one rater: the intervals say nothing about other people")
    if images == 1:
        notes.append("one image: the intervals say nothing about other images")
    if np.isnan(ratings).any():
        notes.append("ratings are missing: means are over those given, differences over pairs")
    return tuple(notes)


WIDTH, ROW, TOP, BOTTOM, RIGHT = 720, 34, 46, 54, 70  # of the drawing, in its units
LETTER = 7.6  # about the width of one at 14 units
WORDS = ("bad", "poor", "fair", "good", "excellent")
STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1b1c1f }
.quiet { fill: #55585f; font-size: 12px }
.grid { stroke: #c9ccd3 }
.interval { stroke: #0b57c4; stroke-width: 3; stroke-linecap: round }
.mean { fill: #0b57c4 }
.ground { fill: #fff }
@media (prefers-color-scheme: dark) {
  text { fill: #ececef } .quiet { fill: #b3b6be } .grid { stroke: #474b54 }
  .interval { stroke: #8ab8ff } .mean { fill: #8ab8ff } .ground { fill: #17181b }
}
"""


def scores_plot(scores: StudyScores) -> str:
    """SVG of the mean opinion scores, best on top, on the whole scale from 1 to 5."""
    longest = max(len(printable(score.method)) for score in scores.scores)
    left = min(24 + LETTER * longest, WIDTH / 2)
    height = TOP + ROW * len(scores.scores) + BOTTOM
    rows = [_row(score, left, TOP + ROW * (row + 0.5)) for row, score in enumerate(scores.scores)]
    caption = f"Mean opinion score, 95 % interval; raters: {scores.raters}, images: {scores.images}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{caption}</title><style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
        _text(20, 26, caption, "start"),
        *(_grid(rating, left, height - BOTTOM) for rating in range(1, 6)),
        *rows,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _at(rating: float, left: float) -> float:
    """The x coordinate of a rating."""
    start, end = left + 30, WIDTH - RIGHT - 20
    return round(start + (rating - 1) / 4 * (end - start), 1)


def _grid(rating: int, left: float, bottom: float) -> str:
    x = _at(rating, left)
    return (
        f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP}" y2="{bottom}"/>'
        + _text(x, bottom + 20, str(rating), "middle")
        + _text(x, bottom + 37, WORDS[rating - 1], "middle", "quiet")
    )


def _row(score: MethodScore, left: float, y: float) -> str:
    fits = int(left / LETTER) - 2
    name = printable(score.method)  # XML has no control characters
    name = name if len(name) <= fits else name[: fits - 1] + "…"
    label = _text(left, y + 5, name, "end")
    estimate = score.estimate
    if estimate is None:
        return label + _text(WIDTH - 16, y + 5, "–", "end")
    label += _text(WIDTH - 16, y + 5, f"{estimate.mean:.2f}", "end")
    dot = f'<circle class="mean" cx="{_at(estimate.mean, left)}" cy="{y}" r="6"/>'
    if estimate.low is None or estimate.high is None:
        return label + dot
    low, high = _at(estimate.low, left), _at(estimate.high, left)
    return f'{label}<line class="interval" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>{dot}'


def _text(x: float, y: float, words: str, anchor: str, name: str = "") -> str:
    kind = f' class="{name}"' if name else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{kind}>{html.escape(words)}</text>'

"""Scores -> an SVG that any browser shows, bright and dark: a dot and its interval per method."""

import html

from srgan_cli.files import printable
from srgan_cli.study.scores import MethodScore, StudyScores

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

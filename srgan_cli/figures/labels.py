"""Where words beside a point hide nothing."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

DISTANCES = (7.0, 16.0, 28.0)  # pixels from the point


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Box") -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def within(self, frame: "Box") -> bool:
        across = frame.left <= self.left and self.right <= frame.right
        return across and frame.top <= self.top and self.bottom <= frame.bottom


def boxes_along(spots: Sequence[tuple[float, float]], radius: float, joined: bool) -> list[Box]:
    """What points hide, and the straight lines between them if they are joined."""
    marks = [Box(x - radius, y - radius, x + radius, y + radius) for x, y in spots]
    for (x0, y0), (x1, y1) in pairwise(spots) if joined else ():
        pieces = max(1, int(max(abs(x1 - x0), abs(y1 - y0)) // 4))
        for i in range(1, pieces):
            x, y = x0 + (x1 - x0) * i / pieces, y0 + (y1 - y0) * i / pieces
            marks.append(Box(x - 2, y - 2, x + 2, y + 2))
    return marks


def free_place(
    spot: tuple[float, float], size: tuple[int, int], frame: Box, taken: Sequence[Box]
) -> Box:
    """The nearest free place beside `spot` for words of (width, height) `size`.

    Where all are taken, the first one that lies in the frame; the frame wins over the rest.
    """
    places = [_beside(spot, size, way, far) for far in DISTANCES for way in _WAYS]
    inside = [box for box in places if box.within(frame)]
    free = (box for box in inside if not any(box.overlaps(other) for other in taken))
    return next(free, inside[0] if inside else places[0])


# Right, left, above, below and the corners between them: -1 is left or above, 1 right or below.
_WAYS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))


def _beside(
    spot: tuple[float, float], size: tuple[int, int], way: tuple[int, int], far: float
) -> Box:
    width, height = size
    left = spot[0] + way[0] * (far + width / 2) - width / 2
    top = spot[1] + way[1] * (far + height / 2) - height / 2
    return Box(left, top, left + width, top + height)

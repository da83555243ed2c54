"""How large the result shall be, and by which passes of a network it gets there. No torch."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement

from srgan_cli.errors import OptionError

MOST_PASSES = 8


@dataclass(frozen=True)
class Sides:
    height: int
    width: int


@dataclass(frozen=True)
class Size:
    """At most one of these is given; none means the network's own scale."""

    scale: Fraction | None = None
    box: tuple[int, int] | None = None
    """(width, height) to fit inside, aspect kept."""
    width: int | None = None
    height: int | None = None
    megapixels: float | None = None

    def __post_init__(self) -> None:
        names = ("scale", "box", "width", "height", "megapixels")
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) > 1:
            options = " and ".join(f"--{'size' if name == 'box' else name}" for name in given)
            raise OptionError(f"{options} exclude each other")
        self._check_positive()

    def _check_positive(self) -> None:
        for name in ("scale", "width", "height", "megapixels"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise OptionError(f"--{name} {value}: it must be above 0")
        if self.box is not None and min(self.box) < 1:
            raise OptionError("--size takes a width and a height of at least 1")

    def of(self, height: int, width: int, native: int) -> Sides:
        """The sides of the result for a picture of that size and a network of scale `native`."""
        if self.width is not None:
            return Sides(scaled(height, Fraction(self.width, width)), self.width)
        if self.height is not None:
            return Sides(self.height, scaled(width, Fraction(self.height, height)))
        factor = self._factor(height, width, native)
        return Sides(scaled(height, factor), scaled(width, factor))

    def _factor(self, height: int, width: int, native: int) -> Fraction:
        if self.box is not None:
            return min(Fraction(self.box[0], width), Fraction(self.box[1], height))
        if self.megapixels is not None:
            return Fraction(math.sqrt(self.megapixels * 1e6 / (height * width)))
        return Fraction(native) if self.scale is None else Fraction(self.scale)


NATIVE = Size()


def scaled(side: int, factor: Fraction) -> int:
    """floor(side x factor + 1/2), at least 1."""
    return max(1, math.floor(side * factor + Fraction(1, 2)))


def plan_passes(height: int, width: int, target: Sides, scales: Iterable[int]) -> tuple[int, ...]:
    """The fewest scales, of those available, whose product takes both sides to the target.

    Of equally many the smallest product, its smallest factor first: so the last pass, which has
    most to do, is given fewest pixels. Nothing for a target that is not larger than the picture.
    """
    need = max(Fraction(target.height, height), Fraction(target.width, width))
    if need <= 1:
        return ()
    useful = sorted({scale for scale in scales if scale > 1})
    for passes in range(1, MOST_PASSES + 1):
        reaching = [
            c for c in combinations_with_replacement(useful, passes) if math.prod(c) >= need
        ]
        if reaching:
            return min(reaching, key=math.prod)
    raise OptionError(f"{float(need):.0f} times larger is more than {MOST_PASSES} passes reach")

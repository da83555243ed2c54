"""From values to places on an axis, and round numbers to label it with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, labelled at `ticks`."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def share(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def name(self, tick: float) -> str:
        """With as many decimals as tell the ticks apart; thousands as k, millions as M."""
        for unit, sign in ((1e6, "M"), (1e3, "k")):
            if max(map(abs, self.ticks)) >= 10 * unit:
                return f"{tick / unit:.6g}{sign}" if tick else "0"
        return f"{tick:.6g}" if self.log else f"{tick:.{self._decimals()}f}"

    def _decimals(self) -> int:
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        return next(n for n in range(12) if n == 11 or math.isclose(round(step, n), step))


def axis_of(values: Sequence[float], log: bool = False) -> Axis:
    """Wide enough for all `values` and a little more; from 0 to 1 if there are none."""
    if not values:
        return _linear(0.0, 1.0) if not log else _logarithmic(0.1, 1.0)
    low, high = min(values), max(values)
    if log:
        return _logarithmic(low / 1.05, high * 1.05)
    spare = 0.04 * (high - low) or 0.05 * (abs(high) or 1.0)
    return _linear(0.0 if 0 <= low < spare else low - spare, high + spare)


def _linear(low: float, high: float, about: int = 6) -> Axis:
    rough = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(n * unit for n in ROUND if n * unit >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return Axis(low, high, tuple(i * step for i in range(first, last + 1)))


def _logarithmic(low: float, high: float) -> Axis:
    """Powers of ten, with steps between them where fewer than three are in sight."""
    for digits in ((1,), (1, 2, 5), range(1, 10)):
        exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        marks = sorted(digit * 10.0**n for n in exponents for digit in digits)
        ticks = tuple(mark for mark in marks if low <= mark <= high)
        if len(ticks) >= 3:
            return Axis(low, high, ticks, log=True)
    return Axis(low, high, _linear(low, high).ticks, log=True)

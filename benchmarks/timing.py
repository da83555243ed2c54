"""Timing side by side: A B A B, so that a machine whose speed drifts treats both alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

Case = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds, one for each round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def times_faster(self, other: "Timing") -> float:
        """Than `other`, which ran in the same rounds: the median of the ratios within a round."""
        pairs = zip(other.seconds, self.seconds, strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)


def interleaved(
    cases: Mapping[str, Case], rounds: int, device: str = "cpu", warm: bool = True
) -> dict[str, Timing]:
    """All cases in turn, `rounds` times; once before that, untimed, where they are to be `warm`."""
    if warm:
        for case in cases.values():
            case()
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            seconds[name].append(timed(case, device))
    return {name: Timing(tuple(each)) for name, each in seconds.items()}


def timed(case: Case, device: str = "cpu") -> float:
    """Seconds until what `case` has put in the device's queue is done, too."""
    finish(device)
    began = time.perf_counter()
    case()
    finish(device)
    return time.perf_counter() - began


def finish(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)

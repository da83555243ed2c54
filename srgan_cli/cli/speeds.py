"""How fast models ran on this machine, remembered for `srgan models`.

A small file in the user's cache folder, written after batches that took long enough to tell. Where
it cannot be read or written, nothing is known; nothing else depends on it.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path

from srgan_cli.errors import SrganError
from srgan_cli.files import atomic_write, read_regular
from srgan_cli.folders import cache_folder

LEAST_SECONDS = 1.0
"""Least seconds of computing: shorter runs measure loading more than speed."""

MOST_ENTRIES = 100
MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class Speed:
    """Output megapixels per second of a model's network."""

    model: str
    scale: int
    device: str
    precision: str
    megapixels_per_second: float

    @property
    def key(self) -> str:
        return f"{self.model} x{self.scale} {self.device} {self.precision}"


def cache_file() -> Path:
    return cache_folder() / "speeds.json"


def save_speed(speed: Speed) -> None:
    """The newest speed of each model, scale, device and precision stays."""
    with suppress(SrganError, OSError, RuntimeError):  # RuntimeError: there is no home folder
        speeds = {one.key: one for one in load_speeds()}
        speeds.pop(speed.key, None)
        speeds[speed.key] = speed
        kept = [vars(one) for one in speeds.values()][-MOST_ENTRIES:]
        path = cache_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, SrganError) as file:
            file.write(json.dumps(kept).encode())


def load_speeds() -> list[Speed]:
    """The oldest first; what is not as `save_speed` writes it is left out."""
    try:
        found = json.loads(read_regular(cache_file(), MOST_BYTES))
    except (OSError, RuntimeError, RecursionError, ValueError):
        return []
    return [speed for one in found if (speed := _parse(one))] if isinstance(found, list) else []


def _parse(found: object) -> Speed | None:
    try:
        speed = Speed(**found)  # type: ignore[arg-type]
    except TypeError:
        return None
    texts = (speed.model, speed.device, speed.precision)
    number = speed.megapixels_per_second
    valid = type(speed.scale) is int and isinstance(number, float) and 0 < number < inf
    return speed if valid and all(isinstance(text, str) for text in texts) else None


def latest_speeds() -> dict[tuple[str, int], Speed]:
    """(model, scale) -> how it ran last."""
    return {(speed.model, speed.scale): speed for speed in load_speeds()}

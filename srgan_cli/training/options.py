"""What a training run is asked to do. Defaults are written here and nowhere else; no torch."""

import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from srgan_cli.errors import OptionError

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """None stands for what the recipe says."""

    folders: tuple[Path, ...]
    out: Path
    recipe: str = "clean"
    scale: int = 4
    steps: int | None = None
    budget: float | None = None
    """Seconds of wall time, instead of steps."""
    start: Path | None = None
    """A weights file to begin with, instead of random numbers."""
    val: Path | None = None
    """Pictures to validate on; without them, one in twenty of `folders` is held out."""
    batch_size: int | None = None
    patch: int | None = None
    """Side of the high-resolution crop, in pixels."""
    lr: float | None = None
    blocks: int | None = None
    accumulate: int = 1
    """Batches whose gradients make one step."""
    seed: int = 0
    workers: int = 1
    """Processes that cut patches; 0 cuts them in the training process."""
    device: str = "auto"
    precision: str = "auto"
    lineage: str = field(default_factory=lambda: uuid.uuid4().hex)
    """What the networks of this run call their family, unless they begin with another's weights."""

    def __post_init__(self) -> None:
        if not self.folders:
            raise OptionError("name at least one folder of pictures to train on")
        if self.patch is not None and self.patch % self.scale:
            raise OptionError(
                f"--patch must be a multiple of the scale {self.scale}, not {self.patch}"
            )
        if self.steps is not None and self.budget is not None:
            raise OptionError("--steps and --budget exclude each other")
        for name in ("steps", "budget", "batch_size", "patch", "lr", "blocks", "accumulate"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise OptionError(f"--{name.replace('_', '-')} must be more than 0, not {value}")


def seconds(text: str) -> float:
    """A span of time such as "90s", "20m", "2h" or "1d" in seconds; a bare number is minutes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if match is None or float(match[1]) <= 0:
        raise OptionError(f"--budget takes a span such as 90s, 20m or 2h, not {text!r}")
    return float(match[1]) * SECONDS[match[2] or "m"]

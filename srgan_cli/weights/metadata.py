"""What weights files say of a network beyond its numbers. Standard library only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Facts:
    """What is known of a network beyond its numbers."""

    scale: int
    objective: str = "unknown"
    """"psnr" (faithful), "gan" (vivid), "blend" or "unknown"."""

    lineage: str = ""
    """An id that networks fine-tuned from one another share; "" when not known."""

    effective_reach: int | None = None
    """The measured context, in low-resolution pixels, beyond which no 8-bit value changes."""

    mirrored: int | None = None
    """Measured: mirroring a picture farther beyond its edges changes none by more than a level."""

    training: dict[str, Any] = field(default_factory=dict)
    """Recipe, options, steps, data, version, validation figures."""

    figures: dict[str, Any] = field(default_factory=dict)
    """Measured on benchmarks after training: set -> {"psnr_y": dB, "ssim_y": ...}."""

    def __post_init__(self) -> None:
        """Raises TypeError or ValueError: they may come out of a file."""
        pixels = [n for n in (self.effective_reach, self.mirrored) if n is not None]
        whole = all(type(number) is int for number in (self.scale, *pixels))
        if not whole or self.scale < 1 or min(pixels, default=0) < 0:
            raise ValueError(f"a scale {self.scale!r}, reaches {pixels!r}")
        texts = isinstance(self.objective, str) and isinstance(self.lineage, str)
        if not (texts and isinstance(self.training, dict) and isinstance(self.figures, dict)):
            raise TypeError("facts of a wrong type")


def blended_facts(facts: Sequence[Facts], shares: Sequence[float]) -> Facts:
    """Of a blend; figures of its parts do not hold for it."""
    lineages = {one.lineage for one in facts}
    parts = [
        {"share": share, "objective": one.objective, "training": one.training}
        for one, share in zip(facts, shares, strict=True)
    ]
    return Facts(
        scale=facts[0].scale,
        objective="blend",
        lineage=lineages.pop() if len(lineages) == 1 else "",
        effective_reach=_farthest([one.effective_reach for one in facts]),
        mirrored=_farthest([one.mirrored for one in facts]),
        training={"blend": parts},
    )


def _farthest(pixels: Sequence[int | None]) -> int | None:
    """None where one is not known."""
    known = [number for number in pixels if number is not None]
    return max(known) if len(known) == len(pixels) else None

"""How good a network is on pictures that it does not train on."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from srgan_cli.metrics import Extractor, feature_distance, psnr, ssim
from srgan_cli.training.data import Source
from srgan_cli.training.patches import Downsampler, as_planes, round_levels

SIDE = 384
"""Validation looks at the centre of each picture, at most so many pixels a side."""

FEATURE_SIDE = 192
"""Features, which cost more than the network itself, are compared in so many pixels a side."""

SEED = 2017
"""What spoils validation pictures is the same in every run."""


@dataclass(frozen=True)
class Score:
    """Means over the pictures, on Y, with a border of `scale` pixels cropped."""

    psnr: float
    ssim: float
    features: float | None = None
    """The feature distance of the middle of each; None without a VGG file."""

    def selection_score(self, end: str) -> float:
        """What the best network of a stage has most of."""
        if end == "gan" and self.features is not None:
            return -self.features
        return self.psnr

    def is_finite(self) -> bool:
        return math.isfinite(self.ssim) and not math.isnan(self.psnr)


@dataclass(frozen=True, eq=False)
class Sample:
    low: Tensor
    """(1, 3, h, w) in [0, 1]."""
    high: np.ndarray
    """(sh, sw, 3) uint8."""


@dataclass(frozen=True, eq=False)
class ValidationResult:
    """A score and the pictures it is of, in the samples' order: (sh, sw, 3) uint8."""

    score: Score
    pictures: Sequence[np.ndarray]


def center_samples(source: Source, scale: int, downsampler: Downsampler) -> list[Sample]:
    """The middle of each picture; the low one as given, or as the shrinker makes it."""
    return [_center(source, number, scale, downsampler) for number in range(len(source.high))]


def _center(source: Source, number: int, scale: int, downsampler: Downsampler) -> Sample:
    pixels = source.high[number]
    height, width = (min(SIDE, side) // scale for side in pixels.shape[:2])
    top, left = (
        ((pixels.shape[0] // scale) - height) // 2,
        ((pixels.shape[1] // scale) - width) // 2,
    )
    high = _cut(pixels, top * scale, left * scale, height * scale, width * scale)
    if source.low is not None:
        low = as_planes(_cut(source.low[number], top, left, height, width))
    else:
        low = downsampler(as_planes(high), scale, np.random.default_rng([SEED, number]))
    return Sample(low[None] / 255, high)


def _cut(pixels: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    return np.array(pixels[top : top + height, left : left + width])


def validator(
    samples: Sequence[Sample], device: torch.device, extractor: Extractor | None
) -> Callable[[nn.Module], ValidationResult]:
    @torch.no_grad()
    def validate(network: nn.Module) -> ValidationResult:
        network.eval()
        made = [as_pixels(network(sample.low.to(device))) for sample in samples]
        truth = [sample.high for sample in samples]
        return ValidationResult(score(made, truth, int(network.scale), extractor), made)  # type: ignore[arg-type]

    return validate


def score(
    made: Sequence[np.ndarray],
    truth: Sequence[np.ndarray],
    border: int,
    extractor: Extractor | None,
) -> Score:
    pairs = list(zip(made, truth, strict=True))
    centers = [tuple(middle(picture) for picture in pair) for pair in pairs]
    distances = [feature_distance(extractor, *pair) for pair in centers] if extractor else []
    return Score(
        psnr=float(np.mean([psnr(a, b, border) for a, b in pairs])),
        ssim=float(np.mean([ssim(a, b, border) for a, b in pairs])),
        features=float(np.mean(distances)) if distances else None,
    )


def middle(pixels: np.ndarray, side: int = FEATURE_SIDE) -> np.ndarray:
    """At most `side` pixels a side."""
    top, left = (max(0, (length - side) // 2) for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


def as_pixels(picture: Tensor) -> np.ndarray:
    """(1, 3, H, W) in [0, 1] -> (H, W, 3) uint8."""
    return round_levels(picture[0] * 255).byte().permute(1, 2, 0).cpu().numpy()

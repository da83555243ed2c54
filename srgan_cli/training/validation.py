"""Validation: metrics of a network on images that it is not trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from srgan_cli.images.image import crop_center
from srgan_cli.metrics import Extractor, feature_distance, psnr, ssim
from srgan_cli.training.data import Source
from srgan_cli.training.patches import DownsampleFunction, as_planes, round_levels

SIDE = 384
"""Side of the validated center of each image, in pixels."""

FEATURE_SIDE = 192
"""Side of the center whose features are compared: they cost more than the network."""

SEED = 2017
"""The degradation of validation images is the same in every run."""


@dataclass(frozen=True)
class Score:
    """Means over the images, on Y, with a border of `scale` pixels cropped."""

    psnr: float
    ssim: float
    features: float | None = None
    """Distance of the centers in layers that the losses do not use, unlike the features of `srgan
    eval --vgg`; None without a VGG file."""

    def selection_score(self, end: str) -> float:
        """The value by which the best network of a stage is selected: higher is better."""
        if end == "gan" and self.features is not None:
            return -self.features
        return self.psnr


@dataclass(frozen=True, eq=False)
class Sample:
    low_res: Tensor
    """(1, 3, h, w) in [0, 1]."""
    high_res: np.ndarray
    """(sh, sw, 3) uint8."""


@dataclass(frozen=True, eq=False)
class ValidationResult:
    """A score and the network's outputs in the samples' order: (sh, sw, 3) uint8."""

    score: Score
    images: Sequence[np.ndarray]


def center_samples(source: Source, scale: int, downsample: DownsampleFunction) -> list[Sample]:
    """The center of each image, with the given low-resolution image or a downsampled one."""
    return [_center(source, number, scale, downsample) for number in range(len(source.high_res))]


def _center(source: Source, number: int, scale: int, downsample: DownsampleFunction) -> Sample:
    pixels = source.high_res[number]
    height, width = (min(SIDE, side) // scale for side in pixels.shape[:2])
    top, left = (
        ((pixels.shape[0] // scale) - height) // 2,
        ((pixels.shape[1] // scale) - width) // 2,
    )
    high_res = _cut(pixels, top * scale, left * scale, height * scale, width * scale)
    if source.low_res is not None:
        low_res = as_planes(_cut(source.low_res[number], top, left, height, width))
    else:
        low_res = downsample(as_planes(high_res), scale, np.random.default_rng([SEED, number]))
    return Sample(low_res[None] / 255, high_res)


def _cut(pixels: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    return np.array(pixels[top : top + height, left : left + width])


def validator(
    samples: Sequence[Sample], device: torch.device, extractor: Extractor | None
) -> Callable[[nn.Module], ValidationResult]:
    @torch.no_grad()
    def validate(network: nn.Module) -> ValidationResult:
        network.eval()
        outputs = [to_uint8_array(network(sample.low_res.to(device))) for sample in samples]
        originals = [sample.high_res for sample in samples]
        return ValidationResult(score(outputs, originals, int(network.scale), extractor), outputs)  # type: ignore[arg-type]

    return validate


def score(
    outputs: Sequence[np.ndarray],
    originals: Sequence[np.ndarray],
    border: int,
    extractor: Extractor | None,
) -> Score:
    pairs = list(zip(outputs, originals, strict=True))
    centers = [tuple(crop_center(image, FEATURE_SIDE) for image in pair) for pair in pairs]
    distances = [feature_distance(extractor, *pair) for pair in centers] if extractor else []
    return Score(
        psnr=float(np.mean([psnr(a, b, border) for a, b in pairs])),
        ssim=float(np.mean([ssim(a, b, border) for a, b in pairs])),
        features=float(np.mean(distances)) if distances else None,
    )


def to_uint8_array(image: Tensor) -> np.ndarray:
    """(1, 3, H, W) in [0, 1] -> (H, W, 3) uint8."""
    return round_levels(image[0] * 255).byte().permute(1, 2, 0).cpu().numpy()

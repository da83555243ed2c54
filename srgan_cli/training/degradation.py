"""What happens to photographs before they are upscaled: blur, resizing, noise, JPEG, and again.

After Real-ESRGAN, https://arxiv.org/abs/2107.10833, but milder: most pictures of the world are good
or a little compressed, and a network that only sees bad ones smears the good. All of it runs in
numpy and OpenCV on (H, W, 3) float32 levels from 0 to 255, a patch at a time.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from srgan_cli.training.kernels import blur_kernel, sinc_kernel
from srgan_cli.training.patches import bicubic_low, quantised

Pixels = np.ndarray
Range = tuple[float, float]

FILTERS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)

SAMPLINGS = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)

CLEAN, LIGHT = 0.25, 0.4
"""Shares of samples that are only shrunk, and that are only a little spoiled; the rest is worse."""


@dataclass(frozen=True)
class Round:
    """One order of spoiling: how likely and how strong."""

    blur: float
    """How likely it is."""
    sigma: Range
    resize: tuple[float, float, float]
    """How likely it grows, shrinks, stays."""
    factor: Range
    noise: float
    """How likely there is any."""
    gaussian: Range
    """Standard deviation in levels."""
    poisson: Range
    """Multiples of the square root of the level: what light itself makes."""
    gray: float
    """How likely noise is the same in all channels."""
    jpeg: float
    """How likely it is compressed."""
    quality: tuple[int, int]


LIGHTLY = Round(
    blur=0.4,
    sigma=(0.3, 1.2),
    resize=(0.0, 0.0, 1.0),
    factor=(1.0, 1.0),
    noise=0.3,
    gaussian=(0.5, 5.0),
    poisson=(0.05, 0.5),
    gray=0.4,
    jpeg=0.8,
    quality=(70, 96),
)

FIRST = Round(
    blur=0.8,
    sigma=(0.3, 2.4),
    resize=(0.2, 0.6, 0.2),
    factor=(0.4, 1.4),
    noise=0.8,
    gaussian=(1.0, 15.0),
    poisson=(0.05, 1.5),
    gray=0.4,
    jpeg=0.7,
    quality=(40, 95),
)

SECOND = Round(
    blur=0.4,
    sigma=(0.2, 1.2),
    resize=(0.3, 0.4, 0.3),
    factor=(0.6, 1.2),
    noise=0.6,
    gaussian=(1.0, 10.0),
    poisson=(0.05, 1.0),
    gray=0.4,
    jpeg=0.0,  # the last compression is decided with the last filter
    quality=(30, 95),
)

SINC = 0.3
"""How likely the last filter rings, as over-sharpened and badly resized pictures do."""


def spoiled_low(high: Tensor, scale: int, rng: np.random.Generator) -> Tensor:
    """(3, H, W) levels from 0 to 255 -> (3, H / scale, W / scale) whole levels. A Shrinker."""
    kind = rng.random()
    if kind < CLEAN:
        return bicubic_low(high, scale, rng)
    pixels = np.ascontiguousarray(high.permute(1, 2, 0).numpy())
    sides = high.shape[1] // scale, high.shape[2] // scale
    if kind < CLEAN + LIGHT:
        low = _spoiled(pixels, sides, LIGHTLY, rng)
    else:
        once = _spoiled(pixels, (high.shape[1], high.shape[2]), FIRST, rng)
        low = _finished(_spoiled(once, sides, SECOND, rng), sides, rng)
    return quantised(torch.from_numpy(np.ascontiguousarray(low)).permute(2, 0, 1))


def _spoiled(
    pixels: Pixels, about: tuple[int, int], how: Round, rng: np.random.Generator
) -> Pixels:
    """One order: blurred, resized to `about` or some factor of it, noisy, compressed."""
    if rng.random() < how.blur:
        pixels = filtered(pixels, blur_kernel(rng, how.sigma))
    pixels = resized(pixels, _sides(about, how, rng), rng)
    if rng.random() < how.noise:
        pixels = noisy(pixels, how, rng)
    return compressed(pixels, how.quality, rng) if rng.random() < how.jpeg else pixels


def _finished(pixels: Pixels, sides: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """To the final size, perhaps ringing, and compressed before or after that."""
    kernel = sinc_kernel(rng) if rng.random() < SINC else None
    compress_last = rng.random() < 0.5
    if not compress_last:
        pixels = compressed(pixels, SECOND.quality, rng)
    pixels = resized(pixels, sides, rng)
    pixels = pixels if kernel is None else filtered(pixels, kernel)
    return compressed(pixels, SECOND.quality, rng) if compress_last else pixels


def _sides(about: tuple[int, int], how: Round, rng: np.random.Generator) -> tuple[int, int]:
    low, high = how.factor
    kind = rng.choice(3, p=how.resize)
    factor = (rng.uniform(1.0, high), rng.uniform(low, 1.0), 1.0)[kind]
    return max(8, round(about[0] * factor)), max(8, round(about[1] * factor))


def filtered(pixels: Pixels, kernel: np.ndarray) -> Pixels:
    return cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REFLECT_101)


def resized(pixels: Pixels, sides: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """By a filter of chance; one that skips pixels only where the picture is not much larger."""
    height, width = sides
    if pixels.shape[:2] == sides:
        return pixels
    shrinks = pixels.shape[0] > 2 * height
    kind = cv2.INTER_AREA if shrinks else FILTERS[rng.integers(len(FILTERS))]
    return cv2.resize(pixels, (width, height), interpolation=kind)


def noisy(pixels: Pixels, how: Round, rng: np.random.Generator) -> Pixels:
    """Of the sensor's electronics (Gaussian) or of light itself (Poisson, as a Gaussian of the same
    variance)."""
    channels = 1 if rng.random() < how.gray else 3
    grain = rng.standard_normal((*pixels.shape[:2], channels), dtype=np.float32)
    if rng.random() < 0.5:
        return pixels + grain * np.float32(rng.uniform(*how.gaussian))
    light = pixels.mean(axis=2, keepdims=True) if channels == 1 else pixels
    return pixels + grain * np.sqrt(light.clip(0, 255)) * np.float32(rng.uniform(*how.poisson))


def compressed(pixels: Pixels, quality: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """As JPEG, whose blocks of 8 x 8 begin anywhere."""
    top, left = (int(n) for n in rng.integers(8, size=2))
    whole = np.rint(pixels.clip(0, 255)).astype(np.uint8)
    moved = cv2.copyMakeBorder(whole, top, 0, left, 0, cv2.BORDER_REFLECT_101)
    sampling = SAMPLINGS[rng.choice(len(SAMPLINGS), p=(0.7, 0.3))]
    settings = (
        (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(quality[0], quality[1] + 1))),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling),
    )
    _, data = cv2.imencode(".jpg", moved[..., ::-1], [n for pair in settings for n in pair])
    back = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return back[top:, left:, ::-1].astype(np.float32)

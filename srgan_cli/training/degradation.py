"""What happens to photographs before they are upscaled: blur, resizing, noise, JPEG, and again.

All of it runs in numpy and OpenCV on (H, W, 3) float32 levels from 0 to 255, a patch at a time; how
likely and how strong it is says `rounds`.
"""

import cv2
import numpy as np
import torch
from torch import Tensor

from srgan_cli.training.kernels import blur_kernel, sinc_kernel
from srgan_cli.training.patches import bicubic_low, quantised
from srgan_cli.training.rounds import (
    CLEAN,
    COMPRESSED_LAST,
    FIRST,
    LIGHT,
    LIGHTLY,
    OF_SENSORS,
    SECOND,
    SINC,
    Compression,
    Round,
    filter_of_chance,
    scaled,
)

Pixels = np.ndarray

FILTERS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
"""In the order of those of `rounds`."""

SAMPLINGS = {
    True: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    False: cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
}
"""Whether colours are halved -> how OpenCV says so."""


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
    compress_last = rng.random() < COMPRESSED_LAST
    if not compress_last:
        pixels = compressed(pixels, SECOND.quality, rng)
    pixels = resized(pixels, sides, rng)
    pixels = pixels if kernel is None else filtered(pixels, kernel)
    return compressed(pixels, SECOND.quality, rng) if compress_last else pixels


def _sides(about: tuple[int, int], how: Round, rng: np.random.Generator) -> tuple[int, int]:
    factor = how.factor_of_chance(rng)
    return scaled(about[0], factor), scaled(about[1], factor)


def filtered(pixels: Pixels, kernel: np.ndarray) -> Pixels:
    return cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REFLECT_101)


def resized(pixels: Pixels, sides: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """By a filter of chance."""
    height, width = sides
    if pixels.shape[:2] == sides:
        return pixels
    kind = FILTERS[filter_of_chance(pixels.shape[0], height, rng)]
    return cv2.resize(pixels, (width, height), interpolation=kind)


def noisy(pixels: Pixels, how: Round, rng: np.random.Generator) -> Pixels:
    """Of the sensor's electronics (Gaussian) or of light itself (Poisson, as a Gaussian of the same
    variance)."""
    channels = 1 if rng.random() < how.gray else 3
    grain = rng.standard_normal((*pixels.shape[:2], channels), dtype=np.float32)
    if rng.random() < OF_SENSORS:
        return pixels + grain * np.float32(rng.uniform(*how.gaussian))
    light = pixels.mean(axis=2, keepdims=True) if channels == 1 else pixels
    return pixels + grain * np.sqrt(light.clip(0, 255)) * np.float32(rng.uniform(*how.poisson))


def compressed(pixels: Pixels, quality: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """As JPEG of a quality of chance."""
    return as_jpeg(pixels, Compression.of_chance(quality, rng))


def as_jpeg(pixels: Pixels, how: Compression) -> Pixels:
    whole = np.rint(pixels.clip(0, 255)).astype(np.uint8)
    moved = cv2.copyMakeBorder(whole, how.top, 0, how.left, 0, cv2.BORDER_REFLECT_101)
    settings = (
        (cv2.IMWRITE_JPEG_QUALITY, how.quality),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLINGS[how.halved]),
    )
    _, data = cv2.imencode(".jpg", moved[..., ::-1], [n for pair in settings for n in pair])
    back = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return back[how.top :, how.left :, ::-1].astype(np.float32)

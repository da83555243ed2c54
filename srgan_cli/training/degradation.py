"""What happens to photographs before they are upscaled: blur, resizing, noise, JPEG, and again.

All of it runs in numpy and OpenCV on (H, W, 3) float32 levels from 0 to 255, a patch at a time;
`treatments` decides what happens.
"""

import cv2
import numpy as np
import torch
from torch import Tensor

from srgan_cli.training.patches import bicubic_low, quantised
from srgan_cli.training.rounds import Compression
from srgan_cli.training.treatments import Grain, Treatment, spoiled

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
    height, width = high.shape[1:]
    course = spoiled(height, scale, rng)
    if not course:
        return bicubic_low(high, scale, rng)
    pixels = np.ascontiguousarray(high.permute(1, 2, 0).numpy())
    for treatment in course:
        pixels = treated(pixels, treatment, width / height, rng)
    return quantised(torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1))


def treated(pixels: Pixels, how: Treatment, aspect: float, rng: np.random.Generator) -> Pixels:
    """aspect: how many times wider than high the picture becomes. Its noise is left to `rng`."""
    if how.kernel is not None:
        pixels = filtered(pixels, how.kernel)
    pixels = resized(pixels, (how.side, round(how.side * aspect)), how.filter)
    if how.grain is not None:
        pixels = noisy(pixels, how.grain, rng)
    return pixels if how.compression is None else compressed(pixels, how.compression)


def filtered(pixels: Pixels, kernel: np.ndarray) -> Pixels:
    return cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REFLECT_101)


def resized(pixels: Pixels, sides: tuple[int, int], kind: int) -> Pixels:
    """By which of FILTERS."""
    if pixels.shape[:2] == sides:
        return pixels
    height, width = sides
    return cv2.resize(pixels, (width, height), interpolation=FILTERS[kind])


def noisy(pixels: Pixels, grain: Grain, rng: np.random.Generator) -> Pixels:
    """Of the sensor's electronics (Gaussian) or of light itself (Poisson, as a Gaussian of the same
    variance)."""
    channels = 1 if grain.gray else 3
    light = pixels.mean(axis=2, keepdims=True) if grain.gray else pixels
    strength = grain.gaussian + grain.poisson * np.sqrt(light.clip(0, 255))
    chance = rng.standard_normal((*pixels.shape[:2], channels), dtype=np.float32)
    return pixels + chance * strength.astype(np.float32)


def compressed(pixels: Pixels, how: Compression) -> Pixels:
    """As JPEG."""
    whole = np.rint(pixels.clip(0, 255)).astype(np.uint8)
    moved = cv2.copyMakeBorder(whole, how.top, 0, how.left, 0, cv2.BORDER_REFLECT_101)
    settings = (
        (cv2.IMWRITE_JPEG_QUALITY, how.quality),
        (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLINGS[how.halved]),
    )
    _, data = cv2.imencode(".jpg", moved[..., ::-1], [n for pair in settings for n in pair])
    back = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return back[how.top :, how.left :, ::-1].astype(np.float32)

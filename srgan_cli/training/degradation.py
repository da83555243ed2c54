"""Degradation of training inputs: blur, resizing, sensor noise and lossy compression.

The operations are those of Real-ESRGAN (https://arxiv.org/abs/2107.10833), but milder: most
photographs that people upscale were resized and compressed once or twice, and a network that sees
mostly bad ones smears good ones. Pixels are (H, W, 3) float32 levels, 0 to 255.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from srgan_cli.resample import resize
from srgan_cli.training.patches import round_levels

Pixels = np.ndarray
Range = tuple[float, float]

BICUBIC_SHARE, HEAVY_SHARE = 0.1, 0.15
"""Shares of samples that are only downsampled by bicubic, and that are degraded twice.

The rest is degraded lightly.
"""

CHROMA_420_SHARE = 0.75
"""Probability of 4:2:0 in JPEG; WebP always has it."""

WEBP_SHARE = 0.15
SINC_PROBABILITY = 0.3
SMALLEST_SIDE = 8


@dataclass(frozen=True)
class Degradation:
    """Probabilities and ranges of one pass of blur, resizing, noise and compression."""

    blur: float
    """Probability, as are noise, gray_noise and compression."""
    sigma: Range
    """Standard deviation of the blur, in pixels before resizing."""
    factor: Range
    """Factor of the target size; drawn on a logarithmic scale."""
    noise: float
    gaussian: Range
    """Standard deviation in levels."""
    poisson: Range
    """Standard deviation in square roots of the level."""
    compression: float
    quality: tuple[int, int]
    gray_noise: float = 0.4


LIGHT = Degradation(
    blur=0.5,
    sigma=(0.3, 2.5),
    factor=(1.0, 1.0),
    noise=0.5,
    gaussian=(0.5, 6.0),
    poisson=(0.05, 0.6),
    compression=0.92,
    quality=(40, 95),
)

RESIZED_SHARE = 0.3
"""Share of lightly degraded samples that are resized and compressed once before, as web images."""

RESIZED = Degradation(
    blur=0.3,
    sigma=(0.3, 2.0),
    factor=(0.7, 2.5),
    noise=0.4,
    gaussian=(0.5, 6.0),
    poisson=(0.05, 0.6),
    compression=0.9,
    quality=(50, 95),
)

HEAVY_FIRST = Degradation(
    blur=0.8,
    sigma=(0.3, 3.0),
    factor=(1.2, 4.0),
    noise=0.8,
    gaussian=(1.0, 15.0),
    poisson=(0.05, 1.5),
    compression=0.7,
    quality=(40, 95),
)

HEAVY_SECOND = Degradation(
    blur=0.4,
    sigma=(0.2, 1.2),
    factor=(0.6, 1.2),
    noise=0.6,
    gaussian=(1.0, 10.0),
    poisson=(0.05, 1.0),
    compression=0.0,  # the last compression comes before or after the sinc filter
    quality=(30, 95),
)


def bicubic_downsample(high_res: Tensor, scale: int, rng: np.random.Generator) -> Tensor:
    """(3, H, W) levels -> (3, H / scale, W / scale) whole levels. `rng` is not used."""
    height, width = high_res.shape[-2:]
    return round_levels(resize(high_res, height // scale, width // scale))


def degrade(high_res: Tensor, scale: int, rng: np.random.Generator) -> Tensor:
    """(3, H, W) levels, H and W multiples of `scale` -> (3, H / scale, W / scale) whole levels."""
    kind = rng.random()
    if kind < BICUBIC_SHARE:
        return bicubic_downsample(high_res, scale, rng)
    size = (high_res.shape[1] // scale, high_res.shape[2] // scale)
    pixels = np.ascontiguousarray(high_res.permute(1, 2, 0).numpy())
    heavy = kind < BICUBIC_SHARE + HEAVY_SHARE
    pixels = _heavy(pixels, size, rng) if heavy else _light(pixels, size, rng)
    return round_levels(torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1))


def _light(pixels: Pixels, size: tuple[int, int], rng: np.random.Generator) -> Pixels:
    if rng.random() < RESIZED_SHARE:
        pixels = apply(RESIZED, pixels, size, rng)
    return apply(LIGHT, pixels, size, rng)


def _heavy(pixels: Pixels, size: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """Real-ESRGAN's two orders; the last compression comes before or after a sinc filter."""
    pixels = apply(HEAVY_FIRST, pixels, size, rng)
    pixels = apply(HEAVY_SECOND, pixels, size, rng)
    compress_first = rng.random() < 0.5
    if compress_first:
        pixels = compress(pixels, HEAVY_SECOND.quality, rng)
    pixels = _resize(pixels, size, rng)
    if rng.random() < SINC_PROBABILITY:
        pixels = _filter(pixels, sinc_kernel(rng))
    return pixels if compress_first else compress(pixels, HEAVY_SECOND.quality, rng)


def apply(
    degradation: Degradation, pixels: Pixels, size: tuple[int, int], rng: np.random.Generator
) -> Pixels:
    """Blur, resize to about `size` (height, width), add noise and compress, each by chance."""
    if rng.random() < degradation.blur:
        pixels = _filter(pixels, blur_kernel(rng, degradation.sigma))
    low, high = np.log(degradation.factor)
    factor = float(np.exp(rng.uniform(low, high)))
    sides = [max(min(SMALLEST_SIDE, side), round(side * factor)) for side in size]
    pixels = _resize(pixels, (sides[0], sides[1]), rng)
    if rng.random() < degradation.noise:
        pixels = add_noise(pixels, degradation, rng)
    if rng.random() < degradation.compression:
        pixels = compress(pixels, degradation.quality, rng)
    return pixels


def _filter(pixels: Pixels, kernel: np.ndarray) -> Pixels:
    return cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REFLECT_101)


def _resize(pixels: Pixels, size: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """Area, bilinear or bicubic; below half size area or antialiased bicubic."""
    if pixels.shape[:2] == size:
        return pixels
    height, width = size
    shrinks = pixels.shape[0] > 2 * height
    choice = int(rng.integers(2 if shrinks else 3))
    if shrinks and choice == 1:
        planes = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        return np.ascontiguousarray(resize(planes, height, width).numpy().transpose(1, 2, 0))
    kernel = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)[choice]
    return cv2.resize(pixels, (width, height), interpolation=kernel)


def add_noise(pixels: Pixels, degradation: Degradation, rng: np.random.Generator) -> Pixels:
    """Gaussian noise, or Poisson noise as a Gaussian of the same variance; gray or per channel."""
    gray = bool(rng.random() < degradation.gray_noise)
    light = pixels.mean(axis=2, keepdims=True) if gray else pixels
    if rng.random() < 0.5:
        deviation: Pixels | float = rng.uniform(*degradation.gaussian)
    else:
        deviation = rng.uniform(*degradation.poisson) * np.sqrt(light.clip(0, 255))
    noise = rng.standard_normal((*pixels.shape[:2], 1 if gray else 3), dtype=np.float32)
    return pixels + (noise * deviation).astype(np.float32)


def compress(pixels: Pixels, quality: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """To JPEG or WebP and back; the grid of 8x8 blocks starts anywhere."""
    top, left = (int(n) for n in rng.integers(8, size=2))
    whole = np.rint(pixels.clip(0, 255)).astype(np.uint8)[..., ::-1]
    moved = cv2.copyMakeBorder(whole, top, 0, left, 0, cv2.BORDER_REFLECT_101)
    level = int(rng.integers(quality[0], quality[1] + 1))
    if rng.random() < WEBP_SHARE:
        _, data = cv2.imencode(".webp", moved, [cv2.IMWRITE_WEBP_QUALITY, level])
    else:
        _, data = cv2.imencode(".jpg", moved, _jpeg_parameters(level, rng))
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return decoded[top:, left:, ::-1].astype(np.float32)


def _jpeg_parameters(quality: int, rng: np.random.Generator) -> list[int]:
    chroma_420 = rng.random() < CHROMA_420_SHARE
    sampling = (
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if chroma_420 else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    )
    return [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]


LARGEST = 10
"""Radius of a kernel, in pixels."""

SHAPES = {
    "isotropic": 0.45,
    "anisotropic": 0.25,
    "generalized": 0.12,
    "round generalized": 0.03,
    "plateau": 0.12,
    "round plateau": 0.03,
}
"""Relative probabilities."""

SINC_SHARE = 0.1


def blur_kernel(rng: np.random.Generator, sigma: tuple[float, float]) -> np.ndarray:
    """(K, K) float32, its sum 1; `sigma` is the range of its width in pixels."""
    if rng.random() < SINC_SHARE:
        return sinc_kernel(rng)
    probabilities = np.array(list(SHAPES.values()))
    name = list(SHAPES)[rng.choice(len(probabilities), p=probabilities / probabilities.sum())]
    across = rng.uniform(*sigma)
    down = across if "round" in name or name == "isotropic" else rng.uniform(*sigma)
    distance = ellipse(across, down, rng.uniform(0, np.pi))
    if "generalized" in name:
        return _normed(np.exp(-0.5 * distance ** rng.uniform(0.5, 4.0)))
    if "plateau" in name:
        return _normed(1 / (1 + distance ** rng.uniform(1.0, 2.0)))
    return _normed(np.exp(-0.5 * distance))


def ellipse(across: float, down: float, angle: float) -> np.ndarray:
    """(K, K): squared distance from the center, in units of a rotated ellipse's radii."""
    y, x = _grid(min(LARGEST, max(3, int(np.ceil(3 * max(across, down))))))
    u = np.cos(angle) * x + np.sin(angle) * y
    v = np.cos(angle) * y - np.sin(angle) * x
    return (u / across) ** 2 + (v / down) ** 2


def sinc_kernel(rng: np.random.Generator) -> np.ndarray:
    """A truncated ideal low-pass filter, which causes ringing."""
    radius = int(rng.integers(3, LARGEST + 1))
    cutoff = rng.uniform(np.pi / 3, np.pi)
    y, x = _grid(radius)
    distance = np.sqrt(x * x + y * y)
    distance[radius, radius] = 1.0
    bessel = torch.special.bessel_j1(torch.from_numpy(cutoff * distance)).numpy()
    kernel = cutoff * bessel / (2 * np.pi * distance)
    kernel[radius, radius] = cutoff**2 / (4 * np.pi)
    return _normed(kernel)


def _grid(radius: int) -> tuple[np.ndarray, np.ndarray]:
    line = np.arange(-radius, radius + 1, dtype=np.float64)
    y, x = np.meshgrid(line, line, indexing="ij")
    return y, x


def _normed(kernel: np.ndarray) -> np.ndarray:
    return (kernel / kernel.sum()).astype(np.float32)

"""Small pictures that others are blurred with: Gaussians of several kinds, and one that rings.

Real-ESRGAN, https://arxiv.org/abs/2107.10833, sections 3.1 and 3.2.
"""

import numpy as np
import torch

LARGEST = 10
"""Radius of a kernel, in pixels."""

SHAPES = {
    "isotropic": 0.45,
    "anisotropic": 0.25,
    "generalised": 0.12,
    "round generalised": 0.03,
    "plateau": 0.12,
    "round plateau": 0.03,
}
"""How likely each is."""

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
    if "generalised" in name:
        return _normed(np.exp(-0.5 * distance ** rng.uniform(0.5, 4.0)))
    if "plateau" in name:
        return _normed(1 / (1 + distance ** rng.uniform(1.0, 2.0)))
    return _normed(np.exp(-0.5 * distance))


def ellipse(across: float, down: float, angle: float) -> np.ndarray:
    """(K, K): squared distances from the centre in widths of a turned ellipse."""
    y, x = _grid(min(LARGEST, max(3, int(np.ceil(3 * max(across, down))))))
    u = np.cos(angle) * x + np.sin(angle) * y
    v = np.cos(angle) * y - np.sin(angle) * x
    return (u / across) ** 2 + (v / down) ** 2


def sinc_kernel(rng: np.random.Generator) -> np.ndarray:
    """An ideal low-pass filter, cut off: edges ring."""
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

"""Full-reference image quality metrics: PSNR, SSIM, distances between features, LPIPS.

PSNR and SSIM as the papers of the field measure them: on Y, with a border cropped. SSIM: Wang et
al., "Image quality assessment: from error visibility to structural similarity", 2004. Distances
between features agree with people better. All take (H, W, 3) or (H, W, 1) unsigned integers of any
depth; gray equals R = G = B.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from srgan_cli.errors import ImageError, OptionError

Channel = Literal["y", "rgb"]

PEAK = 255.0
WINDOW = 11
SIGMA = 1.5
C1 = (0.01 * PEAK) ** 2
C2 = (0.03 * PEAK) ** 2


def to_y(pixels: np.ndarray) -> np.ndarray:
    """(H, W, C) integers -> (H, W) float64 from 16 to 235: MATLAB's luma (BT.601), unrounded."""
    share = levels(pixels) / PEAK
    red, green, blue = np.moveaxis(np.broadcast_to(share, (*share.shape[:2], 3)), 2, 0)
    luma: np.ndarray = 65.481 * red + 128.553 * green + 24.966 * blue + 16.0
    return luma


def psnr(
    image: np.ndarray, reference: np.ndarray, border: int = 0, channel: Channel = "y"
) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal images.

    border: pixels cropped on each side. Raises ImageError if sizes differ or nothing is left.
    """
    a, b = _planes(image, reference, border, channel)
    error = float(np.mean((a - b) ** 2))
    return 10 * math.log10(PEAK**2 / error) if error else math.inf


def ssim(
    image: np.ndarray, reference: np.ndarray, border: int = 0, channel: Channel = "y"
) -> float:
    """Structural similarity, from -1 to 1 (equal); of "rgb" the mean of the three channels.

    border: pixels cropped on each side; only windows inside it count. Raises ImageError if sizes
    differ or less than a window is left.
    """
    a, b = _planes(image, reference, border, channel)
    if min(a.shape[:2]) < WINDOW:
        raise ImageError(f"SSIM needs {WINDOW} x {WINDOW} pixels inside the border: measure larger")
    mean_a, mean_b = _window(a), _window(b)
    variances = _window(a * a) + _window(b * b) - mean_a**2 - mean_b**2
    covariance = _window(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return float(np.mean(luminance * (2 * covariance + C2) / (variances + C2)))


def _planes(
    image: np.ndarray, reference: np.ndarray, border: int, channel: Channel
) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 1 or 3) floats from 0 to 255, cropped."""
    if image.shape[:2] != reference.shape[:2]:
        raise ImageError(f"the images differ in size: {_size(image)} and {_size(reference)}")
    if min(image.shape[:2]) <= 2 * border:
        raise ImageError(f"nothing is left of {_size(image)} pixels inside a border of {border}")
    if channel == "y":
        a, b = to_y(image)[..., None], to_y(reference)[..., None]
    else:
        a, b = np.broadcast_arrays(levels(image), levels(reference))
    inside = np.s_[border : a.shape[0] - border, border : a.shape[1] - border]
    return a[inside], b[inside]


def levels(pixels: np.ndarray) -> np.ndarray:
    """Integers of any depth -> float64 from 0 to 255."""
    return pixels * (PEAK / np.iinfo(pixels.dtype).max)


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"


def _window(planes: np.ndarray) -> np.ndarray:
    """Gaussian-weighted means of all whole 11 x 11 windows."""
    kernel = cv2.getGaussianKernel(WINDOW, SIGMA)
    margin = WINDOW // 2
    smooth = cv2.sepFilter2D(np.ascontiguousarray(planes), cv2.CV_64F, kernel, kernel)
    return smooth[margin:-margin, margin:-margin]


Extractor = Callable[[Tensor], Iterable[Tensor]]
"""(1, 3, H, W) in [0, 1] -> one (1, C, h, w) for each layer, after activation."""

Distance = Callable[[np.ndarray, np.ndarray], float]
"""Distance of two (H, W, 1 or 3) integer arrays; 0 for equal ones."""


@torch.no_grad()
def feature_distance(extract: Extractor, image: np.ndarray, reference: np.ndarray) -> float:
    """Squared difference of features scaled to unit length, from 0 (equal) to 2.

    The channels of each position are scaled; the mean is over positions, then over layers.

    Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", 2018,
    without its trained weights of channels.
    """
    if image.shape[:2] != reference.shape[:2]:
        raise ImageError("the images differ in size: give images of equal size")
    pairs = zip(extract(to_tensor(image)), extract(to_tensor(reference)), strict=True)
    return float(np.mean([float(_layer_distance(a.float(), b.float())) for a, b in pairs]))


def _layer_distance(image: Tensor, reference: Tensor) -> Tensor:
    difference = _unit_length(image) - _unit_length(reference)
    return difference.square().sum(dim=1).mean()


def _unit_length(features: Tensor) -> Tensor:
    return torch.nn.functional.normalize(features, dim=1)


def to_tensor(pixels: np.ndarray) -> Tensor:
    """(H, W, 1 or 3) integers of any depth -> (1, 3, H, W) in [0, 1]."""
    share = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
    return torch.from_numpy(share).permute(2, 0, 1)[None].expand(1, 3, -1, -1)


def lpips_distance() -> Distance:
    """LPIPS 0.1 on AlexNet as its authors published it, in their package `lpips`.

    The package fetches AlexNet (233 MB) when first used. Raises OptionError where it is not
    installed, does not import, or cannot be fetched.
    """
    try:
        import lpips  # optional

        network = lpips.LPIPS(net="alex", verbose=False).eval()
    except ImportError as error:
        raise OptionError(f"LPIPS needs a package: pip install lpips ({error})") from error
    except (RuntimeError, OSError) as error:  # torchvision of another torch; no network
        raise OptionError(f"the package lpips does not work here: {error}") from error
    return distance_by(network)


def distance_by(network: Callable[[Tensor, Tensor], Tensor]) -> Distance:
    """Distance of arrays by a network that compares two (1, 3, H, W) in [-1, 1]."""

    @torch.no_grad()
    def measure(image: np.ndarray, reference: np.ndarray) -> float:
        return float(network(2 * to_tensor(image) - 1, 2 * to_tensor(reference) - 1))

    return measure


@dataclass(frozen=True, eq=False)
class Metric:
    """measure: ours and the original, (H, W, C) integers of one size, border already cropped.

    key: its name for programs. label: for people; PSNR is in dB. higher: whether more is better.
    """

    key: str
    label: str
    measure: Distance
    digits: int = 4
    higher: bool = False


FIDELITY = (
    Metric("psnr_y", "PSNR Y", psnr, digits=2, higher=True),
    Metric("ssim_y", "SSIM Y", ssim, higher=True),
    Metric("psnr_rgb", "PSNR RGB", partial(psnr, channel="rgb"), digits=2, higher=True),
    Metric("ssim_rgb", "SSIM RGB", partial(ssim, channel="rgb"), higher=True),
)


def feature_metric(extract: Extractor) -> Metric:
    return Metric("features", "features", partial(feature_distance, extract))


def lpips_metric() -> Metric:
    return Metric("lpips", "LPIPS", lpips_distance())

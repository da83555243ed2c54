"""Distances between the features of two images, which agree with people better than PSNR does."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from srgan_cli.errors import ImageError, OptionError

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

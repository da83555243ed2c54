"""Distances in what a network sees, which follow people's eyes better than PSNR does."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from srgan_cli.errors import ImageError, OptionError

Extractor = Callable[[Tensor], Iterable[Tensor]]
"""(1, 3, H, W) in [0, 1] -> one (1, C, h, w) for each layer, after activation."""

Distance = Callable[[np.ndarray, np.ndarray], float]
"""Of two (H, W, 1 or 3) integer arrays; 0 for equal ones."""


@torch.no_grad()
def feature_distance(extract: Extractor, ours: np.ndarray, truth: np.ndarray) -> float:
    """From 0 (equal) to 2. At each place of a layer the channels are scaled to unit length; their
    squared difference is averaged over the places, then over the layers.

    Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", 2018,
    without its trained weights of channels.
    """
    if ours.shape[:2] != truth.shape[:2]:
        raise ImageError("the pictures differ in size: their features cannot be compared")
    pairs = zip(extract(to_tensor(ours)), extract(to_tensor(truth)), strict=True)
    return float(np.mean([float(_unlike(a.float(), b.float())) for a, b in pairs]))


def _unlike(ours: Tensor, truth: Tensor) -> Tensor:
    difference = _unit(ours) - _unit(truth)
    return difference.square().sum(dim=1).mean()


def _unit(features: Tensor) -> Tensor:
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
        import lpips  # optional, and adapted here alone

        network = lpips.LPIPS(net="alex", verbose=False).eval()
    except ImportError as error:
        raise OptionError(f"LPIPS needs a package: pip install lpips ({error})") from error
    except (RuntimeError, OSError) as error:  # torchvision of another torch; no network
        raise OptionError(f"the package lpips does not work here: {error}") from error
    return distance_by(network)


def distance_by(network: Callable[[Tensor, Tensor], Tensor]) -> Distance:
    """A network that compares two (1, 3, H, W) in [-1, 1], made to compare arrays."""

    @torch.no_grad()
    def measure(ours: np.ndarray, truth: np.ndarray) -> float:
        return float(network(2 * to_tensor(ours) - 1, 2 * to_tensor(truth) - 1))

    return measure

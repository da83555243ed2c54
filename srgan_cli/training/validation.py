"""How good a network is on pictures that it does not train on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from srgan_cli.metrics import psnr, ssim
from srgan_cli.resample import resize
from srgan_cli.training.patches import quantised

SIDE = 384
"""Validation looks at the centre of each picture, at most so many pixels a side."""


@dataclass(frozen=True)
class Score:
    """Means over the pictures, on Y, with a border of `scale` pixels cropped."""

    psnr: float
    ssim: float


@dataclass(frozen=True, eq=False)
class Sample:
    low: Tensor
    """(1, 3, h, w) in [0, 1]."""
    high: np.ndarray
    """(sh, sw, 3) uint8."""


def centre_samples(pictures: Sequence[np.ndarray], scale: int) -> list[Sample]:
    return [_centre(pixels, scale) for pixels in pictures]


def _centre(pixels: np.ndarray, scale: int) -> Sample:
    height, width = (min(SIDE, side) // scale * scale for side in pixels.shape[:2])
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    high = np.ascontiguousarray(pixels[top : top + height, left : left + width])
    tensor = torch.from_numpy(high).permute(2, 0, 1)[None].float()
    return Sample(quantised(resize(tensor, height // scale, width // scale)) / 255, high)


@torch.no_grad()
def score(network: nn.Module, samples: Sequence[Sample], device: torch.device) -> Score:
    network.eval()
    scale = int(network.scale)  # type: ignore[arg-type]
    made = [as_pixels(network(sample.low.to(device))) for sample in samples]
    pairs = list(zip(made, (sample.high for sample in samples), strict=True))
    return Score(
        psnr=float(np.mean([psnr(a, b, scale) for a, b in pairs])),
        ssim=float(np.mean([ssim(a, b, scale) for a, b in pairs])),
    )


def as_pixels(picture: Tensor) -> np.ndarray:
    """(1, 3, H, W) in [0, 1] -> (H, W, 3) uint8."""
    return quantised(picture[0] * 255).byte().permute(1, 2, 0).cpu().numpy()

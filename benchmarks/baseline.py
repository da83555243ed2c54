"""How upscalers commonly run a network, to be compared with.

In float32 and the default (contiguous) layout. The whole image is moved to the device at once and
the whole result is gathered there; tiles of 400 pixels see 10 pixels around them, be the network's
reach what it may, and nothing but zeros beyond the image's edge. Files are read, computed and
written one after the other.
"""

import ctypes
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class BaselineUpscaler:
    """(H, W, 3) uint8 -> (sH, sW, 3) uint8."""

    generator: nn.Module
    device: str = "cpu"
    tile: int | None = 400
    """Side in input pixels; None runs the image as a whole."""
    pad: int = 10

    @torch.inference_mode()
    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        usual_memory()
        low = to_batch(pixels).to(self.device)
        high = self.generator(low) if self.tile is None else self._tiled(low, self.tile)
        return to_image(high)

    def _tiled(self, low: Tensor, tile: int) -> Tensor:
        scale = int(self.generator.scale)  # type: ignore[arg-type]
        height, width = low.shape[-2:]
        high = low.new_empty(1, 3, height * scale, width * scale)
        for top in range(0, height, tile):
            for left in range(0, width, tile):
                bottom, right = min(top + tile, height), min(left + tile, width)
                above, before = max(top - self.pad, 0), max(left - self.pad, 0)
                seen = low[..., above : bottom + self.pad, before : right + self.pad]
                made = self.generator(seen)[..., (top - above) * scale :, (left - before) * scale :]
                rows, columns = (bottom - top) * scale, (right - left) * scale
                place = high[..., top * scale : bottom * scale, left * scale : right * scale]
                place.copy_(made[..., :rows, :columns])
        return high

    def files(self, jobs: Iterable[tuple[Path, Path]], quality: int = 95) -> None:
        for source, target in jobs:
            pixels = cv2.cvtColor(cv2.imread(str(source)), cv2.COLOR_BGR2RGB)
            high = cv2.cvtColor(self(pixels), cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(target), high, [cv2.IMWRITE_JPEG_QUALITY, quality])


def to_batch(pixels: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) float32 in [0, 1]."""
    planes = (pixels.astype(np.float32) / 255).transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(planes))[None]


def to_image(high: Tensor) -> np.ndarray:
    """(1, 3, H, W) floats -> (H, W, 3) uint8."""
    values = high[0].float().cpu().clamp(0, 1).numpy().transpose(1, 2, 0)
    return (values * 255.0).round().astype(np.uint8)


def usual_memory() -> None:
    """Undo `srgan_cli.device.keep_memory`: the limits that glibc arrives at by itself."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(-3, 32 << 20)  # buffers from here on are mapped, and unmapped when freed
        mallopt(-1, 64 << 20)  # of the rest so much is kept

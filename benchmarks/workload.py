"""What is measured: a network, on a device, on images made of the sample photograph."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from baseline import BaselineUpscaler
from torch import nn

from srgan_cli.api import build_engine
from srgan_cli.images.read import read_image
from srgan_cli.inference.engine import TiledEngine
from srgan_cli.networks.rrdbnet import RRDBNet
from srgan_cli.settings import Machine
from srgan_cli.weights.container import Weights
from srgan_cli.weights.loading import load_generator
from srgan_cli.weights.metadata import Metadata

SAMPLE = Path(__file__).parent.parent / "tests" / "data" / "photo.jpg"
WHOLE = 1 << 20
"""A tile's side with which every image is a single tile."""


@dataclass(frozen=True)
class Workload:
    """quick: on images so small that all parts together take minutes on two cores."""

    weights: Weights
    device: str = "cpu"
    rounds: int = 5
    quick: bool = False

    def ours(self, precision: str = "auto", tile: int | None = None) -> TiledEngine:
        return build_engine(self.weights, Machine(self.device, precision, tile))

    def common(self, tile: int | None = 400) -> BaselineUpscaler:
        return BaselineUpscaler(self.network(), self.device, tile)

    def network(self) -> nn.Module:
        """In float32 and the default layout, on the device."""
        return load_generator(self.weights).to(self.device)


def rrdb23() -> Weights:
    """ESRGAN's generator, with random numbers: they take the same time.

    Measured on them, 4 mirrored pixels would do; trained ones are granted four times as many.
    """
    torch.manual_seed(0)
    metadata = Metadata(scale=4, reflect_padding=16)
    return Weights("rrdbnet", {"blocks": 23}, RRDBNet(blocks=23).state_dict(), metadata)


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(height, width, 3) uint8: the sample, mirrored on and on from somewhere, with grain."""
    rng = np.random.default_rng(seed)
    sample = read_image(SAMPLE).pixels
    rows = _mirrored(int(rng.integers(1000)), height, sample.shape[0])
    columns = _mirrored(int(rng.integers(1000)), width, sample.shape[1])
    picture: np.ndarray = sample[rows][:, columns]
    grain = rng.integers(-3, 4, picture.shape, dtype=np.int16)
    return (picture + grain).clip(0, 255).astype(np.uint8)


def _mirrored(start: int, count: int, length: int) -> np.ndarray:
    place = np.arange(start, start + count) % (2 * length - 2)
    return np.minimum(place, 2 * length - 2 - place)

"""Small pictures, in memory and in files."""

from pathlib import Path

import numpy as np

from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image


def noise(height: int, width: int, seed: int = 0) -> Image:
    rng = np.random.default_rng(seed)
    return Image(rng.integers(0, 256, (height, width, 3), np.uint8))


def save(folder: Path, *names: str, height: int = 32, width: int = 24) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for seed, name in enumerate(names):
        write_image(noise(height, width, seed), folder / name)
    return [folder / name for name in names]

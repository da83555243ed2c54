"""Pictures that the tests of training make on the spot."""

from pathlib import Path

import numpy as np

from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image


def picture(seed: int, height: int = 72, width: int = 80) -> np.ndarray:
    """(height, width, 3) uint8 with edges, gradients and a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 12
    planes = [np.sin(x * rng.uniform(0.5, 2) + i) + np.sign(np.sin(y + i)) for i in range(3)]
    levels = 128 + 40 * np.stack(planes, axis=2) + rng.normal(0, 4, (height, width, 3))
    return np.rint(levels.clip(0, 255)).astype(np.uint8)


def save_picture(path: Path, seed: int = 0, **sides: int) -> Path:
    write_image(Image(picture(seed, **sides)), path)
    return path

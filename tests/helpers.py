"""What several tests need: small images, networks and the command line."""

from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner, Result
from PIL import Image as Pillow

from srgan_cli.cli import main
from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image

DISCRIMINATOR_SIZES: dict[str, dict[str, int]] = {
    "srgan": {"features": 4, "dense": 8},
    "unet": {"features": 4},
}
"""Hyperparameters of discriminators small enough for tests."""


def srgan(*words: object, **options: Any) -> Result:
    """The command line, with arguments of any type; a crash fails the test."""
    result = CliRunner().invoke(main, [str(word) for word in words], **options)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def noise(height: int, width: int, seed: int = 0) -> Image:
    """8-bit RGB in which every pixel differs from its neighbors."""
    random = np.random.default_rng(seed)
    return Image(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


def flat(height: int, width: int, *color: int) -> Image:
    return Image(np.full((height, width, 3), color, np.uint8))


def save(folder: Path, *names: str, height: int = 32, width: int = 24) -> list[Path]:
    """A file of noise for each name, each different; the folder is made."""
    folder.mkdir(exist_ok=True)
    for seed, name in enumerate(names):
        write_image(noise(height, width, seed), folder / name)
    return [folder / name for name in names]


def noise_file(path: Path, side: int = 5) -> Path:
    """Noise, one pixel wider than high; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = np.random.default_rng(side).integers(0, 256, (side, side + 1, 3), dtype=np.uint8)
    Pillow.fromarray(drawn).save(path)
    return path

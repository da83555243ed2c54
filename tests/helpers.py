"""What several tests need: small images, networks and the command line."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner, Result
from PIL import Image as Pillow

from srgan_cli.cli import main
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.read import read_frames
from srgan_cli.images.write import write_image
from srgan_cli.resample import resize_array

DISCRIMINATOR_SIZES: dict[str, dict[str, int]] = {
    "srgan": {"features": 4, "dense": 8},
    "unet": {"features": 4},
}
"""Hyperparameters of discriminators small enough for tests."""

ODD_NAMES = [
    "two words.png",
    "quo'te\".png",
    "new\nline.png",
    "\N{SNOWMAN} \N{GRINNING FACE}.png",
    os.fsdecode(b"not-utf8-\xff.png"),
]


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


def upscale(*words: object, model: str = "bicubic", **options: Any) -> Result:
    """`srgan upscale` by a model that needs no network, unless another is named."""
    return srgan("upscale", "-m", model, *words, **options)


def pixels(path: Path) -> np.ndarray:
    with Pillow.open(path) as opened:
        return np.asarray(opened)


def enlarged(path: Path) -> np.ndarray:
    """The pixels of the file, four times larger by bicubic."""
    low_res = pixels(path)
    return resize_array(low_res, 4 * low_res.shape[0], 4 * low_res.shape[1])


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def made(source: str, target: str, *words: object) -> Image | ImageSequence:
    result = upscale(source, "-o", target, *words)
    assert result.exit_code == 0, result.output
    return read_frames(Path(target))


def larger(pixels: np.ndarray, scale: int = 4) -> np.ndarray:
    return resize_array(pixels, scale * pixels.shape[0], scale * pixels.shape[1])


def refusal(source: str) -> str:
    """The only line that is said of it."""
    result = upscale(source, "-o", "out/")
    assert result.exit_code == 1
    assert not list(Path().glob("out/*"))
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: {source}: ")
    return line


def smooth(height: int, width: int, channels: int, dtype: type = np.uint8) -> np.ndarray:
    down, across = np.linspace(0.2, 0.8, height)[:, None], np.linspace(0.1, 0.9, width)
    planes = [(down + across * i) / (1 + i) for i in range(channels)]
    return np.rint(np.stack(planes, axis=2) * np.iinfo(dtype).max).astype(dtype)

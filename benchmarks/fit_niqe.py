"""Fit NIQE's model of natural pictures, or see how well NIQE tells spoiled pictures from good ones.

python benchmarks/fit_niqe.py FOLDER... -o niqe.npz
python benchmarks/fit_niqe.py --val FOLDER

Takes up to a second a megapixel and core. The first's result belongs into srgan_cli/niqe.npz; the
second blurs and adds noise to good photographs and names those whose NIQE does not rise.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from srgan_cli.evaluation.image_pairs import pictures_in
from srgan_cli.images.read import read_image
from srgan_cli.metrics.niqe import fit, niqe, write_model

NOISE = (2, 5, 10, 25)
"""Standard deviations, in levels."""

BLUR = (0.5, 1, 2, 4)
"""Standard deviations, in pixels."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", metavar="FOLDER", nargs="*", type=Path)
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--val", metavar="FOLDER", type=Path)
    given = parser.parse_args()
    if bool(given.folders) != bool(given.out) or bool(given.folders) == bool(given.val):
        parser.error("give folders and -o to fit, or --val to try")
    if given.val:
        print("\n".join(tried(pictures_in(given.val))))
        return
    model = fit(photographs(given.folders))
    write_model(model, given.out)
    print(f"{given.out}: mean {np.round(model.mean[:4], 3)} ...")


def photographs(folders: Sequence[Path]) -> Iterator[np.ndarray]:
    for folder in folders:
        for path in pictures_in(folder):
            yield read_image(path).pixels


def tried(paths: Sequence[Path]) -> list[str]:
    """A line for each way to spoil them: on how many NIQE rises, and those on which it falls."""
    ways = [(f"noise {sigma}", noise(sigma)) for sigma in NOISE]
    ways += [(f"blur {sigma}", blur(sigma)) for sigma in BLUR]
    found: dict[str, list[str]] = {name: [] for name, _ in ways}
    for path in paths:
        pixels = read_image(path).pixels
        before = niqe(pixels)
        for name, spoil in ways:
            after = niqe(spoil(pixels))
            if after <= before:
                found[name].append(f"{path.name} {before:.2f} to {after:.2f}")
    return [
        f"{name}: rises on {len(paths) - len(falls)} of {len(paths)} {'; '.join(falls)}".rstrip()
        for name, falls in found.items()
    ]


def noise(sigma: float) -> Callable[[np.ndarray], np.ndarray]:
    """The same for every picture of one size."""

    def spoil(pixels: np.ndarray) -> np.ndarray:
        drawn = np.random.default_rng(0).normal(0, sigma, pixels.shape)
        return np.rint(np.clip(pixels + drawn, 0, 255)).astype(np.uint8)

    return spoil


def blur(sigma: float) -> Callable[[np.ndarray], np.ndarray]:
    def spoil(pixels: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma)).reshape(pixels.shape)

    return spoil


if __name__ == "__main__":
    main()

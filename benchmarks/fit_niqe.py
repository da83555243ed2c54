"""Fit NIQE's model of natural pictures: python benchmarks/fit_niqe.py FOLDER... -o niqe.npz

Takes about a second a megapixel and core. The result belongs into srgan_cli/niqe.npz.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from srgan_cli.images.read import read_image
from srgan_cli.metrics.naturalness import fit, write_model

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=Path)
    parser.add_argument("-o", "--out", required=True, type=Path)
    arguments = parser.parse_args()
    model = fit(photographs(arguments.folders))
    write_model(model, arguments.out)
    print(f"{arguments.out}: mean {np.round(model.mean[:4], 3)} ...")


def photographs(folders: list[Path]) -> Iterator[np.ndarray]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in SUFFIXES:
                yield read_image(path).pixels


if __name__ == "__main__":
    main()

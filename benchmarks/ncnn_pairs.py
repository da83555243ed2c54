"""Networks written as ncnn pairs, run by the package ncnn on the CPU, beside ours in PyTorch.

    python benchmarks/ncnn_pairs.py PHOTO FILE...

PHOTO is upscaled by each weights file in float32, by ours and by ncnn: with float32 weights, with
float16 weights, and, for a .param, by the pair itself. Printed are the largest difference in 8-bit
levels, and the shares of samples within one level and equal.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from srgan_cli.images.read import read_image
from srgan_cli.weights.container import Weights
from srgan_cli.weights.loading import load_generator, load_weights
from srgan_cli.weights.ncnn.writer import format_pair, run_ncnn

Pair = tuple[str, bytes]


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photo", metavar="PHOTO", type=Path)
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+")
    given = parser.parse_args()
    pixels = read_image(given.photo).pixels.copy()
    low = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
    print("| network | pair | largest | within one | equal |")
    print("| --- | --- | ---: | ---: | ---: |")
    for file in given.files:
        weights = load_weights(file)
        ours = load_generator(weights)(low[None])[0]
        for name, pair in pairs(file, weights):
            difference = (levels(run_ncnn(*pair, low)) - levels(ours)).abs()
            within, equal = ((difference <= most).float().mean() for most in (1, 0))
            figures = f"{difference.max():.0f} | {within:.4%} | {equal:.3%}"
            print(f"| {file.stem} | {name} | {figures} |", flush=True)


def pairs(file: Path, weights: Weights) -> Iterator[tuple[str, Pair]]:
    for half in (False, True):
        yield ("float16" if half else "float32"), format_pair(weights, half=half)
    if file.suffix == ".param":
        yield "itself", (file.read_text(), file.with_suffix(".bin").read_bytes())


def levels(image: Tensor) -> Tensor:
    return (image.clamp(0, 1) * 255).round()


if __name__ == "__main__":
    main()

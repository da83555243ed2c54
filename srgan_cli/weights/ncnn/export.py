"""Weights -> NAME.param and NAME.bin, compared with torch where the ncnn package is installed."""

from importlib.util import find_spec
from pathlib import Path

import torch

from srgan_cli.errors import WeightsError
from srgan_cli.files import atomic_write
from srgan_cli.weights.container import Weights
from srgan_cli.weights.loading import load_generator
from srgan_cli.weights.ncnn.writer import format_pair, run_ncnn

TOLERANCE = 1e-3  # of values in [0, 1]: a quarter of a level
TEST_SIZES = ((24, 20), (16, 36), (8, 4))
"""Heights and widths at which ncnn must equal torch; multiples of every RRDBNet's unshuffling."""


def export_ncnn(weights: Weights, path: Path, half: bool = True) -> float | None:
    """Write `path` and the .bin beside it; half: weights as float16.

    The float32 form is run by ncnn first: returns its largest difference from torch, None without
    the package. Raises WeightsError if that is above TOLERANCE, and then writes nothing.
    """
    text, data = format_pair(
        weights.architecture, weights.hyperparameters, weights.state, half=half
    )
    difference = max_difference(weights) if find_spec("ncnn") else None
    if difference is not None and not difference <= TOLERANCE:
        raise WeightsError(f"{path}: ncnn would differ by {difference:.2g} from torch; not written")
    with atomic_write(path.with_suffix(".bin"), WeightsError) as file:
        file.write(data)
    with atomic_write(path, WeightsError) as file:
        file.write(text.encode())
    return difference


@torch.inference_mode()
def max_difference(weights: Weights) -> float:
    """Between torch and ncnn in float32, over random images of TEST_SIZES."""
    kind, sizes, state = weights.architecture, weights.hyperparameters, weights.state
    text, data = format_pair(kind, sizes, state, half=False)
    network = load_generator(weights)
    generator = torch.Generator().manual_seed(0)
    images = [torch.rand((3, *size), generator=generator) for size in TEST_SIZES]
    made = [(run_ncnn(text, data, image), network(image[None])[0]) for image in images]
    return max(float((a - b).abs().max()) for a, b in made)

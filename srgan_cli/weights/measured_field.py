"""The receptive field that matters: measured on a test image, and recorded in weights files.

A deep network's theoretical receptive field is far larger than what changes its output: pixels at
its edge have passed through so many layers that no 8-bit value depends on them. Tiles padded by
the measured field alone are much faster to compute.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from srgan_cli.weights.container import Weights, change_weights_file
from srgan_cli.weights.loading import load_generator

MAX_ANALYTIC = 64
"""Padding of a tile, in low-resolution pixels, at most where the field was not measured."""

PADDING_TOLERANCE = 1
"""8-bit levels by which reflecting less than the receptive field may change an image's border: any
value; a plain color on average."""

PLAIN_COLORS = (*product((0.0, 1.0), repeat=3), (0.5, 0.5, 0.5), (0.8, 0.1, 0.35))
"""RGB; at the edges of plain areas errors show most."""

PLAIN_SIDE, PLAIN_BORDER = 48, 2
"""Of images of one color, in low-resolution pixels."""

CENTER = 32
"""Side of the compared region, in the middle of the test image, in low-resolution pixels."""

FIRST_LIMIT = 96
"""The largest padding of the first search; a result close to it starts one with a larger limit."""

STEP = 4
"""Results are multiples of it: rounding up also covers what the test image does not show."""

MAX_PSNR = 100.0
"""dB, for outputs that do not differ."""

Log = Callable[[str], None]


def measure_receptive_field(network: nn.Module, tolerance: int = 0) -> int:
    """The smallest padding with which the test image's center keeps its 8-bit values.

    In low-resolution pixels, at most the theoretical receptive field. tolerance: levels by which a
    value may differ. The network must be on the CPU in float32: elsewhere libraries round images
    of different sizes differently.
    """
    analytic = int(network.receptive_field)  # type: ignore[arg-type]
    step = math.lcm(STEP, int(getattr(network, "alignment", 1)))
    max_steps = -(-analytic // step)
    limit = min(FIRST_LIMIT // step, max_steps)
    steps = _min_steps(network, step, limit, tolerance)
    while steps > 0.75 * limit and limit < max_steps:
        limit = min(2 * limit, max_steps)
        steps = _min_steps(network, step, limit, tolerance)
    return min(steps * step, analytic)


def _min_steps(network: nn.Module, step: int, limit: int, tolerance: int) -> int:
    """The fewest steps of padding that give what `limit` of them give, by bisection."""
    image = torch.from_numpy(pattern_image(CENTER + 2 * limit * step))[None]
    expected = _center_levels(network, image, limit * step)
    too_few, enough = -1, limit
    while enough - too_few > 1:
        steps = (too_few + enough) // 2
        difference = _center_levels(network, image, steps * step) - expected
        if difference.abs().max() <= tolerance:
            enough = steps
        else:
            too_few = steps
    return enough


@torch.inference_mode()
def _center_levels(network: nn.Module, image: Tensor, padding: int) -> Tensor:
    """The output's center in 8-bit levels, computed from `padding` pixels around it."""
    crop = (image.shape[2] - CENTER) // 2 - padding
    low_res = image[..., crop : image.shape[2] - crop, crop : image.shape[3] - crop]
    scale = int(network.scale)  # type: ignore[arg-type]
    start, stop = padding * scale, (padding + CENTER) * scale
    center: Tensor = network(low_res)[..., start:stop, start:stop]
    return (center.clamp(0, 1) * 255).round()


def pattern_image(side: int) -> NDArray[np.float32]:
    """(3, side, side) in [0, 1], 8-bit levels: gradients, bars, discs and noise everywhere."""
    y, x = np.mgrid[:side, :side] - side // 2
    gradients = np.abs(np.stack([x, y, x + y]) / 48 % 2 - 1)  # up and down
    discs = np.hypot(x % 40 - 20, y % 40 - 20) < 12
    bars = (x + 2 * y) // 9 % 2
    noise = np.random.default_rng(2018).random((3, side, side))
    mixed = 0.6 * np.where(discs, 1 - gradients, gradients) + 0.2 * bars + 0.2 * noise
    return (np.rint(255 * mixed) / 255).astype(np.float32)


def output_psnr(outputs: Iterable[Tensor], expected: Iterable[Tensor]) -> float:
    """PSNR of all images together, in dB, at most MAX_PSNR. Values are clipped to [0, 1]."""
    errors = [
        float((output.clamp(0, 1) - reference.clamp(0, 1)).square().mean())
        for output, reference in zip(outputs, expected, strict=True)
    ]
    error = sum(errors) / len(errors)
    return min(MAX_PSNR, -10 * math.log10(error)) if error else MAX_PSNR


@torch.inference_mode()
def max_difference(
    weights: Weights, run: Callable[[Tensor], Tensor], sizes: Iterable[tuple[int, int]]
) -> float:
    """Between the network's outputs in torch and those of `run`, over random images.

    sizes: heights and widths of the images, (1, 3, H, W) in [0, 1]. Infinite for outputs of another
    shape, NaN for outputs that are not numbers.
    """
    network, generator = load_generator(weights), torch.Generator().manual_seed(0)
    images = [torch.rand((1, 3, *size), generator=generator) for size in sizes]
    outputs = [(network(image), run(image)) for image in images]
    return float(
        torch.tensor(
            [(a - b).abs().max() if a.shape == b.shape else math.inf for a, b in outputs]
        ).max()
    )


def tile_padding(weights: Weights, analytic: int) -> int:
    """Low-resolution pixels around a tile that suffice, as far as they were measured."""
    measured = weights.metadata.measured_receptive_field
    return min(analytic, MAX_ANALYTIC if measured is None else measured)


def complete_metadata(weights: Weights, log: Log) -> Weights:
    """`weights` with the measured receptive field and padding in its metadata.

    The field is measured only where the theoretical one is above MAX_ANALYTIC: it may take
    minutes, which is logged. Returns `weights` itself where nothing is missing.
    """
    network, metadata = load_generator(weights), weights.metadata
    analytic = int(network.receptive_field)  # type: ignore[arg-type]
    enough = analytic <= MAX_ANALYTIC or metadata.measured_receptive_field is not None
    if enough and metadata.reflect_padding is not None:
        return weights
    if not enough:
        log(f"measuring the receptive field (at most {analytic} pixels): may take minutes")
        metadata = replace(metadata, measured_receptive_field=measure_receptive_field(network))
    return replace(weights, metadata=replace(metadata, reflect_padding=measure_padding(network)))


def measure_padding(network: nn.Module) -> int:
    """Low-resolution pixels of reflection padding at an image's edges that suffice.

    0 for a network that keeps plain colors at the edges without: convolutions pad with zeros in
    training, so a network knows an image's end by them, and is more accurate there than with a
    reflection (by .03 to .05 dB in a border of 8 pixels, as measured on ours).
    """
    if _plain_border_error(network) <= PADDING_TOLERANCE:
        return 0
    return measure_receptive_field(network, PADDING_TOLERANCE)


@torch.inference_mode()
def _plain_border_error(network: nn.Module) -> float:
    """The mean error in the border of images of one color, of the worst color, in 8-bit levels."""
    colors = torch.tensor(PLAIN_COLORS)[..., None, None]  # (N, 3, 1, 1)
    outputs = network(colors.expand(-1, -1, PLAIN_SIDE, PLAIN_SIDE).contiguous())
    errors = ((outputs.clamp(0, 1) - colors) * 255).round().abs().mean(dim=1)  # (N, S, S)
    border = PLAIN_BORDER * int(network.scale)  # type: ignore[arg-type]
    is_border = torch.ones_like(errors[0], dtype=torch.bool)
    is_border[border:-border, border:-border] = False
    return float(errors[:, is_border].mean(dim=1).max())


def complete_file(path: Path, log: Log) -> None:
    """Complete the metadata of our weights file at `path`: see `complete_metadata`."""
    change_weights_file(path, lambda weights: complete_metadata(weights, log))

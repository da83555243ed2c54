"""Ranges of activations for int8, recorded in weights files or measured on a built-in image."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from srgan_cli.errors import WeightsError
from srgan_cli.networks.fast import Fast
from srgan_cli.networks.int8 import (
    WEIGHT_LEVELS,
    Int8Fast,
    Range,
    int8_layers,
    int8_problem,
    measure_ranges,
    weight_levels,
)
from srgan_cli.weights.container import Weights, read_weights, write_weights
from srgan_cli.weights.loading import load_generator
from srgan_cli.weights.measured_field import pattern_image
from srgan_cli.weights.metadata import MAX_ACTIVATION

SIDE = 48
"""Of the image on which activations are measured, in low-resolution pixels."""

MAX_PSNR = 100.0
"""dB, for outputs that do not differ."""


def calibrate(network: nn.Module, images: Sequence[Tensor] = ()) -> list[Range]:
    """Ranges on `images`, or on the built-in one where there are none.

    network: a `Fast`. images: (1, 3, H, W) in [0, 1]. Raises WeightsError for a network that
    overflows.
    """
    assert isinstance(network, Fast)
    seen = images or [torch.from_numpy(pattern_image(SIDE))[None]]
    ranges = measure_ranges(
        network, [image.contiguous(memory_format=torch.channels_last) for image in seen]
    )
    if not all(abs(value) < MAX_ACTIVATION for pair in ranges for value in pair):
        raise WeightsError("the network makes values that are not numbers: its weights are bad")
    return ranges


def recorded_ranges(weights: Weights, network: nn.Module) -> Sequence[Range] | None:
    """None if the file has none, or those of other layers, as other versions ran in int8.

    network: its `Fast`.
    """
    assert isinstance(network, Fast)
    ranges = weights.metadata.activation_ranges
    return ranges if ranges and len(ranges) == len(int8_layers(network)) else None


def recorded_psnr(weights: Weights, network: nn.Module) -> float | None:
    """Of int8, in dB from float32; None if the file has none, or one of other layers."""
    metadata = weights.metadata
    if metadata.activation_ranges is None or not isinstance(network, Fast):
        return metadata.int8_psnr
    return metadata.int8_psnr if recorded_ranges(weights, network) else None


def complete_ranges(weights: Weights, images: Sequence[Tensor] = ()) -> Weights:
    """`weights` with activation ranges in its metadata, and the PSNR of int8 on `images`.

    images: (1, 3, H, W) in [0, 1], for instance validation crops; without any the built-in image
    gives the ranges, no PSNR is recorded, and `--precision auto` does not take int8. Returns
    `weights` itself for networks that cannot run in int8, and where nothing is missing.
    """
    metadata, network = weights.metadata, load_generator(weights)
    if not isinstance(network, Fast):
        return weights
    ranges = recorded_ranges(weights, network) or calibrate(network, images)
    psnr = recorded_psnr(weights, network)
    if psnr is None and images and int8_problem(network) is None:
        psnr = int8_psnr(network, ranges, images)
    if (tuple(ranges), psnr) == (metadata.activation_ranges, metadata.int8_psnr):
        return weights
    return replace(
        weights, metadata=replace(metadata, activation_ranges=tuple(ranges), int8_psnr=psnr)
    )


def measure_int8(weights: Weights, images: Sequence[Tensor]) -> Weights:
    """As `complete_ranges`, of whatever the metadata has about int8 already."""
    unknown = replace(weights.metadata, activation_ranges=None, int8_psnr=None)
    return complete_ranges(replace(weights, metadata=unknown), images)


def complete_ranges_of_file(path: Path, images: Sequence[Tensor] = ()) -> None:
    """Complete the metadata of our weights file at `path`: see `complete_ranges`."""
    weights = read_weights(path)
    completed = complete_ranges(weights, images)
    if completed is not weights:
        write_weights(completed, path)


@torch.inference_mode()
def int8_psnr(network: Fast, ranges: Sequence[Range], images: Sequence[Tensor]) -> float | None:
    """dB of all outputs together from those in float32, where sums are exact; else None."""
    if weight_levels() != WEIGHT_LEVELS:
        return None
    quantized = Int8Fast(network, ranges, torch.float32, WEIGHT_LEVELS)
    errors = [_squared_error(network, quantized, image) for image in images]
    error = sum(errors) / len(errors)
    return min(MAX_PSNR, -10 * math.log10(error)) if error else MAX_PSNR


def _squared_error(network: nn.Module, quantized: nn.Module, image: Tensor) -> float:
    difference = network(image).clamp(0, 1) - quantized(image).clamp(0, 1)
    return float(difference.square().mean())

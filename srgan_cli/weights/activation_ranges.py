"""How networks run in int8: recorded in weights files, or measured on a built-in image."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from srgan_cli.errors import WeightsError
from srgan_cli.networks import calibration as measured
from srgan_cli.networks.calibration import KEPT_RANGES, MIN_PSNR, Calibration, int8_layers
from srgan_cli.networks.fast import Fast
from srgan_cli.networks.int8 import Int8Fast, int8_problem
from srgan_cli.weights.container import Weights, change_weights_file
from srgan_cli.weights.loading import load_generator
from srgan_cli.weights.measured_field import output_psnr, pattern_image
from srgan_cli.weights.metadata import MAX_NUMBER, without_int8

SIDE = 48
"""Of the image on which activations are measured, in low-resolution pixels."""

PARTS = 6
"""Images of whose corners, SIDE x SIDE, each layer's share of the error is measured."""

MAX_FLOAT_LAYERS = 12
"""Each of them costs 2 to 3 % of the network's time."""


def calibrate(
    network: nn.Module, images: Sequence[Tensor] = (), kept: float = KEPT_RANGES[0]
) -> Calibration:
    """Measured on `images`, or on the built-in one where there are none; nothing stays in floats.

    network: a `Fast`. images: (1, 3, H, W) in [0, 1]. kept: share of the ranges. Raises
    WeightsError for a network that overflows.
    """
    assert isinstance(network, Fast)
    seen = images or [torch.from_numpy(pattern_image(SIDE))[None]]
    made = measured.calibrate(
        network, [image.contiguous(memory_format=torch.channels_last) for image in seen], kept
    )
    numbers = [value for row in (*made.ranges, *made.scales) for value in row]
    if not all(abs(value) < MAX_NUMBER for value in numbers):
        raise WeightsError("the network makes values that are not numbers: its weights are bad")
    return made


def recorded_calibration(weights: Weights, network: nn.Module) -> Calibration | None:
    """None if the file has none, or that of an earlier version, which ran other layers in int8.

    network: its `Fast`.
    """
    assert isinstance(network, Fast)
    metadata = weights.metadata
    if metadata.activation_ranges is None or metadata.channel_scales is None:
        return None
    floats = frozenset(metadata.float_layers)
    recorded = Calibration(metadata.activation_ranges, metadata.channel_scales, floats)
    return recorded if recorded.fits(network) else None


def recorded_psnr(weights: Weights, network: nn.Module) -> float | None:
    """Of int8, in dB from float32. None if the file has none, or one of other layers."""
    metadata = weights.metadata
    of_other_layers = (
        metadata.activation_ranges is not None
        and isinstance(network, Fast)
        and recorded_calibration(weights, network) is None
    )
    return None if of_other_layers else metadata.int8_psnr


def complete_ranges(weights: Weights, images: Sequence[Tensor] = ()) -> Weights:
    """`weights` whose metadata says how it runs in int8, and the PSNR of that on `images`.

    images: (1, 3, H, W) in [0, 1], for instance validation crops; without any the built-in image
    is measured, no PSNR is recorded, and `--precision auto` does not take int8. Returns
    `weights` itself for networks that cannot run in int8, and where nothing is missing.
    """
    network = load_generator(weights)
    if not isinstance(network, Fast):
        return weights
    recorded = recorded_calibration(weights, network)
    if recorded is not None and (not images or recorded_psnr(weights, network) is not None):
        return weights
    made = _measured(weights, network, recorded or _best_calibration(network, images), images)
    return weights if made.metadata == weights.metadata else made


def measure_int8(weights: Weights, images: Sequence[Tensor]) -> Weights:
    """As `complete_ranges`, but measured anew.

    A recorded calibration, which may have been trained, is kept where it is better.
    """
    network = load_generator(weights)
    unknown = replace(weights, metadata=without_int8(weights.metadata))
    if not isinstance(network, Fast):
        return unknown
    recorded = recorded_calibration(weights, network)
    return _measured(unknown, network, _best_calibration(network, images, recorded), images)


def complete_ranges_of_file(path: Path, images: Sequence[Tensor] = ()) -> None:
    """Complete the metadata of our weights file at `path`: see `complete_ranges`."""
    change_weights_file(path, lambda weights: complete_ranges(weights, images))


def _best_calibration(
    network: Fast, images: Sequence[Tensor], recorded: Calibration | None = None
) -> Calibration:
    """Of those measured on `images`, and the recorded one, that with the highest PSNR on them.

    With nothing in floats. Without images, or int8, a single one is measured.
    """
    if not images or int8_problem(network) is not None:
        return calibrate(network, images)
    options = [calibrate(network, images, kept) for kept in KEPT_RANGES]
    if recorded is not None:
        options.append(replace(recorded, floats=frozenset()))
    expected = _outputs(network, images)
    return max(options, key=lambda one: int8_psnr(network, one, images, expected))


def _measured(
    weights: Weights, network: Fast, calibration: Calibration, images: Sequence[Tensor]
) -> Weights:
    """With the calibration, and its PSNR if it can be measured here."""
    psnr: float | None = None
    if images and int8_problem(network) is None:
        calibration, psnr = _with_floats(network, calibration, images)
    metadata = replace(
        weights.metadata,
        activation_ranges=calibration.ranges,
        channel_scales=calibration.scales,
        float_layers=tuple(sorted(calibration.floats)),
        int8_psnr=psnr,
    )
    return replace(weights, metadata=metadata)


@torch.inference_mode()
def _outputs(network: nn.Module, images: Sequence[Tensor]) -> list[Tensor]:
    return [network(image) for image in images]


@torch.inference_mode()
def int8_psnr(
    network: Fast,
    calibration: Calibration,
    images: Sequence[Tensor],
    expected: Sequence[Tensor],
) -> float:
    """dB of all outputs together from `expected`, those in float32."""
    quantized = Int8Fast(network, calibration, torch.float32)
    return output_psnr(map(quantized, images), expected)


def _with_floats(
    network: Fast, calibration: Calibration, images: Sequence[Tensor]
) -> tuple[Calibration, float]:
    """With as many convolutions in floats as MIN_PSNR takes, those that cost most first.

    And its PSNR.
    """
    expected = _outputs(network, images)
    psnr = int8_psnr(network, calibration, images, expected)
    if psnr >= MIN_PSNR:
        return calibration, psnr
    for layer in _by_psnr(network, calibration, images)[:MAX_FLOAT_LAYERS]:
        calibration = replace(calibration, floats=calibration.floats | {layer})
        psnr = int8_psnr(network, calibration, images, expected)
        if psnr >= MIN_PSNR:
            break
    return calibration, psnr


def _by_psnr(network: Fast, calibration: Calibration, images: Sequence[Tensor]) -> list[int]:
    """The body's convolutions, first that which alone in int8 costs most, on parts of `images`."""
    parts = [image[..., :SIDE, :SIDE] for image in images[:PARTS]]
    expected = _outputs(network, parts)
    body = set(range(len(int8_layers(network)) - len(network.up)))

    def psnr(layer: int) -> float:
        others = frozenset(body - {layer})
        return int8_psnr(network, replace(calibration, floats=others), parts, expected)

    return sorted(body, key=psnr)

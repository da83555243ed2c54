"""What the int8 stage has of its own: network, precision, and how its file is quantized."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from srgan_cli.device import pick_precision
from srgan_cli.networks.fast import Fast
from srgan_cli.networks.quantization_aware import QuantizationAware, round_weights_
from srgan_cli.training.stages import Stage
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.weights.activation_ranges import calibrate
from srgan_cli.weights.container import Weights
from srgan_cli.weights.loading import load_generator


def stage_precision(options: TrainOptions, stage: Stage, device: torch.device) -> torch.dtype:
    return pick_precision("fp32" if stage.full_precision else options.precision, device)


def stage_network(weights: Weights, stage: Stage, low_res: Sequence[Tensor] = ()) -> nn.Module:
    """The network that a stage trains, with the parameters of `weights`.

    low_res: (1, 3, H, W), images that it is calibrated on for int8; none: a built-in one.
    """
    network = load_generator(weights)
    if stage.end != "int8":
        return network
    assert isinstance(network, Fast)
    return QuantizationAware(network, calibrate(network, low_res))


def with_network(weights: Weights, network: nn.Module) -> Weights:
    """`weights` with the parameters of a trained network, and how it runs in int8 if it says so."""
    if not isinstance(network, QuantizationAware):
        return replace(weights, state=network.state_dict())
    calibration = network.calibration()
    rounded = copy.deepcopy(network.network)
    round_weights_(rounded, calibration)
    metadata = replace(
        weights.metadata,
        activation_ranges=calibration.ranges,
        channel_scales=calibration.scales,
    )
    return replace(weights, state=rounded.state_dict(), metadata=metadata)

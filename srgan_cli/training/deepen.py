"""Deepens a network without changing its function.

Chen et al., "Net2Net: Accelerating Learning via Knowledge Transfer", section 2.3,
https://arxiv.org/abs/1511.05641. New layers follow the existing ones and begin as
identities.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import nn

from srgan_cli.networks.fast import Fast
from srgan_cli.networks.layers import zero_init_
from srgan_cli.networks.rrdbnet import RESIDUAL_SCALE, RRDB, ResidualDenseBlock, RRDBNet
from srgan_cli.networks.srresnet import ResidualBlock, SRResNet
from srgan_cli.networks.vdsr import VDSR
from srgan_cli.training.recipes import depth_name
from srgan_cli.weights.container import Weights
from srgan_cli.weights.generators import State, build_generator
from srgan_cli.weights.metadata import Metadata


def can_deepen(given: Weights) -> bool:
    return given.architecture in DEEPEN_FUNCTIONS and depth_name(given.hyperparameters) is not None


def deepen_network(given: Weights, depth: int, lineage: str) -> Weights:
    """The same function with more blocks (layers of a VDSR). It gets a new lineage: networks of
    different depth cannot be blended.
    """
    name = depth_name(given.hyperparameters)
    assert name is not None
    before = given.hyperparameters[name]
    sizes = {**given.hyperparameters, name: depth}
    network = build_generator(given.architecture, sizes)
    with torch.no_grad():
        DEEPEN_FUNCTIONS[given.architecture](network, given.state, before)
    metadata = Metadata(scale=given.metadata.scale, lineage=lineage)
    return replace(given, hyperparameters=sizes, state=network.state_dict(), metadata=metadata)


def deepen_fast(network: nn.Module, state: State, before: int) -> None:
    assert isinstance(network, Fast)
    network.load_state_dict(state, strict=False)
    for block in network.residual_blocks[before:]:
        zero_init_(block.conv2)


def deepen_srresnet(network: nn.Module, state: State, before: int) -> None:
    assert isinstance(network, SRResNet)
    network.load_state_dict(state, strict=False)
    for block in list(network.body)[before:]:
        assert isinstance(block, ResidualBlock)
        zero_init_(block.norm2 if isinstance(block.norm2, nn.BatchNorm2d) else block.conv2)


def deepen_rrdbnet(network: nn.Module, state: State, before: int) -> None:
    """A block adds a fifth of its dense blocks' output, which is at least their input: new
    blocks scale it by 1.2, which the convolution behind them divides by again."""
    assert isinstance(network, RRDBNet)
    network.load_state_dict(state, strict=False)
    for block in list(network.body)[before:]:
        assert isinstance(block, RRDB)
        for dense in (block.rdb1, block.rdb2, block.rdb3):
            assert isinstance(dense, ResidualDenseBlock)
            zero_init_(dense.conv5)
        network.conv_body.weight /= 1 + RESIDUAL_SCALE


def deepen_vdsr(network: nn.Module, state: State, before: int) -> None:
    """Identity convolutions: after a ReLU, another one changes nothing."""
    assert isinstance(network, VDSR)
    last, new_last = f"layers.{before - 1}.", f"layers.{len(network.layers) - 1}."
    moved = {name.replace(last, new_last): values for name, values in state.items()}
    network.load_state_dict(moved, strict=False)
    for layer in list(network.layers)[before - 1 : -1]:
        assert isinstance(layer, nn.Conv2d)
        zero_init_(layer)
        nn.init.dirac_(layer.weight)


DEEPEN_FUNCTIONS: Mapping[str, Callable[[nn.Module, State, int], None]] = {
    "fast": deepen_fast,
    "srresnet": deepen_srresnet,
    "rrdbnet": deepen_rrdbnet,
    "vdsr": deepen_vdsr,
}

"""Changes of a trained network that keep its function: more layers, and new silent channels.

Chen et al., "Net2Net: Accelerating Learning via Knowledge Transfer", section 2.3,
https://arxiv.org/abs/1511.05641. New layers follow the existing ones and begin as
identities. Silent channels are those that are positive on almost no pixel; after a ReLU they also
get no gradient. They are reinitialized when a trained body is copied into a network with another
activation.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from srgan_cli.networks.fast import Fast
from srgan_cli.networks.layers import zero_init_
from srgan_cli.networks.rrdbnet import RESIDUAL_SCALE, RRDB, ResidualDenseBlock, RRDBNet
from srgan_cli.networks.srresnet import ResidualBlock, SRResNet
from srgan_cli.networks.vdsr import VDSR
from srgan_cli.training.recipes import depth_name
from srgan_cli.training.validation import Sample
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
    if widths := given.hyperparameters.get("middle"):  # of a pruned network; new blocks are whole
        sizes["middle"] = [*widths, *[given.hyperparameters["features"]] * (depth - before)]
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


ACTIVE_SHARE = 0.002
"""Channels that are positive on a smaller share of pixels are silent."""

IMAGES = 6


def silent_share(network: nn.Module, samples: Sequence[Sample]) -> float | None:
    """The share of silent channels over all blocks; None for networks without blocks."""
    rates = active_shares(network, samples)
    return float((torch.cat(rates) < ACTIVE_SHARE).float().mean()) if rates else None


@torch.no_grad()
def active_shares(network: nn.Module, samples: Sequence[Sample]) -> list[Tensor]:
    """The share of pixels on which each channel is positive, for every block."""
    if not isinstance(network, Fast):
        return []
    blocks = network.residual_blocks
    found: list[list[Tensor]] = [[] for _ in blocks]
    device = next(network.parameters()).device

    def record_to(rates: list[Tensor]) -> object:
        return lambda module, inputs, output: rates.append((output > 0).float().mean((0, 2, 3)))

    hooks = [
        block.activation.register_forward_hook(record_to(rates))  # type: ignore[arg-type]
        for block, rates in zip(blocks, found, strict=True)
    ]
    try:
        for sample in samples[:IMAGES]:
            network(sample.low_res.to(device))
    finally:
        for hook in hooks:
            hook.remove()
    return [torch.stack(rates).mean(dim=0).cpu() for rates in found]


@torch.no_grad()
def reinit_silent_(network: nn.Module, samples: Sequence[Sample]) -> int:
    """Reinitialize silent channels of a body trained with ReLU. Returns how many.

    Their rows get the layer's median norm, their columns in the next layer are zero, so that the
    network's output does not change.
    """
    assert isinstance(network, Fast)
    with _with_relu(network):
        rates = active_shares(network, samples)
    for block, rate in zip(network.residual_blocks, rates, strict=True):
        silent = (rate < ACTIVE_SHARE).to(block.conv1.weight.device)
        weight = block.conv1.weight
        rows = torch.randn_like(weight[silent])
        norms = weight.flatten(1).norm(dim=1)
        typical = norms[~silent].median() if not silent.all() else norms.new_tensor(1.0)
        weight[silent] = rows / rows.flatten(1).norm(dim=1).view(-1, 1, 1, 1) * typical
        if block.conv1.bias is not None:
            block.conv1.bias[silent] = 0
        block.conv2.weight[:, silent] = 0
    return int(sum((rate < ACTIVE_SHARE).sum() for rate in rates))


@contextmanager
def _with_relu(network: Fast) -> Iterator[None]:
    """With ReLU in place of each LeakyReLU."""
    activations = [
        b.activation for b in network.residual_blocks if isinstance(b.activation, nn.LeakyReLU)
    ]
    slopes = [activation.negative_slope for activation in activations]
    for activation in activations:
        activation.negative_slope = 0.0
    try:
        yield
    finally:
        for activation, slope in zip(activations, slopes, strict=True):
            activation.negative_slope = slope

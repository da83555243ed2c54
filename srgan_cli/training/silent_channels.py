"""Finds and reinitializes dead channels: those that are positive on almost no pixel.

After a ReLU they also get no gradient. Reinitialized when a trained body is copied into a network
with another activation.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from srgan_cli.networks.fast import Fast
from srgan_cli.training.validation import Sample

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

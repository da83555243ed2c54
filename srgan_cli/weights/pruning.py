"""Channels inside blocks that are always zero, and the same network without them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from srgan_cli.errors import WeightsError
from srgan_cli.networks.fast import Fast
from srgan_cli.weights.container import Weights
from srgan_cli.weights.loading import load_generator
from srgan_cli.weights.measured_field import output_psnr, pattern_image

MULTIPLE = 16
"""Blocks keep a multiple of so many channels: processors compute other numbers no faster."""

SIDE, RUNS = 128, 3
"""Side of the built-in image, and how often networks are timed on it."""


@dataclass(frozen=True)
class Pruning:
    """removed: channels, of `channels` in all blocks. always_zero: those of any input.

    psnr: dB from the original network, on the images given or on the built-in one. speedup: the
    original's CPU time over the pruned network's, in float32.
    """

    weights: Weights
    removed: int
    always_zero: int
    channels: int
    psnr: float
    speedup: float


@torch.inference_mode()
def prune(weights: Weights, images: Sequence[Tensor] = ()) -> Pruning:
    """Remove channels that are zero for every input in [0, 1], or on all of `images`.

    images: (1, 3, H, W) in [0, 1]; none: only the former. Raises WeightsError for networks of other
    kinds than `fast`.
    """
    network = load_generator(weights)
    if not isinstance(network, Fast):
        raise WeightsError(f"--prune is for networks of the kind fast, not {weights.architecture}")
    always = always_zero(network)
    zero = [a | b for a, b in zip(always, measured_zeros(network, images), strict=True)]
    kept = [_kept(channels) for channels in zero]
    pruned = _without(weights, kept)
    channels = sum(map(len, zero))
    removed = channels - sum(map(len, kept))
    smaller, seen = load_generator(pruned), images or [_built_in()]
    psnr = output_psnr(map(smaller, seen), map(network, seen))
    return Pruning(
        _recorded(pruned, removed, psnr),
        removed,
        sum(int(one.sum()) for one in always),
        channels,
        psnr,
        _seconds(network) / _seconds(smaller) if removed else 1.0,
    )


def always_zero(network: Fast) -> list[Tensor]:
    """For each block, which channels behind its activation no input in [0, 1] makes nonzero.

    By interval bounds: (channels,) booleans.
    """
    low, high = _bounds(network.head, torch.zeros(3), torch.ones(3))
    found = []
    for block in network.residual_blocks:
        inner_low, inner_high = (
            block.activation(bound) for bound in _bounds(block.conv1, low, high)
        )
        found.append((inner_low == 0) & (inner_high == 0))
        added_low, added_high = _bounds(block.conv2, inner_low, inner_high)
        low, high = low + added_low, high + added_high
    return found


def _bounds(layer: nn.Conv2d, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """(inputs,) -> (outputs,): limits of each channel. Zeros are padded around the input."""
    low, high = low.clamp(max=0), high.clamp(min=0)
    positive = layer.weight.clamp(min=0).sum(dim=(2, 3))
    negative = layer.weight.clamp(max=0).sum(dim=(2, 3))
    bias = 0.0 if layer.bias is None else layer.bias
    return positive @ low + negative @ high + bias, positive @ high + negative @ low + bias


def measured_zeros(network: Fast, images: Sequence[Tensor]) -> list[Tensor]:
    """For each block, which channels behind its activation are zero on all of `images`."""
    blocks = network.residual_blocks
    zero = [torch.full((block.conv1.out_channels,), bool(images)) for block in blocks]
    for image in images:
        x = network.head(image)
        for block, channels in zip(blocks, zero, strict=True):
            channels &= ~block.activation(block.conv1(x)).any(dim=3).any(dim=2).any(dim=0)
            x = block(x)
    return zero


def _kept(zero: Tensor) -> Tensor:
    """Indices of the others, and of zeros up to a multiple of MULTIPLE, as far as there are any."""
    order = zero.to(torch.uint8).argsort(stable=True)  # the others first
    least = max(1, int((~zero).sum()))
    return order[: -(-least // MULTIPLE) * MULTIPLE].sort().values


def _without(weights: Weights, kept: Sequence[Tensor]) -> Weights:
    state = dict(weights.state)
    for number, channels in enumerate(kept):
        name = f"body.{number}"
        for part in ("conv1.weight", "conv1.bias"):
            state[f"{name}.{part}"] = state[f"{name}.{part}"][channels]
        state[f"{name}.conv2.weight"] = state[f"{name}.conv2.weight"][:, channels]
    middle = [len(channels) for channels in kept]
    return replace(
        weights, hyperparameters={**weights.hyperparameters, "middle": middle}, state=state
    )


def _recorded(weights: Weights, removed: int, psnr: float) -> Weights:
    """Figures were the original's."""
    record = dict(weights.metadata.training) | {"pruned": {"channels": removed, "psnr": psnr}}
    return replace(weights, metadata=replace(weights.metadata, training=record, figures={}))


def _built_in() -> Tensor:
    return torch.from_numpy(pattern_image(SIDE))[None]


def _seconds(network: nn.Module) -> float:
    """CPU time of the quickest of some runs, after one that is not timed."""
    image = _built_in().contiguous(memory_format=torch.channels_last)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network(image)
    seconds = []
    for _ in range(RUNS):
        start = time.process_time()
        network(image)
        seconds.append(time.process_time() - start)
    return min(seconds)

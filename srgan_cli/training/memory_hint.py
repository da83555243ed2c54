"""What to ask for instead where a device has too little memory."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from srgan_cli.device import pick_precision
from srgan_cli.training.data import batch_size, patch_side
from srgan_cli.training.feature_extractors import LoadedVgg
from srgan_cli.training.memory_estimate import MemoryEstimate, estimate_memory, stage_networks
from srgan_cli.training.recipes import Stage
from srgan_cli.training.train_options import TrainOptions

SHARE = 0.85
"""Of a device's memory that an estimate may fill: convolutions' workspaces need the rest."""


@dataclass(frozen=True)
class MemoryRequest:
    """What did not fit on a device."""

    device: torch.device
    size: int
    """The batch, of all processes together."""
    accumulate: int
    side: int
    """Of a patch, in high-resolution pixels."""
    scale: int
    processes: int = 1


def memory_request(
    options: TrainOptions, stage: Stage, device: torch.device, processes: int
) -> MemoryRequest:
    size, side = batch_size(options, stage), patch_side(options, stage)
    return MemoryRequest(device, size, options.accumulate, side, options.scale, processes)


def stage_memory(
    options: TrainOptions, stage: Stage, vggs: Sequence[LoadedVgg], device: torch.device
) -> MemoryEstimate:
    dtype = pick_precision(options.precision, device)
    networks = stage_networks(options, stage, vggs)
    return estimate_memory(networks, patch_side(options, stage), options.scale, dtype)


def memory_hint(what: MemoryRequest, estimate: MemoryEstimate, available: float) -> str:
    """Steps as large in the `available` bytes; if they are unknown, infinite, half the batch."""
    limit = SHARE * available
    fits = [
        part
        for part in range(what.processes, what.size // 2 + 1, what.processes)
        if what.size % part == 0 and estimate.of(part // what.processes) <= limit
    ]
    if not fits:
        return (
            f"not enough memory on {what.device} for one patch: {_smaller(what, estimate, limit)}"
        )
    times = what.size // fits[-1] * what.accumulate
    size = estimate.of(fits[-1] // what.processes) / 1e9
    return (
        f"not enough memory on {what.device} for batches of {what.size}: a run with --batch-size "
        f"{fits[-1]} --accumulate {times} makes steps as large in about {size:.1f} GB"
    )


def _smaller(what: MemoryRequest, estimate: MemoryEstimate, limit: float) -> str:
    """What a patch keeps grows with its area."""
    if estimate.fixed > limit:
        size = estimate.fixed / 1e9
        return f"the networks alone take {size:.1f} GB: take fewer --blocks or another --device"
    side = what.side * math.sqrt((limit - estimate.fixed) / estimate.sample)
    if side >= what.side:  # the estimate was too low, or there is none of the device
        side = what.side / 2
    return f"take a smaller --patch, {max(1, int(side) // what.scale) * what.scale}"

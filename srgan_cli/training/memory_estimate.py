"""Estimates the memory that a training stage takes, from its networks on the meta device."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from srgan_cli.training.builder import build_discriminator
from srgan_cli.training.distillation import effective_teacher_weight, load_teachers
from srgan_cli.training.feature_extractors import LoadedVgg, perceptual_loss, perceptual_terms
from srgan_cli.training.initial_weights import starting_weights
from srgan_cli.training.int8_stage import stage_network, stage_precision
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.stages import Stage
from srgan_cli.training.train_options import TrainOptions, smallest_patch
from srgan_cli.weights.loading import load_generator

COPIES = 4
"""Weights, gradient and Adam's two moments of a trained network."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes."""

    fixed: float
    """Weights, gradients, optimizer state and EMA."""
    sample: float
    """Activations of one sample."""

    def of(self, size: int) -> float:
        """Bytes for a batch of `size` on one device."""
        return self.fixed + self.sample * size


def available_bytes(device: torch.device) -> float:
    """Bytes that this process has or can have; infinite where the device does not tell."""
    if device.type != "cuda":
        return float("inf")
    return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)


def weight_bytes(network: nn.Module) -> int:
    return sum(p.numel() * p.element_size() for p in network.parameters())


def saved_tensor_bytes(networks: list[nn.Module], compute: Callable[[], Any]) -> int:
    """Bytes that autograd saves in `compute()` for the backward pass, without weights.

    On the meta device nothing is computed.
    """
    weights = {_storage_id(p) for network in networks for p in network.parameters()}
    sizes: dict[int, int] = {}
    alive: list[Tensor] = []  # a place is only unique while its tensor lives

    def pack(tensor: Tensor) -> Tensor:
        if _storage_id(tensor) not in weights:
            sizes[_storage_id(tensor)] = tensor.untyped_storage().nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        compute()
    return sum(sizes.values())


def _storage_id(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


@dataclass(frozen=True, eq=False)
class StageNetworks:
    """The networks of a stage, on the meta device."""

    generator: nn.Module
    discriminator: nn.Module | None
    perceptual: nn.Module | None
    """A PerceptualLoss."""
    teachers: Sequence[nn.Module] = ()

    @property
    def all(self) -> list[nn.Module]:
        return [n for n in (self.generator, self.discriminator, self.perceptual) if n is not None]


def stage_networks(options: TrainOptions, stage: Stage, vggs: Sequence[LoadedVgg]) -> StageNetworks:
    recipe = RECIPES[options.recipe]
    weights = starting_weights(options, recipe)
    generator = stage_network(weights, stage).to("meta")
    discriminator = build_discriminator(stage.gan).to("meta") if stage.gan else None
    terms = perceptual_terms(stage)
    perceptual = perceptual_loss(vggs, terms[0]).to("meta") if terms else None
    runs_teachers = effective_teacher_weight(options, stage) and options.pool is None
    teacher_weights = load_teachers(options) if runs_teachers else []
    teachers = [load_generator(weights).to("meta") for weights in teacher_weights]
    return StageNetworks(generator, discriminator, perceptual, teachers)


def estimate_memory(
    networks: StageNetworks, side: int, scale: int, dtype: torch.dtype
) -> MemoryEstimate:
    """Estimate of a training step with patches of `side` pixels."""
    low_res = torch.zeros(1, 3, side // scale, side // scale, device="meta")
    high_res = torch.zeros(1, 3, side, side, device="meta")

    def compute() -> None:
        generated = networks.generator(low_res)
        if networks.discriminator is not None:
            (
                networks.discriminator(generated),
                networks.discriminator(high_res),
                networks.discriminator(generated.detach()),
            )
        if networks.perceptual is not None:
            networks.perceptual(generated, high_res)

    networks.generator.train()
    sample = saved_tensor_bytes(networks.all, compute) * dtype.itemsize / 4
    optimized = [n for n in (networks.generator, networks.discriminator) if n is not None]
    fixed = sum(weight_bytes(network) * COPIES for network in optimized)
    fixed += weight_bytes(networks.generator)  # the running average
    fixed += weight_bytes(networks.perceptual) if networks.perceptual is not None else 0
    fixed += sum(map(weight_bytes, networks.teachers))
    return MemoryEstimate(fixed, sample)


SHARE = 0.85
"""Share of a device's memory that an estimate may fill: workspaces need the rest."""


@dataclass(frozen=True)
class MemoryRequest:
    """A step that did not fit on a device."""

    device: torch.device
    size: int
    """The batch, of all processes together."""
    accumulate: int
    side: int
    """Side of a patch, in high-resolution pixels."""
    scale: int
    processes: int = 1


def stage_memory(
    options: TrainOptions, stage: Stage, vggs: Sequence[LoadedVgg], device: torch.device
) -> MemoryEstimate:
    dtype = stage_precision(options, stage, device)
    networks = stage_networks(options, stage, vggs)
    return estimate_memory(networks, stage.patch, options.scale, dtype)


def memory_hint(request: MemoryRequest, estimate: MemoryEstimate, available: float) -> str:
    """Options with an equal effective batch size that fit into `available` bytes; half the batch
    where these are infinite, as of a device that does not tell.
    """
    limit = SHARE * available
    fits = [
        part
        for part in range(request.processes, request.size // 2 + 1, request.processes)
        if request.size % part == 0 and estimate.of(part // request.processes) <= limit
    ]
    if not fits:
        hint = _smaller_patch(request, estimate, limit)
        return f"not enough memory on {request.device} for one patch: {hint}"
    times = request.size // fits[-1] * request.accumulate
    size = estimate.of(fits[-1] // request.processes) / 1e9
    return (
        f"not enough memory on {request.device} for batches of {request.size}: a run with "
        f"--batch-size {fits[-1]} --accumulate {times} makes steps as large in about {size:.1f} GB"
    )


def _smaller_patch(request: MemoryRequest, estimate: MemoryEstimate, limit: float) -> str:
    """The memory of a patch is proportional to its area."""
    if estimate.fixed > limit:
        size = estimate.fixed / 1e9
        return f"the networks alone take {size:.1f} GB: take fewer --blocks or another --device"
    side = request.side * math.sqrt((limit - estimate.fixed) / estimate.sample)
    if side >= request.side:  # the estimate was too low, or there is none of the device
        side = request.side / 2
    if side < smallest_patch(request.scale):
        return "take fewer --blocks or another --device"
    return f"take a smaller --patch, {int(side) // request.scale * request.scale}"

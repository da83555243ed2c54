"""Estimates the memory that a training stage takes, from its networks on the meta device."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from srgan_cli.training.builder import build_discriminator
from srgan_cli.training.distillation import open_teachers, weight_of_teachers
from srgan_cli.training.feature_extractors import LoadedVgg, perceptual_loss, perceptual_terms
from srgan_cli.training.initial_weights import starting_weights
from srgan_cli.training.recipes import RECIPES, Stage
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.weights.loading import load_generator

COPIES = 4
"""Of a trained network's weights: themselves, the gradient, Adam's two moments."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes."""

    fixed: float
    """Of weights, and of what goes with them."""
    sample: float
    """Of what each sample of a batch keeps."""

    def of(self, size: int) -> float:
        """A batch of that size on one device."""
        return self.fixed + self.sample * size


def available_bytes(device: torch.device) -> float:
    """What this process has or can have; infinite where the device does not tell."""
    if device.type != "cuda":
        return float("inf")
    return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)


def weight_bytes(network: nn.Module) -> int:
    return sum(p.numel() * p.element_size() for p in network.parameters())


def kept_bytes(networks: list[nn.Module], compute: Callable[[], Any]) -> int:
    """What autograd keeps of `compute()` for the backward pass, weights left out.

    With networks on the meta device, where shapes are all there is, nothing is computed.
    """
    weights = {_place(p) for network in networks for p in network.parameters()}
    sizes: dict[int, int] = {}
    alive: list[Tensor] = []  # a place is only unique while its tensor lives

    def pack(tensor: Tensor) -> Tensor:
        if _place(tensor) not in weights:
            sizes[_place(tensor)] = tensor.untyped_storage().nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        compute()
    return sum(sizes.values())


def _place(tensor: Tensor) -> int:
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
    generator = load_generator(weights).to("meta")
    discriminator = build_discriminator(stage.gan).to("meta") if stage.gan else None
    terms = perceptual_terms(stage)
    perceptual = perceptual_loss(vggs, terms[0]).to("meta") if terms else None
    runs_teachers = weight_of_teachers(options, stage) and options.pool is None
    teacher_weights = open_teachers(options) if runs_teachers else []
    teachers = [load_generator(weights).to("meta") for weights in teacher_weights]
    return StageNetworks(generator, discriminator, perceptual, teachers)


def estimate_memory(
    networks: StageNetworks, side: int, scale: int, dtype: torch.dtype
) -> MemoryEstimate:
    """An estimate: weights and what goes with them, and what one sample keeps."""
    low = torch.zeros(1, 3, side // scale, side // scale, device="meta")
    high = torch.zeros(1, 3, side, side, device="meta")

    def compute() -> None:
        made = networks.generator(low)
        if networks.discriminator is not None:
            (
                networks.discriminator(made),
                networks.discriminator(high),
                networks.discriminator(made.detach()),
            )
        if networks.perceptual is not None:
            networks.perceptual(made, high)

    networks.generator.train()
    sample = kept_bytes(networks.all, compute) * dtype.itemsize / 4
    optimized = [n for n in (networks.generator, networks.discriminator) if n is not None]
    fixed = sum(weight_bytes(network) * COPIES for network in optimized)
    fixed += weight_bytes(networks.generator)  # the running average
    fixed += weight_bytes(networks.perceptual) if networks.perceptual is not None else 0
    fixed += sum(map(weight_bytes, networks.teachers))
    return MemoryEstimate(fixed, sample)

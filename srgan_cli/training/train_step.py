"""One optimization step: forward, losses, backward, optimizer."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from srgan_cli.training.distributed import ProcessGroup, gradient_sync, unwrap
from srgan_cli.training.loss_terms import Target
from srgan_cli.training.losses import GanLoss, accuracy
from srgan_cli.training.patches import Pair

Losses = dict[str, float]


@dataclass(frozen=True, eq=False)
class TrainBatch:
    """Images in [0, 1]: low_res (B, 3, H, W), and targets by name, (B, 3, sH, sW)."""

    low_res: Tensor
    targets: dict[Target, Tensor]

    def target(self, name: Target) -> Tensor:
        """The images of that name; without a teacher, "teacher" is the original."""
        return self.targets.get(name, self.targets["original"])


@dataclass(frozen=True)
class Numerics:
    """Device and precision of a step."""

    device: torch.device
    dtype: torch.dtype = torch.float32

    def autocast(self) -> torch.autocast:
        half = self.dtype != torch.float32
        return torch.autocast(self.device.type, self.dtype if half else None, enabled=half)

    def scaler(self) -> torch.amp.GradScaler:
        """Gradient scaler for fp16; disabled in other precisions."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)

    def to_batch(self, pair: Pair) -> TrainBatch:
        targets: dict[Target, Tensor] = {"original": self._to_device(pair["high_res"])}
        if "teacher" in pair:
            targets["teacher"] = self._to_device(pair["teacher"])
        return TrainBatch(self._to_device(pair["low_res"]), targets)

    def _to_device(self, images: Tensor) -> Tensor:
        moved = images.to(self.device, non_blocking=True)
        moved = moved.contiguous(memory_format=torch.channels_last)
        return moved.float().div_(255) if moved.dtype == torch.uint8 else moved


class NonFiniteError(ArithmeticError):
    """A loss or gradient is not finite; the networks are unchanged."""


@dataclass
class OptimizedNetwork:
    """A network and the optimizer of its weights."""

    name: str
    network: nn.Module
    """Wrapped in DistributedDataParallel or not."""
    optimizer: Optimizer
    max_grad_norm: float | None = None
    lr_factor: float = 1.0
    """Its learning rate, as a multiple of the stage's."""

    @property
    def module(self) -> nn.Module:
        return unwrap(self.network)

    def clip_gradient(self) -> bool:
        """Returns whether it is finite."""
        limit = self.max_grad_norm if self.max_grad_norm is not None else float("inf")
        return bool(clip_grad_norm_(self.module.parameters(), limit).isfinite())


@dataclass(frozen=True, eq=False)
class WeightedLoss:
    """A loss term of the recipe, built."""

    name: str
    weight: float
    compute: Callable[[Tensor, Tensor], Tensor]
    target: Target = "original"


@dataclass
class GanObjective:
    """A discriminator, and the loss that it and the generator are trained with."""

    discriminator: OptimizedNetwork
    loss: GanLoss
    weight: float
    target: Target = "original"
    """Which images the discriminator is shown as real."""
    warmup: int = 0
    """First steps, in which the discriminator alone is trained."""

    def generator_loss(self, generated: Tensor, real_logits: Tensor) -> Tensor:
        """real_logits: the discriminator's, of real images. Its weights get no gradient."""
        with frozen(self.discriminator.module):
            fake_logits = self.discriminator.module(generated).float()
        return self.loss.generator(real_logits, fake_logits)


@dataclass
class TrainStep:
    """Everything that changes at each step. Both networks' gradients are computed before it."""

    generator: OptimizedNetwork
    terms: Sequence[WeightedLoss]
    numerics: Numerics
    gan: GanObjective | None = None
    target_networks: Mapping[Target, Callable[[Tensor], Tensor]] = field(default_factory=dict)
    """Each makes a target of low_res."""
    processes: ProcessGroup = field(default_factory=ProcessGroup)

    def __post_init__(self) -> None:
        self.scaler = self.numerics.scaler()

    @property
    def networks(self) -> list[OptimizedNetwork]:
        return [self.generator, *([self.gan.discriminator] if self.gan else [])]

    @property
    def weights(self) -> Losses:
        """Loss term -> its weight in the generator's objective."""
        gan = {} if self.gan is None else {"gan": self.gan.weight}
        return {term.name: term.weight for term in self.terms} | gan

    def __call__(self, pairs: Sequence[Pair]) -> Losses:
        """Step once along the mean gradient of `pairs`. Returns the losses by name.

        Raises NonFiniteError, and leaves everything as it was, where that is not a number.
        """
        for optimized in self.networks:
            optimized.optimizer.zero_grad(set_to_none=True)
        with restore_buffers_on_error([optimized.module for optimized in self.networks]):
            losses = self._mean_losses(pairs)
            self._check_finite(losses)
        for optimized in self.networks:
            self.scaler.step(optimized.optimizer)
        self.scaler.update()
        return losses

    def _mean_losses(self, pairs: Sequence[Pair]) -> Losses:
        """Over all micro-batches and processes; gradients are accumulated."""
        totals: Losses = {}
        for number, pair in enumerate(pairs, start=1):
            last = number == len(pairs)
            losses = self._accumulate(self.numerics.to_batch(pair), 1 / len(pairs), last)
            for name, value in losses.items():
                totals[name] = totals.get(name, 0.0) + value / len(pairs)
        return dict(zip(totals, self.processes.mean(list(totals.values())), strict=True))

    def _accumulate(self, batch: TrainBatch, share: float, last: bool) -> Losses:
        """Forward, losses and backward of one micro-batch, times its share. Returns its losses."""
        with gradient_sync(self.generator.network, last):
            with self.numerics.autocast():
                generated = self.generator.network(batch.low_res).float()
            self._add_targets(batch)
            logged: Losses = {}
            if self.gan is not None:
                real = batch.target(self.gan.target)
                logits, logged = self._accumulate_discriminator(real, generated, share, last)
            with self.numerics.autocast():
                losses = {t.name: t.compute(generated, batch.target(t.target)) for t in self.terms}
                if self.gan is not None:
                    losses["gan"] = self.gan.generator_loss(generated, logits)
            total = torch.stack([self.weights[name] * losses[name] for name in losses]).sum()
            self.scaler.scale(total * share).backward()
        return {name: loss.item() for name, loss in losses.items()} | logged

    def _add_targets(self, batch: TrainBatch) -> None:
        for name, network in self.target_networks.items():
            with torch.no_grad(), self.numerics.autocast():
                batch.targets[name] = network(batch.low_res).float()

    def _accumulate_discriminator(
        self, real: Tensor, generated: Tensor, share: float, last: bool
    ) -> tuple[Tensor, Losses]:
        """Returns the logits of `real` as well."""
        assert self.gan is not None
        network = self.gan.discriminator.network
        with gradient_sync(network, last):
            with self.numerics.autocast():
                real_logits = network(real).float()
                fake_logits = network(generated.detach()).float()
            loss = self.gan.loss.discriminator(real_logits, fake_logits)
            self.scaler.scale(loss * share).backward()
        right = accuracy(real_logits.detach(), fake_logits.detach())
        logged = {"discriminator": loss.item(), "discriminator_accuracy": right}
        return real_logits.detach(), logged

    def _check_finite(self, losses: Losses) -> None:
        broken = [f"the {name} loss" for name, value in losses.items() if not math.isfinite(value)]
        for optimized in self.networks:
            self.scaler.unscale_(optimized.optimizer)
            if not optimized.clip_gradient():
                broken.append(f"the {optimized.name}'s gradient")
        if broken:
            self.scaler.update()  # fp16 tries a smaller factor next time
            raise NonFiniteError(broken[0])

    def set_learning_rate(self, lr: float, step: int, steps: int) -> None:
        """lr: the stage's, of so many steps. While the discriminator is warmed up, which takes a
        tenth of them at most, the generator's is 0."""
        waits = self.gan is not None and step < min(self.gan.warmup, steps // 10)
        for optimized in self.networks:
            rate = 0.0 if waits and optimized is self.generator else lr * optimized.lr_factor
            for group in optimized.optimizer.param_groups:
                group["lr"] = rate

    def shares(self, losses: Losses) -> Losses:
        """The part of each term in the generator's objective, as "share of NAME"."""
        parts = {name: w * losses[name] for name, w in self.weights.items() if name in losses}
        total = sum(parts.values())
        if len(parts) < 2 or not total:
            return {}
        return {f"share of {name}": round(part / total, 4) for name, part in parts.items()}

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {"scaler": self.scaler.state_dict()}
        for optimized, (network, optimizer) in zip(self.networks, KEYS, strict=False):
            state[network] = optimized.module.state_dict()
            state[optimizer] = optimized.optimizer.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for optimized, (network, optimizer) in zip(self.networks, KEYS, strict=False):
            optimized.module.load_state_dict(state[network])
            _load_optimizer(optimized.optimizer, state[optimizer])
        self.scaler.load_state_dict(state.get("scaler", {}) or self.scaler.state_dict())


def _load_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Raises ValueError where settings have other types, or moments other shapes, than its own."""
    before = [{name: type(value) for name, value in g.items()} for g in optimizer.param_groups]
    optimizer.load_state_dict(state)
    after = [{name: type(value) for name, value in g.items()} for g in optimizer.param_groups]
    if before != after:
        raise ValueError("the settings of the optimizer have other types")
    for parameter, values in optimizer.state.items():
        for value in values.values():
            if isinstance(value, Tensor) and value.dim() and value.shape != parameter.shape:
                raise ValueError("the moments of the optimizer have other shapes")


KEYS = (("generator", "optimizer"), ("discriminator", "discriminator_optimizer"))
"""Keys of networks and optimizers in a checkpoint."""


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Gradients pass through `network`, but not into its parameters."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


@contextmanager
def restore_buffers_on_error(networks: Sequence[nn.Module]) -> Iterator[None]:
    """Restore running statistics after a NonFiniteError."""
    buffers = [buffer for network in networks for buffer in network.buffers()]
    before = [buffer.clone() for buffer in buffers]
    try:
        yield
    except NonFiniteError:
        for buffer, value in zip(buffers, before, strict=True):
            buffer.copy_(value)
        raise

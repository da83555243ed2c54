"""One optimisation step: pairs in, losses out, weights moved, or nothing at all."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from srgan_cli.training.distributed import World, alone
from srgan_cli.training.patches import Pair

Losses = dict[str, float]


@dataclass(frozen=True)
class Numerics:
    """Where a step computes and how precisely."""

    device: torch.device
    dtype: torch.dtype = torch.float32

    def autocast(self) -> torch.autocast:
        halved = self.dtype != torch.float32
        return torch.autocast(self.device.type, self.dtype if halved else None, enabled=halved)

    def scaler(self) -> torch.amp.GradScaler:
        """Lifts gradients above what fp16 can hold; idle in other precisions."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)

    def place(self, pair: Pair) -> tuple[Tensor, Tensor]:
        """Low and high pictures in [0, 1]."""
        return self._placed(pair["low"]), self._placed(pair["high"])

    def _placed(self, pictures: Tensor) -> Tensor:
        moved = pictures.to(self.device, non_blocking=True)
        moved = moved.contiguous(memory_format=torch.channels_last)
        return moved.float().div_(255) if moved.dtype == torch.uint8 else moved


class NonFiniteError(ArithmeticError):
    """A loss or a gradient that is not a number; the networks are as they were."""


@dataclass
class Learner:
    """A network and what moves its weights."""

    name: str
    network: nn.Module
    """Shared with other processes or not."""
    optimizer: Optimizer
    clip: float | None = None

    @property
    def alone(self) -> nn.Module:
        return alone(self.network)

    def gradient_is_finite(self) -> bool:
        """Clips the gradient as well."""
        limit = self.clip if self.clip is not None else float("inf")
        return bool(clip_grad_norm_(self.alone.parameters(), limit).isfinite())


@dataclass(frozen=True)
class Part:
    """One batch of a step."""

    share: float
    """How much its losses count: all shares of a step make 1."""
    last: bool
    autocast: Callable[[], torch.autocast]
    backward: Callable[[Tensor], None]


class Lesson(Protocol):
    """What the networks learn from a batch: gradients are added, and the losses told."""

    def __call__(self, low: Tensor, high: Tensor, part: Part) -> Losses: ...
    @property
    def learners(self) -> list[Learner]: ...


@dataclass
class Step:
    """All that moves at each step."""

    lesson: Lesson
    numerics: Numerics
    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        self.scaler = self.numerics.scaler()

    def __call__(self, pairs: Sequence[Pair]) -> Losses:
        """Move once along the mean gradient of `pairs`.

        Raises NonFiniteError, and leaves everything as it was, where that is not a number.
        """
        learners = self.lesson.learners
        for learner in learners:
            learner.optimizer.zero_grad(set_to_none=True)
        with buffers_kept([learner.alone for learner in learners]):
            losses = self._gradients(pairs)
            self._check(losses)
        for learner in learners:
            self.scaler.step(learner.optimizer)
        self.scaler.update()
        return losses

    def _gradients(self, pairs: Sequence[Pair]) -> Losses:
        totals: Losses = {}
        for number, pair in enumerate(pairs, start=1):
            last = number == len(pairs)
            part = Part(1 / len(pairs), last, self.numerics.autocast, self._backward)
            told = self.lesson(*self.numerics.place(pair), part)
            for name, value in told.items():
                totals[name] = totals.get(name, 0.0) + value * part.share
        return dict(zip(totals, self.world.mean(list(totals.values())), strict=True))

    def _backward(self, loss: Tensor) -> None:
        self.scaler.scale(loss).backward()

    def _check(self, losses: Losses) -> None:
        broken = [f"the {name} loss" for name, value in losses.items() if not _finite(value)]
        for learner in self.lesson.learners:
            self.scaler.unscale_(learner.optimizer)
            if not learner.gradient_is_finite():
                broken.append(f"the {learner.name}'s gradient")
        if broken:
            self.scaler.update()  # fp16 tries a smaller factor next time
            raise NonFiniteError(broken[0])

    def rate(self, lr: float) -> None:
        """Set the learning rate."""
        for learner in self.lesson.learners:
            for group in learner.optimizer.param_groups:
                group["lr"] = lr

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {"scaler": self.scaler.state_dict()}
        for learner, (network, optimizer) in zip(self.lesson.learners, KEYS, strict=False):
            state[network] = learner.alone.state_dict()
            state[optimizer] = learner.optimizer.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for learner, (network, optimizer) in zip(self.lesson.learners, KEYS, strict=False):
            learner.alone.load_state_dict(state[network])
            learner.optimizer.load_state_dict(state[optimizer])
        self.scaler.load_state_dict(state.get("scaler", {}) or self.scaler.state_dict())


KEYS = (("generator", "optimizer"), ("discriminator", "discriminator_optimizer"))
"""What the learners are called in a checkpoint."""


@contextmanager
def buffers_kept(networks: Sequence[nn.Module]) -> Iterator[None]:
    """After a NonFiniteError, running statistics are what they were before."""
    buffers = [buffer for network in networks for buffer in network.buffers()]
    before = [buffer.clone() for buffer in buffers]
    try:
        yield
    except NonFiniteError:
        for buffer, value in zip(buffers, before, strict=True):
            buffer.copy_(value)
        raise


def _finite(value: float) -> bool:
    return abs(value) < float("inf")

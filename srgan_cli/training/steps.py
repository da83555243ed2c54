"""One optimisation step: pairs in, losses out, weights moved."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from srgan_cli.training.patches import Pair

PIXEL_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l1": l1_loss, "mse": mse_loss}

Losses = dict[str, float]


@dataclass(frozen=True)
class Numerics:
    """Where a step computes and how precisely."""

    device: torch.device
    dtype: torch.dtype = torch.float32

    def autocast(self) -> torch.autocast:
        halved = self.dtype != torch.float32
        return torch.autocast(self.device.type, self.dtype if halved else None, enabled=halved)

    def place(self, pair: Pair) -> tuple[Tensor, Tensor]:
        low = pair["low"].to(self.device, non_blocking=True)
        return low, pair["high"].to(self.device, non_blocking=True)


class NonFiniteError(ArithmeticError):
    """A loss or a gradient that is not a number; the weights have not moved."""


@dataclass
class PixelStep:
    """The generator learns to come near the original, pixel by pixel."""

    generator: nn.Module
    optimizer: Optimizer
    pixel_loss: Callable[[Tensor, Tensor], Tensor]
    numerics: Numerics
    clip: float | None = None

    def __call__(self, pairs: Iterable[Pair], share: float = 1.0) -> Losses:
        """Move once along the gradients of `pairs`, each counting `share`."""
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for pair in pairs:
            low, high = self.numerics.place(pair)
            with self.numerics.autocast():
                made = self.generator(low)
            loss = self.pixel_loss(made.float(), high) * share
            loss.backward()
            total += loss.item()
        descend(self.optimizer, self.clip, {"pixel": total})
        return {"pixel": total}

    def rate(self, lr: float) -> None:
        """Set the learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def state_dict(self) -> dict[str, Any]:
        return {"generator": self.generator.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.generator.load_state_dict(state["generator"])
        self.optimizer.load_state_dict(state["optimizer"])


def descend(optimizer: Optimizer, clip: float | None, losses: Losses) -> None:
    """Take the step, or raise NonFiniteError and leave everything as it was."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    norm = clip_grad_norm_(parameters, clip if clip is not None else float("inf"))
    broken = [name for name, value in losses.items() if not abs(value) < float("inf")]
    if broken or not norm.isfinite():
        raise NonFiniteError(f"the {broken[0]} loss" if broken else "a gradient")
    optimizer.step()

"""Muon: orthogonalized updates for the weights of convolutions.

Jordan et al., https://kellerjordan.github.io/posts/muon, 2024; scaled like Adam's updates after Liu
et al., "Muon is Scalable for LLM Training", https://arxiv.org/abs/2502.16982.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam

MOMENTUM = 0.95

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Jordan's coefficients of the polynomial that brings singular values near 1."""

ITERATIONS = 5

RMS = 0.2
"""RMS of Adam's updates, in learning rates."""

IMAGE_CHANNELS = 3
"""Convolutions with up to so many input or output channels are left to Adam."""


class Muon(Adam):
    """Updates hidden convolutions by Muon, all other parameters by Adam.

    Needs no more memory than Adam. A convolution (O, I, k, k) counts as a matrix (O, I k k).
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        fused: bool | None = None,
    ) -> None:
        given = list(parameters)
        hidden = [weight for weight in given if is_hidden(weight)]
        groups: list[dict[str, Any]] = [
            {"params": [weight for weight in given if not is_hidden(weight)]},
            {"params": sorted(hidden, key=_shape)},
        ]
        super().__init__(groups, lr=lr, betas=betas, fused=fused)
        # a scaler of gradients leaves the whole step out, not only Adam's part
        self._step_supports_amp_scaling = False

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        hidden = self.param_groups[1]
        for _, same_shape in groupby(hidden["params"], key=_shape):
            self._update([weight for weight in same_shape if weight.grad is not None], hidden)
        for weight in hidden["params"]:
            weight.grad = None  # and Adam passes it over
        return super().step(closure)

    def _update(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        """Update weights of one shape, whose products are computed together."""
        if not weights:
            return
        wanted = torch.stack([self._nesterov(weight).flatten(1) for weight in weights])
        rate = group["lr"] * RMS * max(wanted.shape[1:]) ** 0.5
        for weight, step in zip(weights, orthogonal(wanted), strict=True):
            weight.sub_(step.reshape(weight.shape), alpha=rate)

    def _nesterov(self, weight: Tensor) -> Tensor:
        """The gradient with Nesterov's momentum."""
        assert weight.grad is not None
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
            state["step"] = torch.zeros(())  # Adam asks every weight for it when a state is loaded
        average: Tensor = state["momentum"].lerp_(weight.grad, 1 - MOMENTUM)
        return weight.grad.lerp(average, MOMENTUM)


def is_hidden(weight: Tensor) -> bool:
    """Whether it is the weight of a convolution from features to features."""
    return weight.ndim == 4 and min(weight.shape[:2]) > IMAGE_CHANNELS


def orthogonal(matrices: Tensor) -> Tensor:
    """(B, M, N) -> the nearest orthogonal matrices, singular values 0.7 to 1.2.

    Newton-Schulz iteration with a polynomial of degree 5.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


def _shape(weight: Tensor) -> tuple[int, ...]:
    return tuple(weight.shape)

"""How much memory a step takes, found without computing it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

COPIES = 4
"""Of a trained network's weights: themselves, the gradient, Adam's two moments."""


@dataclass(frozen=True)
class Need:
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

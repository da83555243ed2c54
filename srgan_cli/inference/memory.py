"""How much memory there is, and how much of it a network wants."""

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from srgan_cli.device import free_bytes

TEST_SIDE = 16
"""Side of the image on which a network's need is measured."""

SMALLEST = 32
LARGEST = 1024

MOST = {"cpu": 3 << 28, "cuda": 1 << 31}
"""Bytes for a tile. On CPUs larger ones gain little, and a gigapixel must fit into 2 GB."""

FULL = 512 * 512
"""Input pixels, contexts included, up to which tiles go to a GPU together."""


def release(device: torch.device) -> None:
    """Give back what the allocator keeps for later, in pieces that may be too small."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def tiles_together(device: torch.device, pixels: int) -> int:
    """How many tiles, whose contexts have so many pixels, are computed as one batch.

    On CPUs one: measured on two cores, batches of tiles as large as ours (see LEAST) take longer.
    """
    return max(1, FULL // pixels) if device.type == "cuda" else 1


@torch.inference_mode()
def need_per_pixel(generator: nn.Module, device: torch.device) -> float:
    """Bytes for each low-resolution pixel: twice the largest layer's input and output together.

    Twice, because a skip or a convolution's own workspace lives beside them. In float32, as it may
    come to that.
    """
    sizes = [0]

    def measure(layer: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        tensors = [t for t in (*inputs, output) if isinstance(t, Tensor)]
        sizes.append(sum(t.numel() * t.element_size() for t in tensors))

    with ExitStack() as hooks:
        for layer in generator.modules():
            hooks.callback(layer.register_forward_hook(measure).remove)
        generator(torch.zeros(1, 3, TEST_SIDE, TEST_SIDE, device=device))
    return 2.0 * max(sizes) / TEST_SIDE**2


def tile_side(generator: nn.Module, device: torch.device, margin: int) -> int:
    """The side of a core whose tile takes a quarter of the memory that is free, at most MOST."""
    allowed = min(free_bytes(device) / 4, MOST.get(device.type, MOST["cuda"]))
    side = int((allowed / need_per_pixel(generator, device)) ** 0.5) - 2 * margin
    return max(SMALLEST, min(side // 16 * 16, LARGEST))

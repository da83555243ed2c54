"""The memory that a network needs, and the size of tiles that fit."""

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from srgan_cli.device import free_bytes

TEST_SIDE = 16
"""Side of the image on which memory is measured."""

MIN_CORE, MAX_CORE = 32, 1024
"""Side of a tile's core, in input pixels."""

MAX_TILE_BYTES = {"cpu": 3 << 28, "cuda": 1 << 31}
"""Bytes for a tile. On CPUs larger ones gain little, and a gigapixel must fit into 2 GB."""

MAX_BATCH_PIXELS = 512 * 512
"""Input pixels, contexts included, up to which tiles go to a GPU together."""


def empty_cache(device: torch.device) -> None:
    """Free the allocator's cached blocks, which may be too small."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def batch_size_for(device: torch.device, pixels: int) -> int:
    """Tiles in a batch. pixels: of a tile's context.

    On CPUs one: measured on two cores, batches of tiles as large as ours (see MIN_CONTEXT) take
    longer.
    """
    return max(1, MAX_BATCH_PIXELS // pixels) if device.type == "cuda" else 1


@torch.inference_mode()
def bytes_per_pixel(generator: nn.Module, device: torch.device) -> float:
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
    """Side of a core whose tile takes a quarter of the free memory, at most MAX_TILE_BYTES."""
    allowed = min(free_bytes(device) / 4, MAX_TILE_BYTES.get(device.type, MAX_TILE_BYTES["cuda"]))
    side = int((allowed / bytes_per_pixel(generator, device)) ** 0.5) - 2 * margin
    return max(MIN_CORE, min(side // 16 * 16, MAX_CORE))

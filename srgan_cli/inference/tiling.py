"""Tiles that overlap by what a network sees, as large as memory allows."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
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


@dataclass(frozen=True)
class Box:
    """A pixel rectangle, half-open like a slice: `top <= y < bottom`, `left <= x < right`."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    def padded(self, margin: int) -> "Box":
        """This box widened by `margin` pixels on each side, past the image's edge if necessary."""
        return Box(self.top - margin, self.left - margin, self.bottom + margin, self.right + margin)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    def index(self, scale: int = 1) -> tuple[slice, slice]:
        """Slices of rows and columns, for an array that is `scale` times as large."""
        rows = slice(self.top * scale, self.bottom * scale)
        return rows, slice(self.left * scale, self.right * scale)

    @property
    def area(self) -> int:
        return self.height * self.width

    def at_least(self, height: int, width: int) -> "Box":
        """This box, longer at the bottom and wider at the right where it has not those sides."""
        height, width = max(self.height, height), max(self.width, width)
        return Box(self.top, self.left, self.top + height, self.left + width)

    def within(self, outer: "Box") -> "Box":
        """This box moved to lie inside `outer`, cut off where it is larger."""
        top = max(outer.top, min(self.top, outer.bottom - self.height))
        left = max(outer.left, min(self.left, outer.right - self.width))
        bottom, right = top + self.height, left + self.width
        return Box(top, left, min(bottom, outer.bottom), min(right, outer.right))

    def relative_to(self, outer: "Box") -> "Box":
        """The same pixels, counted from the top left corner of `outer`."""
        top, left = self.top - outer.top, self.left - outer.left
        return Box(top, left, top + self.height, left + self.width)

    def aligned(self, step: int) -> "Box":
        """The smallest box around this one whose edges are multiples of `step`."""
        return Box(
            self.top // step * step,
            self.left // step * step,
            -(-self.bottom // step) * step,
            -(-self.right // step) * step,
        )

    def split(self) -> tuple["Box", "Box"]:
        """The two halves of this box, cut across its longer side, which must be 2 or more."""
        if self.height >= self.width:
            middle = (self.top + self.bottom) // 2
            return replace(self, bottom=middle), replace(self, top=middle)
        middle = (self.left + self.right) // 2
        return replace(self, right=middle), replace(self, left=middle)


@dataclass(frozen=True)
class Tile:
    """`core` is what this tile contributes; `context` is what the network must see for it."""

    core: Box
    context: Box


def plan_tiles(height: int, width: int, size: int, margin: int) -> Iterator[Tile]:
    """Cores of at most `size` x `size` pixels that cover the image exactly once, in rows.

    The cores of one row, and of one column, differ by at most a pixel in side.
    """
    for top, bottom in spans(height, size):
        for left, right in spans(width, size):
            core = Box(top, left, bottom, right)
            yield Tile(core, core.padded(margin))


def spans(length: int, size: int) -> Iterator[tuple[int, int]]:
    """`length` cut into the fewest pieces of at most `size`, as equal as integers allow."""
    pieces = -(-length // size)
    for i in range(pieces):
        yield length * i // pieces, length * (i + 1) // pieces


def reflect_indices(start: int, stop: int, length: int, margin: int) -> NDArray[np.int_]:
    """The positions `start` .. `stop - 1` of a line, those beyond its ends folded back into it.

    The line is mirrored about its end pixels; one that is not longer than `margin` repeats them.
    Positions more than `margin` past the ends repeat the one before: so none lies more than
    `margin` back from an end.
    The rule depends on the line alone, never on the tile: every tile sees the same image.
    """
    positions = np.arange(start, stop)
    if length <= margin:
        return positions.clip(0, length - 1)
    folded = np.abs(positions.clip(-margin, length - 1 + margin))
    return np.minimum(folded, 2 * (length - 1) - folded)


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

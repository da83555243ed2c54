"""Runs a network on one device, tile by tile, within the memory there is."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from threading import Lock

import numpy as np
import torch
from torch import Tensor, nn

from srgan_cli.device import out_of_memory
from srgan_cli.errors import DeviceError, WeightsError
from srgan_cli.inference.memory import SMALLEST, release
from srgan_cli.inference.tiling import Box
from srgan_cli.inference.transfer import (
    DeviceTransfer,
    PendingCopy,
    as_bytes,
    as_floats,
    as_integers,
)
from srgan_cli.resample import upscale_bicubic

LEAST = 128
"""ImageSize that a tile's context has at least, in input pixels.

Libraries compute small images by other algorithms than large ones, which round differently; so a
tiny tile could differ by a level from the whole image.
"""

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in gray. ITU-R BT.601."""

LogCallback = Callable[[str], None]
"""Called with messages that need no action."""


def warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)


@dataclass(frozen=True, eq=False)
class TileInput:
    """What a tile contributes, what the network must see for it, and the pixels of that."""

    core: Box
    context: Box
    layers: np.ndarray
    """(h, w, C) as in the image: gray or RGB, then alpha where there is one."""
    gray: bool

    def part(self, core: Box, context: Box) -> "TileInput":
        """For a part of the core; `context` is moved into this one's."""
        inside = context.within(self.context)
        rows, columns = inside.relative_to(self.context).index()
        return TileInput(core, inside, self.layers[rows, columns], self.gray)


@dataclass(frozen=True, eq=False)
class PendingBatch:
    """Pieces that are being worked on."""

    batch: Sequence[TileInput]
    dtype: torch.dtype
    cores: Sequence[PendingCopy] = ()
    """One for each piece; none at all where memory does not suffice."""
    finite: PendingCopy | None = None
    """(B,): whether all values of a piece are numbers."""


@dataclass(frozen=True, eq=False)
class Worker:
    """A generator on a device. Thread-safe."""

    generator: nn.Module
    device: torch.device
    dtype: torch.dtype
    margin: int
    """What must be seen around a core."""
    log: LogCallback = warn
    quantized: nn.Module | None = None
    """The same generator in int8, where `dtype` is torch.int8."""
    _failed: dict[torch.dtype, int] = field(default_factory=dict)
    """The fewest pixels, context included, for which memory did not suffice."""
    _lock: Lock = field(default_factory=Lock)
    """Only one tile's layers are on the device at a time."""

    @cached_property
    def _transfer(self) -> DeviceTransfer:
        return DeviceTransfer(self.device)

    @property
    def at_once(self) -> int:
        """How many tiles may be under way: on a GPU the next is prepared while one is computed."""
        return 2 if self.device.type == "cuda" else 1

    @property
    def scale(self) -> int:
        return int(self.generator.scale)  # type: ignore[arg-type]

    @property
    def alignment(self) -> int:
        """Contexts begin and end at multiples of it: networks that unshuffle pixels have one."""
        return int(getattr(self.generator, "alignment", 1))

    def begin(self, batch: Sequence[TileInput], dtype: torch.dtype | None = None) -> PendingBatch:
        """Start on pieces whose contexts have one shape; on a GPU this does not wait."""
        dtype = self.dtype if dtype is None else dtype
        pixels = sum(piece.context.area for piece in batch)
        failed = self._failed.get(dtype, inf)
        if pixels >= failed and not (len(batch) == 1 and self._smallest(batch[0])):
            return PendingBatch(batch, dtype)
        try:
            with self._lock:
                return self._launch(batch, dtype)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        self._failed[dtype] = int(min(pixels, failed))
        release(self.device)  # only here: the error holds on to the tensors it arose among
        return PendingBatch(batch, dtype)

    def finish(self, pending_batch: PendingBatch) -> list[np.ndarray]:
        """(sh, sw, C) for each piece. Raises DeviceError and WeightsError."""
        if pending_batch.finite is not None:
            finite = pending_batch.finite.wait()
            return [
                pixels_of(copy, piece) if good else self._again(piece, pending_batch.dtype)
                for piece, copy, good in zip(
                    pending_batch.batch, pending_batch.cores, finite, strict=True
                )
            ]
        if len(pending_batch.batch) == 1:
            return [self._in_parts(pending_batch.batch[0], pending_batch.dtype)]
        return [self._run_one(piece, pending_batch.dtype) for piece in pending_batch.batch]

    def _run_one(self, piece: TileInput, dtype: torch.dtype) -> np.ndarray:
        return self.finish(self.begin([piece], dtype))[0]

    def _again(self, piece: TileInput, dtype: torch.dtype) -> np.ndarray:
        if dtype == torch.float32:
            raise WeightsError("the network makes values that are not numbers: its weights are bad")
        name = str(dtype).removeprefix("torch.")
        self.log(f"the network overflows in {name}: tiles in which it does are redone in float32")
        return self._run_one(piece, torch.float32)

    def _in_parts(self, piece: TileInput, dtype: torch.dtype) -> np.ndarray:
        """By halves, and where those would be small, without what a context has beyond its need."""
        if self._smallest(piece):
            raise DeviceError(
                f"not enough memory on {self.device} for a tile of {SMALLEST} pixels and the "
                f"{self.margin} around it: close other programs, or take --device cpu"
            )
        minimal = self._minimal_context(piece, piece.core)
        least = LEAST if max(minimal.shape) > LEAST else 0
        if max(piece.core.shape) <= SMALLEST or (not least and piece.context != minimal):
            return self._run_one(piece.part(piece.core, minimal), dtype)
        parts = [
            self._run_one(
                piece.part(half, self._minimal_context(piece, half).at_least(least, least)), dtype
            )
            for half in piece.core.split()
        ]
        return np.concatenate(parts, axis=0 if piece.core.height >= piece.core.width else 1)

    def _minimal_context(self, piece: TileInput, core: Box) -> Box:
        """What must be seen for a part of the piece."""
        return core.padded(self.margin).aligned(self.alignment).within(piece.context)

    def _smallest(self, piece: TileInput) -> bool:
        minimal = self._minimal_context(piece, piece.core)
        return max(piece.core.shape) <= SMALLEST and piece.context == minimal

    @torch.inference_mode()
    def _launch(self, batch: Sequence[TileInput], dtype: torch.dtype) -> PendingBatch:
        on_device = self._transfer.up(as_bytes(np.stack([piece.layers for piece in batch])))
        low = as_floats(on_device).permute(0, 3, 1, 2)  # (B, C, h, w)
        colors = low.shape[1] - (low.shape[1] in (2, 4))
        high = self._run_network(low[:, :colors].expand(-1, 3, -1, -1), dtype)  # (B, 3, sh, sw)
        finite = high.sum(dim=(1, 2, 3)).isfinite()  # far quicker than to look at each value
        if batch[0].gray:
            high = as_gray(high).expand(-1, colors, -1, -1)
        if colors < low.shape[1]:
            one_by_one = low[:, colors:].split(1)  # as a batch they could be rounded differently
            alpha = torch.cat([upscale_bicubic(one, self.scale) for one in one_by_one])
            high = torch.cat([high, alpha], dim=1)
        cores = [self._copy_core(piece, made) for piece, made in zip(batch, high, strict=True)]
        return PendingBatch(batch, dtype, cores, self._transfer.down(finite))

    def _run_network(self, low: Tensor, dtype: torch.dtype) -> Tensor:
        """(B, 3, H, W) -> (B, 3, sH, sW) float32."""
        if dtype == torch.float32:
            return self.generator(low).float()
        if dtype == torch.int8:
            assert self.quantized is not None
            return self.quantized(low).float()
        with torch.autocast(self.device.type, dtype):
            return self.generator(low).float()

    def _copy_core(self, piece: TileInput, high: Tensor) -> PendingCopy:
        """high: (C, sh, sw), what was made of all of the context."""
        rows, columns = piece.core.relative_to(piece.context).index(self.scale)
        core = high[:, rows, columns].permute(1, 2, 0)
        return self._transfer.down(as_integers(core, piece.layers.dtype))


def pixels_of(copy: PendingCopy, piece: TileInput) -> np.ndarray:
    return copy.wait().view(piece.layers.dtype)


def as_gray(picture: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W)."""
    layers = zip(LUMA, picture.split(1, dim=1), strict=True)
    return torch.stack([share * layer for share, layer in layers]).sum(dim=0)

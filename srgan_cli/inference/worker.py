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

from srgan_cli.device import dtype_name, out_of_memory
from srgan_cli.errors import DeviceError, WeightsError
from srgan_cli.inference.tiling import MIN_CORE, Box, empty_cache
from srgan_cli.inference.transfer import (
    DeviceTransfer,
    PendingCopy,
    as_bytes,
    as_floats,
    as_integers,
)
from srgan_cli.resample import upscale_bicubic

MIN_CONTEXT = 128
"""Least side of a tile's context, in input pixels.

Libraries compute small images by other algorithms than large ones, which round differently; so a
tiny tile could differ by a level from the whole image.
"""

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in gray: ITU-R BT.601."""

LogCallback = Callable[[str], None]
"""Called with messages that need no action."""


def warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)


def once(log: LogCallback) -> LogCallback:
    """A callback that passes each text on to `log` only the first time."""
    messages: set[str] = set()
    lock = Lock()

    def log_once(text: str) -> None:
        with lock:
            new = text not in messages
            messages.add(text)
        if new:
            log(text)

    return log_once


@dataclass(frozen=True, eq=False)
class TileInput:
    """A tile with the pixels of its context."""

    core: Box
    context: Box
    samples: np.ndarray
    """(h, w, C) as in the image: gray or RGB, then alpha where there is one."""
    gray: bool

    def part(self, core: Box, context: Box) -> "TileInput":
        """For a part of the core; `context` is moved inside this one's."""
        inside = context.within(self.context)
        rows, columns = inside.relative_to(self.context).index()
        return TileInput(core, inside, self.samples[rows, columns], self.gray)


@dataclass(frozen=True, eq=False)
class PendingBatch:
    """Tiles that are being computed."""

    batch: Sequence[TileInput]
    dtype: torch.dtype
    cores: Sequence[PendingCopy] = ()
    """One for each tile; empty if memory did not suffice."""
    finite: PendingCopy | None = None
    """(B,): whether all values of a tile are finite."""


@dataclass(frozen=True, eq=False)
class Worker:
    """A generator on a device. Thread-safe."""

    generator: nn.Module
    device: torch.device
    dtype: torch.dtype
    margin: int
    """Context around a core, in input pixels."""
    log: LogCallback = warn
    quantized: nn.Module | None = None
    """The same generator in int8, where `dtype` is torch.int8."""
    _failed: dict[torch.dtype, int] = field(default_factory=dict)
    """Fewest pixels, context included, for which memory did not suffice."""
    _lock: Lock = field(default_factory=Lock)
    """One batch at a time is on the device."""

    @cached_property
    def _transfer(self) -> DeviceTransfer:
        return DeviceTransfer(self.device)

    @property
    def max_pending(self) -> int:
        """Batches in flight: on a GPU the next is prepared while one is computed."""
        return 2 if self.device.type == "cuda" else 1

    @property
    def scale(self) -> int:
        return int(self.generator.scale)  # type: ignore[arg-type]

    @property
    def alignment(self) -> int:
        """Contexts begin and end at multiples of it; above 1 for networks with pixel unshuffle."""
        return int(getattr(self.generator, "alignment", 1))

    def begin(self, batch: Sequence[TileInput], dtype: torch.dtype | None = None) -> PendingBatch:
        """Start computing tiles whose contexts have one shape; on a GPU this does not wait."""
        dtype = self.dtype if dtype is None else dtype
        pixels = sum(tile.context.area for tile in batch)
        failed = self._failed.get(dtype, inf)
        if pixels >= failed and not (len(batch) == 1 and self._is_smallest(batch[0])):
            return PendingBatch(batch, dtype)
        try:
            with self._lock:
                return self._launch(batch, dtype)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        self._failed[dtype] = int(min(pixels, failed))
        empty_cache(self.device)  # only here: the error holds on to the tensors it arose among
        return PendingBatch(batch, dtype)

    def finish(self, pending: PendingBatch) -> list[np.ndarray]:
        """(sh, sw, C) for each tile. Raises DeviceError and WeightsError."""
        if pending.finite is not None:
            finite = pending.finite.wait()
            return [
                copy.wait().view(tile.samples.dtype)
                if good
                else self._retry_in_float32(tile, pending.dtype)
                for tile, copy, good in zip(pending.batch, pending.cores, finite, strict=True)
            ]
        if len(pending.batch) == 1:
            return [self._split(pending.batch[0], pending.dtype)]
        return [self._run_one(tile, pending.dtype) for tile in pending.batch]

    def _run_one(self, tile: TileInput, dtype: torch.dtype) -> np.ndarray:
        return self.finish(self.begin([tile], dtype))[0]

    def _retry_in_float32(self, tile: TileInput, dtype: torch.dtype) -> np.ndarray:
        if dtype == torch.float32:
            raise WeightsError("the network makes values that are not numbers: its weights are bad")
        name = dtype_name(dtype)
        self.log(f"the network overflows in {name}: tiles in which it does are redone in float32")
        return self._run_one(tile, torch.float32)

    def _split(self, tile: TileInput, dtype: torch.dtype) -> np.ndarray:
        """Compute the tile in halves; small ones with the minimal context."""
        if self._is_smallest(tile):
            raise DeviceError(
                f"not enough memory on {self.device} for a tile of {MIN_CORE} pixels and the "
                f"{self.margin} around it: close other programs, or take --device cpu"
            )
        minimal = self._minimal_context(tile, tile.core)
        least = MIN_CONTEXT if max(minimal.shape) > MIN_CONTEXT else 0
        if max(tile.core.shape) <= MIN_CORE or (not least and tile.context != minimal):
            return self._run_one(tile.part(tile.core, minimal), dtype)
        parts = [
            self._run_one(
                tile.part(half, self._minimal_context(tile, half).at_least(least, least)), dtype
            )
            for half in tile.core.split()
        ]
        return np.concatenate(parts, axis=0 if tile.core.height >= tile.core.width else 1)

    def _minimal_context(self, tile: TileInput, core: Box) -> Box:
        """The context that a part of the tile's core needs."""
        return core.padded(self.margin).aligned(self.alignment).within(tile.context)

    def _is_smallest(self, tile: TileInput) -> bool:
        minimal = self._minimal_context(tile, tile.core)
        return max(tile.core.shape) <= MIN_CORE and tile.context == minimal

    @torch.inference_mode()
    def _launch(self, batch: Sequence[TileInput], dtype: torch.dtype) -> PendingBatch:
        on_device = self._transfer.up(as_bytes(np.stack([tile.samples for tile in batch])))
        low_res = as_floats(on_device).permute(0, 3, 1, 2)  # (B, C, h, w)
        colors = low_res.shape[1] - (low_res.shape[1] in (2, 4))
        high_res = self._run_network(
            low_res[:, :colors].expand(-1, 3, -1, -1), dtype
        )  # (B, 3, sh, sw)
        finite = high_res.sum(dim=(1, 2, 3)).isfinite()  # far quicker than to look at each value
        if batch[0].gray:
            high_res = as_gray(high_res).expand(-1, colors, -1, -1)
        if colors < low_res.shape[1]:
            images = low_res[:, colors:].split(1)  # as a batch they could be rounded differently
            alpha = torch.cat([upscale_bicubic(one, self.scale) for one in images])
            high_res = torch.cat([high_res, alpha], dim=1)
        cores = [
            self._copy_core(tile, output) for tile, output in zip(batch, high_res, strict=True)
        ]
        return PendingBatch(batch, dtype, cores, self._transfer.down(finite))

    def _run_network(self, low_res: Tensor, dtype: torch.dtype) -> Tensor:
        """(B, 3, H, W) -> (B, 3, sH, sW) float32."""
        if dtype == torch.float32:
            return self.generator(low_res).float()
        if dtype == torch.int8:
            assert self.quantized is not None
            return self.quantized(low_res).float()
        with torch.autocast(self.device.type, dtype):
            return self.generator(low_res).float()

    def _copy_core(self, tile: TileInput, high_res: Tensor) -> PendingCopy:
        """high_res: (C, sh, sw), the output for the whole context."""
        rows, columns = tile.core.relative_to(tile.context).index(self.scale)
        core = high_res[:, rows, columns].permute(1, 2, 0)
        return self._transfer.down(as_integers(core, tile.samples.dtype))


def as_gray(image: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W)."""
    channels = zip(LUMA, image.split(1, dim=1), strict=True)
    return torch.stack([share * channel for share, channel in channels]).sum(dim=0)

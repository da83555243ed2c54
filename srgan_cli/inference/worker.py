"""Runs a network on one device, tile by tile, within the memory there is.

Integers travel to a device and back, 8 or 16 bits a value, never floats. On CUDA they are copied
through pinned memory in their own streams, so that copying and computing overlap.
"""

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
from srgan_cli.resample import upscale_bicubic

MIN_CONTEXT = 128
"""Least side of a tile's context, in input pixels.

Libraries compute small images by other algorithms than large ones, which round differently; so a
tiny tile could differ by a level from the whole image.
"""

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in gray: ITU-R BT.601."""


@dataclass(frozen=True, eq=False)
class PendingCopy:
    """An asynchronous copy to the host."""

    values: Tensor
    event: torch.cuda.Event | None = None

    def wait(self) -> np.ndarray:
        if self.event is not None:
            self.event.synchronize()
        return self.values.numpy()


@dataclass(frozen=True, eq=False)
class DeviceTransfer:
    """Between the host and `device`."""

    device: torch.device

    @property
    def pinned(self) -> bool:
        return self.device.type == "cuda"

    @cached_property
    def _upload_stream(self) -> torch.cuda.Stream:
        return torch.cuda.Stream(self.device)

    @cached_property
    def _download_stream(self) -> torch.cuda.Stream:
        return torch.cuda.Stream(self.device)

    def up(self, values: np.ndarray) -> Tensor:
        """The same integers on the device."""
        host = torch.from_numpy(values)
        if not self.pinned:
            return host.to(self.device)
        with torch.cuda.stream(self._upload_stream):
            on_device = host.pin_memory().to(self.device, non_blocking=True)
        compute_stream = torch.cuda.current_stream(self.device)
        compute_stream.wait_stream(self._upload_stream)
        on_device.record_stream(compute_stream)  # its memory is not given away before it was read
        return on_device

    def down(self, values: Tensor) -> PendingCopy:
        """Start to copy the integers to the host."""
        if not self.pinned:
            return PendingCopy(values.cpu())
        values = values.contiguous()
        host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
        self._download_stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._download_stream):
            host.copy_(values, non_blocking=True)
            values.record_stream(self._download_stream)
            return PendingCopy(host, self._download_stream.record_event())


def as_bytes(pixels: np.ndarray) -> np.ndarray:
    """uint8 or uint16 -> uint8 or int16, same bits: few devices know unsigned 16-bit integers."""
    return pixels.view(np.int16) if pixels.dtype == np.uint16 else pixels


def as_floats(values: Tensor) -> Tensor:
    """The result of `as_bytes` -> float32 in [0, 1], same shape."""
    if values.dtype == torch.int16:
        return (values.int() & 0xFFFF).float() / 0xFFFF
    return values.float() / 0xFF


def as_integers(floats: Tensor, depth: np.dtype) -> Tensor:
    """Floats -> what `as_bytes` gives for `depth`, same shape; values are clipped to [0, 1].

    Laid out in the order of the shape, which numpy would do with one thread.
    """
    top = np.iinfo(depth).max
    levels = floats.clamp(0, 1).mul_(top).round_()
    if depth == np.uint8:
        return levels.to(torch.uint8, memory_format=torch.contiguous_format)
    return levels.int().to(torch.int16, memory_format=torch.contiguous_format)


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
    margin: int
    """Context around a core, in input pixels."""
    log: Callable[[str], None] = warnings.warn
    quantized: nn.Module | None = None
    """The same generator in int8; torch.int8 needs it."""
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

    def begin(self, batch: Sequence[TileInput], dtype: torch.dtype) -> PendingBatch:
        """Start computing tiles whose contexts have one shape; on a GPU this does not wait."""
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

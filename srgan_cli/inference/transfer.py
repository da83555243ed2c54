"""Transfer of integers to a device and back: 8 or 16 bits a value, never floats.

On CUDA they are copied through pinned memory in their own streams, so that copying and computing
overlap. Elsewhere they are copied at once.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor


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

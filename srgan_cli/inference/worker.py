"""One device at work: pieces of a picture in, their enlarged cores out, whatever memory allows."""

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
from srgan_cli.inference.transfer import Bus, Landing, as_bytes, as_floats, as_integers
from srgan_cli.resample import enlarge

LEAST = 128
"""ImageSize that a tile's context has at least, in input pixels.

Libraries compute small pictures by other algorithms than large ones, which round differently; so a
tiny tile could differ by a level from the whole picture.
"""

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in gray. ITU-R BT.601."""

Say = Callable[[str], None]
"""Told what a person should know and need not act on."""


def warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)


@dataclass(frozen=True, eq=False)
class Piece:
    """What a tile contributes, what the network must see for it, and the pixels of that."""

    core: Box
    context: Box
    layers: np.ndarray
    """(h, w, C) as in the picture: gray or RGB, then alpha where there is one."""
    gray: bool

    def part(self, core: Box, context: Box) -> "Piece":
        """For a part of the core; `context` is moved into this one's."""
        inside = context.within(self.context)
        rows, columns = inside.seen_from(self.context).index()
        return Piece(core, inside, self.layers[rows, columns], self.gray)


@dataclass(frozen=True, eq=False)
class Begun:
    """Pieces that are being worked on."""

    batch: Sequence[Piece]
    dtype: torch.dtype
    cores: Sequence[Landing] = ()
    """One for each piece; none at all where memory does not suffice."""
    finite: Landing | None = None
    """(B,): whether all values of a piece are numbers."""


@dataclass(frozen=True, eq=False)
class Worker:
    """A generator on a device. Thread-safe."""

    generator: nn.Module
    device: torch.device
    dtype: torch.dtype
    margin: int
    """What must be seen around a core."""
    say: Say = warn
    _failed: dict[torch.dtype, int] = field(default_factory=dict)
    """The fewest pixels, context included, for which memory did not suffice."""
    _turn: Lock = field(default_factory=Lock)
    """Only one tile's layers are on the device at a time."""

    @cached_property
    def _bus(self) -> Bus:
        return Bus(self.device)

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

    def begin(self, batch: Sequence[Piece], dtype: torch.dtype | None = None) -> Begun:
        """Start on pieces whose contexts have one shape; on a GPU this does not wait."""
        dtype = self.dtype if dtype is None else dtype
        pixels = sum(piece.context.area for piece in batch)
        failed = self._failed.get(dtype, inf)
        if pixels >= failed and not (len(batch) == 1 and self._smallest(batch[0])):
            return Begun(batch, dtype)
        try:
            with self._turn:
                return self._launched(batch, dtype)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        self._failed[dtype] = int(min(pixels, failed))
        release(self.device)  # only here: the error holds on to the tensors it arose among
        return Begun(batch, dtype)

    def finish(self, begun: Begun) -> list[np.ndarray]:
        """(sh, sw, C) for each piece. Raises DeviceError and WeightsError."""
        if begun.finite is not None:
            finite = begun.finite.wait()
            return [
                pixels_of(landing, piece) if good else self._again(piece, begun.dtype)
                for piece, landing, good in zip(begun.batch, begun.cores, finite, strict=True)
            ]
        if len(begun.batch) == 1:
            return [self._in_parts(begun.batch[0], begun.dtype)]
        return [self._alone(piece, begun.dtype) for piece in begun.batch]

    def _alone(self, piece: Piece, dtype: torch.dtype) -> np.ndarray:
        return self.finish(self.begin([piece], dtype))[0]

    def _again(self, piece: Piece, dtype: torch.dtype) -> np.ndarray:
        if dtype == torch.float32:
            raise WeightsError("the network makes values that are not numbers: its weights are bad")
        name = str(dtype).removeprefix("torch.")
        self.say(f"the network overflows in {name}: tiles in which it does are redone in float32")
        return self._alone(piece, torch.float32)

    def _in_parts(self, piece: Piece, dtype: torch.dtype) -> np.ndarray:
        """By halves, and where those would be small, without what a context has beyond its need."""
        if self._smallest(piece):
            raise DeviceError(
                f"not enough memory on {self.device} for a tile of {SMALLEST} pixels and the "
                f"{self.margin} around it: close other programs, or take --device cpu"
            )
        tight = self._tight(piece, piece.core)
        least = LEAST if max(tight.shape) > LEAST else 0
        if max(piece.core.shape) <= SMALLEST or (not least and piece.context != tight):
            return self._alone(piece.part(piece.core, tight), dtype)
        parts = [
            self._alone(piece.part(half, self._tight(piece, half).at_least(least, least)), dtype)
            for half in piece.core.halves()
        ]
        return np.concatenate(parts, axis=0 if piece.core.height >= piece.core.width else 1)

    def _tight(self, piece: Piece, core: Box) -> Box:
        """What must be seen for a part of the piece."""
        return core.grown(self.margin).aligned(self.alignment).within(piece.context)

    def _smallest(self, piece: Piece) -> bool:
        tight = self._tight(piece, piece.core)
        return max(piece.core.shape) <= SMALLEST and piece.context == tight

    @torch.inference_mode()
    def _launched(self, batch: Sequence[Piece], dtype: torch.dtype) -> Begun:
        there = self._bus.up(as_bytes(np.stack([piece.layers for piece in batch])))
        low = as_floats(there).permute(0, 3, 1, 2)  # (B, C, h, w)
        colours = low.shape[1] - (low.shape[1] in (2, 4))
        high = self._colour(low[:, :colours].expand(-1, 3, -1, -1), dtype)  # (B, 3, sh, sw)
        finite = high.sum(dim=(1, 2, 3)).isfinite()  # far quicker than to look at each value
        if batch[0].gray:
            high = as_gray(high).expand(-1, colours, -1, -1)
        if colours < low.shape[1]:
            one_by_one = low[:, colours:].split(1)  # as a batch they could be rounded differently
            alpha = torch.cat([enlarge(one, self.scale) for one in one_by_one])
            high = torch.cat([high, alpha], dim=1)
        cores = [self._landing(piece, made) for piece, made in zip(batch, high, strict=True)]
        return Begun(batch, dtype, cores, self._bus.down(finite))

    def _colour(self, low: Tensor, dtype: torch.dtype) -> Tensor:
        """(B, 3, H, W) -> (B, 3, sH, sW) float32."""
        if dtype == torch.float32:
            return self.generator(low).float()
        with torch.autocast(self.device.type, dtype):
            return self.generator(low).float()

    def _landing(self, piece: Piece, high: Tensor) -> Landing:
        """high: (C, sh, sw), what was made of all of the context."""
        rows, columns = piece.core.seen_from(piece.context).index(self.scale)
        core = high[:, rows, columns].permute(1, 2, 0)
        return self._bus.down(as_integers(core, piece.layers.dtype))


def pixels_of(landing: Landing, piece: Piece) -> np.ndarray:
    return landing.wait().view(piece.layers.dtype)


def as_gray(picture: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W)."""
    layers = zip(LUMA, picture.split(1, dim=1), strict=True)
    return torch.stack([share * layer for share, layer in layers]).sum(dim=0)

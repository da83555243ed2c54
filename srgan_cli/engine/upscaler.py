"""Picture + generator -> larger picture, tile by tile. Knows nothing of files or architectures."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from srgan_cli.engine.memory import SMALLEST, tile_side
from srgan_cli.engine.streams import ImageSink, ImageSource, RowSink, RowSource
from srgan_cli.errors import DeviceError, WeightsError
from srgan_cli.images.value import Image
from srgan_cli.resample import enlarge
from srgan_cli.tiling import Box, Tile, folded, plan_tiles

LEAST = 128
"""Sides that a tile's context has at least, in input pixels.

Libraries compute small pictures by other algorithms than large ones, which round differently; so a
tiny tile could differ by a level from the whole picture.
"""

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in gray. ITU-R BT.601."""

CPU = torch.device("cpu")

Tell = Callable[[int, int], None]
"""Told how many tiles are done, and of how many."""


def silent(done: int, total: int) -> None: ...


@dataclass(frozen=True)
class Upscaler:
    """A generator and how to run it: on which device, how precisely, on how much at once."""

    generator: nn.Module
    device: torch.device = CPU
    dtype: torch.dtype = torch.float32
    tile: int | None = None
    """Side of a tile's core in input pixels; None fits it to the free memory."""
    margin: int | None = None
    """What a tile sees around its core; None is the network's whole reach, which is exact."""

    def __post_init__(self) -> None:
        """Channels last is the layout in which convolutions are fastest, on CPUs as on GPUs."""
        self.generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def scale(self) -> int:
        return int(self.generator.scale)  # type: ignore[arg-type]

    @cached_property
    def context(self) -> int:
        return int(self.generator.reach) if self.margin is None else self.margin  # type: ignore[arg-type]

    @property
    def alignment(self) -> int:
        """Contexts begin and end at multiples of it: networks that unshuffle pixels have one."""
        return int(getattr(self.generator, "alignment", 1))

    @cached_property
    def core(self) -> int:
        return self.tile or tile_side(self.generator, self.device, self.dtype, self.context)

    def upscale(self, image: Image, tell: Tell = silent) -> Image:
        """`image`, `scale` times as high and wide; depth, alpha and metadata are kept."""
        source = ImageSource(image)
        channels = image.pixels.shape[2]
        layers = channels + (image.alpha is not None)
        sink = ImageSink(image.height * self.scale, image.width * self.scale, layers, source.depth)
        self.run(source, sink, tell)
        alpha = None if image.alpha is None else sink.layers[..., channels]
        return replace(image, pixels=sink.layers[..., :channels], alpha=alpha)

    def run(self, source: RowSource, sink: RowSink, tell: Tell = silent) -> None:
        """Read from `source` a band of tiles at a time, write each band to `sink` once complete."""
        tiles = list(plan_tiles(source.height, source.width, self.core, self.context))
        band: list[np.ndarray] = []
        for number, tile in enumerate(tiles, start=1):
            band.append(self._tile(source, tile))
            if tile.core.right == source.width:
                sink.write(np.concatenate(band, axis=1))
                band = []
            tell(number, len(tiles))

    def _tile(self, source: RowSource, tile: Tile, least: int = LEAST) -> np.ndarray:
        """The pixels of the tile's core; in halves where memory does not suffice for all of it."""
        try:
            return self._core(source, tile, least)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
        if max(tile.core.height, tile.core.width) <= SMALLEST and least:
            return self._tile(source, tile, least=0)
        if max(tile.core.height, tile.core.width) <= SMALLEST:
            raise DeviceError(
                f"not enough memory on {self.device} for a tile of {SMALLEST} pixels and the "
                f"{self.context} around it: close other programs, or take --device cpu"
            )
        first, second = (
            self._tile(source, Tile(half, half.grown(self.context)), least=0)
            for half in tile.core.halves()
        )
        return np.concatenate([first, second], axis=0 if tile.core.height >= tile.core.width else 1)

    @torch.inference_mode()
    def _core(self, source: RowSource, tile: Tile, least: int) -> np.ndarray:
        context = tile.context.at_least(least).aligned(self.alignment)
        layers = cut(source, context, self.context)
        low = to_tensor(layers).permute(2, 0, 1)[None].to(self.device)  # (1, C, H, W)
        colours = low.shape[1] - (low.shape[1] in (2, 4))
        high = self._colour(low[:, :colours].expand(-1, 3, -1, -1))
        if source.gray:
            high = as_gray(high).expand(-1, colours, -1, -1)
        alpha = enlarge(low[:, colours:], self.scale)
        high = torch.cat([high, alpha], dim=1) if alpha.shape[1] else high
        top, left = tile.core.top - context.top, tile.core.left - context.left
        kept = Box(top, left, top + tile.core.height, left + tile.core.width).index(self.scale)
        high = high[0][:, kept[0], kept[1]]
        return to_pixels(high.permute(1, 2, 0), source.depth)

    def _colour(self, low: Tensor) -> Tensor:
        """(1, 3, H, W) -> (1, 3, sH, sW) float32, every value a number."""
        if self.dtype != torch.float32:
            with torch.autocast(self.device.type, self.dtype):
                high = self.generator(low).float()
            if high.isfinite().all():
                return high
        high = self.generator(low).float()
        if not high.isfinite().all():
            raise WeightsError("the network makes values that are not numbers: its weights are bad")
        return high


def out_of_memory(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def cut(source: RowSource, context: Box, margin: int) -> np.ndarray:
    """(h, w, C): the pixels of `context`, mirrored beyond the picture's edge."""
    rows = np.array(folded(context.top, context.bottom, source.height, margin))
    columns = np.array(folded(context.left, context.right, source.width, margin))
    band = source.rows(rows.min(), rows.max() + 1)
    return band[rows - rows.min()][:, columns]


def as_gray(picture: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 1, H, W)."""
    return (picture * picture.new_tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def to_tensor(pixels: np.ndarray) -> Tensor:
    """Integers of any depth -> float32 in [0, 1], same shape."""
    return torch.from_numpy(pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max))


def to_pixels(values: Tensor, depth: np.dtype) -> np.ndarray:
    """Floats -> integers of the given depth, same shape; what overshoots [0, 1] is clipped."""
    levels = (values.clamp(0, 1) * np.iinfo(depth).max).round()
    return levels.cpu().numpy().astype(depth)

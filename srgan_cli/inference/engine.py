"""Image and network -> upscaled image, tile by tile, on one or several devices."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice
from queue import SimpleQueue

import numpy as np
import torch
from torch import nn

from srgan_cli.images.image import Image
from srgan_cli.inference.memory import SMALLEST, tile_side, tiles_together
from srgan_cli.inference.streaming import ImageSink, ImageSource, RowSink, RowSource
from srgan_cli.inference.tiling import Box, Tile, plan_tiles, reflect_indices
from srgan_cli.inference.worker import LEAST, LogCallback, TileInput, Worker, warn

CPU = torch.device("cpu")

ProgressCallback = Callable[[int, int], None]
"""Called with the number of tiles done, and of all."""


def no_progress(done: int, total: int) -> None: ...


@dataclass(frozen=True)
class Replica:
    """A generator and the device that it lives on."""

    generator: nn.Module
    device: torch.device


@dataclass(frozen=True)
class TiledEngine:
    """A generator and how to run it: on which device, how precisely, on how much at once."""

    generator: nn.Module
    device: torch.device = CPU
    dtype: torch.dtype = torch.float32
    tile: int | None = None
    """Side of a tile's core in input pixels; None fits it to the free memory."""
    margin: int | None = None
    """What a tile sees around its core; None: the network's whole receptive field, exact."""
    mirrored: int | None = None
    """Input pixels by which an image is mirrored beyond its edges, where the network's own padding
    begins; None is the margin. Its padding reaches far less than its receptive field."""
    replicas: tuple[Replica, ...] = ()
    """The same generator on other devices, which take a share of each image's tiles."""
    log: LogCallback = warn
    quantized: nn.Module | None = None
    """The generator in int8, where `dtype` is torch.int8; it runs on the CPU."""
    calibrated: bool = False
    """Whether the ranges of its activations were measured on loading."""

    def __post_init__(self) -> None:
        """Channels last is the layout in which convolutions are fastest, on CPUs as on GPUs."""
        for one in self._places:
            one.generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def scale(self) -> int:
        return int(self.generator.scale)  # type: ignore[arg-type]

    @property
    def devices(self) -> tuple[torch.device, ...]:
        return tuple(place.device for place in self._places)

    @property
    def _places(self) -> tuple[Replica, ...]:
        return (Replica(self.generator, self.device), *self.replicas)

    @cached_property
    def context(self) -> int:
        return int(self.generator.receptive_field) if self.margin is None else self.margin  # type: ignore[arg-type]

    @property
    def edge(self) -> int:
        return self.context if self.mirrored is None else min(self.mirrored, self.context)

    @cached_property
    def core(self) -> int:
        return self.tile or min(
            tile_side(place.generator, place.device, self.context) for place in self._places
        )

    @cached_property
    def _workers(self) -> tuple[Worker, ...]:
        return tuple(
            Worker(
                place.generator, place.device, self.dtype, self.context, self.log, self.quantized
            )
            for place in self._places
        )

    def upscale(self, image: Image, progress: ProgressCallback = no_progress) -> Image:
        """`image`, `scale` times as high and wide; depth, alpha and metadata are kept."""
        source = ImageSource(image)
        height, width = image.height * self.scale, image.width * self.scale
        sink = ImageSink(height, width, source.channels, source.depth)
        self.run(source, sink, progress)
        return sink.image(image)

    def run(
        self,
        source: RowSource,
        sink: RowSink,
        progress: ProgressCallback = no_progress,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Read from `source` a band of tiles at a time, write each band to `sink` once complete.

        dtype: in which convolutions run; None is the engine's.
        """
        dtype = self.dtype if dtype is None else dtype
        side = self._side(source.height, source.width)
        tiles = list(plan_tiles(source.height, source.width, side, self.context))
        band: list[np.ndarray] = []
        with closing(run_batches(self._workers, self._batches(source, tiles), dtype)) as cores:
            for number, (tile, core) in enumerate(zip(tiles, cores, strict=True), start=1):
                band.append(core)
                if tile.core.right == source.width:
                    sink.write(np.concatenate(band, axis=1))
                    band = []
                progress(number, len(tiles))

    def _side(self, height: int, width: int) -> int:
        """Of a tile's core: where several devices share, they all get some of the image."""
        if self.tile or not self.replicas:
            return self.core
        share = int((height * width / len(self.devices) / 2) ** 0.5)
        return min(self.core, max(share, SMALLEST))

    def _batches(self, source: RowSource, tiles: Sequence[Tile]) -> Iterator[Sequence[TileInput]]:
        """What the workers get, in the tiles' order: neighbours that are equal go together."""
        height = max(LEAST, *(tile.context.height for tile in tiles))
        width = max(LEAST, *(tile.context.width for tile in tiles))
        alignment, edge = self._workers[0].alignment, self.edge
        whole = Box(0, 0, source.height, source.width).padded(edge).aligned(alignment)
        together = tiles_together(self.device, height * width)

        def piece(tile: Tile) -> TileInput:
            context = tile.context.at_least(height, width).aligned(alignment).within(whole)
            return TileInput(tile.core, context, cut(source, context, edge), source.gray)

        for _, same_shape in groupby(map(piece, tiles), key=lambda piece: piece.context.shape):
            while batch := list(islice(same_shape, together)):
                yield batch


def cut(source: RowSource, context: Box, edge: int) -> np.ndarray:
    """(h, w, C): the pixels of `context`, mirrored by `edge` pixels beyond the image's edge."""
    rows = np.array(reflect_indices(context.top, context.bottom, source.height, edge))
    columns = np.array(reflect_indices(context.left, context.right, source.width, edge))
    band = source.rows(rows.min(), rows.max() + 1)
    return band[rows - rows.min()][:, columns]


Batch = Sequence[TileInput]


def run_batches(
    workers: Sequence[Worker], batches: Iterable[Batch], dtype: torch.dtype
) -> Generator[np.ndarray]:
    """(sh, sw, C) for each piece of the batches, in order, whichever worker made it.

    One tile at a time is done here, where Ctrl-C reaches it. Otherwise each tile has a thread, and
    each GPU two of them: one tile is computed while the last is copied and the next row_source.
    """
    most = max(worker.at_once for worker in workers)
    slots = [worker for slot in range(most) for worker in workers if slot < worker.at_once]
    if len(slots) > 1:
        yield from _in_threads(slots, batches, dtype)
        return
    for batch in batches:
        yield from workers[0].finish(workers[0].begin(batch, dtype))


def _in_threads(
    slots: Sequence[Worker], batches: Iterable[Batch], dtype: torch.dtype
) -> Generator[np.ndarray]:
    """turns: each worker as often as it may have tiles under way."""
    free: SimpleQueue[Worker] = SimpleQueue()
    for worker in slots:
        free.put(worker)

    def make(batch: Batch) -> list[np.ndarray]:
        worker = free.get()
        try:
            return worker.finish(worker.begin(batch, dtype))
        finally:
            free.put(worker)

    pending: deque[Future[list[np.ndarray]]] = deque()
    threads = ThreadPoolExecutor(len(slots))
    try:
        for batch in batches:
            pending.append(threads.submit(make, batch))
            if len(pending) > len(slots):
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)

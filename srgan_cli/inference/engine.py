"""Image and network -> upscaled image, tile by tile, on one or several devices."""

import os
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import groupby, islice
from queue import SimpleQueue
from threading import Lock

import numpy as np
import torch
from torch import nn

from srgan_cli.device import dtype_name
from srgan_cli.images.image import Image
from srgan_cli.inference.row_streams import ImageSink, ImageSource, RowSink, RowSource
from srgan_cli.inference.tiling import (
    MIN_CORE,
    Box,
    Tile,
    batch_size_for,
    plan_tiles,
    reflect_indices,
    tile_side,
)
from srgan_cli.inference.worker import MIN_CONTEXT, TileInput, Worker

CPU = torch.device("cpu")

LogCallback = Callable[[str], None]
"""Called with messages that need no action."""

ProgressCallback = Callable[[int, int], None]
"""Called with the number of tiles done, and of all."""


def no_progress(done: int, total: int) -> None: ...


def warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)


def once(log: LogCallback) -> LogCallback:
    """A callback that passes each text on to `log` only the first time."""
    messages: set[str] = set()
    lock = Lock()

    def log_once(text: str) -> None:
        with lock:
            if text not in messages:
                messages.add(text)
                log(text)

    return log_once


@cache
def _limit_threads_after_fork() -> None:
    """PyTorch's threads do not: a forked process computes alone, or it would wait for them."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))


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
    """Context around a tile's core; None is the network's whole receptive field: exact."""
    edge_padding: int | None = None
    """Input pixels of reflection padding at the image's edges; None is the margin. A network's zero
    padding matters far less than its receptive field."""
    replicas: tuple[Replica, ...] = ()
    """The same generator on other devices, which take a share of each image's tiles."""
    log: LogCallback = warn
    quantized: nn.Module | None = None
    """The generator in int8, where `dtype` is torch.int8; it runs on the CPU."""
    built_in_calibration: bool = False
    """Whether the ranges of its activations were measured on loading."""

    def __post_init__(self) -> None:
        """Channels last is the layout in which convolutions are fastest, on CPUs as on GPUs."""
        for one in self._replicas:
            one.generator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        _limit_threads_after_fork()

    @property
    def scale(self) -> int:
        return int(self.generator.scale)  # type: ignore[arg-type]

    @property
    def devices(self) -> tuple[torch.device, ...]:
        return tuple(replica.device for replica in self._replicas)

    @property
    def precision(self) -> str:
        """The name of `dtype`, such as "float32"."""
        return dtype_name(self.dtype)

    @property
    def _replicas(self) -> tuple[Replica, ...]:
        return (Replica(self.generator, self.device), *self.replicas)

    @cached_property
    def context(self) -> int:
        return int(self.generator.receptive_field) if self.margin is None else self.margin  # type: ignore[arg-type]

    @property
    def edge(self) -> int:
        return self.context if self.edge_padding is None else min(self.edge_padding, self.context)

    @cached_property
    def core(self) -> int:
        return self.tile or min(
            tile_side(replica.generator, replica.device, self.context) for replica in self._replicas
        )

    @cached_property
    def _workers(self) -> tuple[Worker, ...]:
        return tuple(
            Worker(replica.generator, replica.device, self.context, self.log, self.quantized)
            for replica in self._replicas
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
        """Read from `source` a row of tiles at a time, and write each row to `sink` once complete.

        dtype: of convolutions; None is the engine's.
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
        """Side of a tile's core. Several devices each get a part of the image."""
        if self.tile or not self.replicas:
            return self.core
        share = int((height * width / len(self.devices) / 2) ** 0.5)
        return min(self.core, max(share, MIN_CORE))

    def _batches(self, source: RowSource, tiles: Sequence[Tile]) -> Iterator[Sequence[TileInput]]:
        """Batches of consecutive tiles whose contexts have one shape."""
        height = max(MIN_CONTEXT, *(tile.context.height for tile in tiles))
        width = max(MIN_CONTEXT, *(tile.context.width for tile in tiles))
        alignment, edge = self._workers[0].alignment, self.edge
        whole = Box(0, 0, source.height, source.width).padded(edge).aligned(alignment)
        batch_size = batch_size_for(self.device, height * width)

        def to_input(tile: Tile) -> TileInput:
            context = tile.context.at_least(height, width).aligned(alignment).within(whole)
            return TileInput(tile.core, context, read_context(source, context, edge), source.gray)

        for _, same_shape in groupby(map(to_input, tiles), key=lambda tile: tile.context.shape):
            while batch := list(islice(same_shape, batch_size)):
                yield batch


def read_context(source: RowSource, context: Box, edge: int) -> np.ndarray:
    """(h, w, C): the pixels of `context`, with `edge` pixels of reflection padding."""
    rows = reflect_indices(context.top, context.bottom, source.height, edge)
    columns = reflect_indices(context.left, context.right, source.width, edge)
    band = source.rows(rows.min(), rows.max() + 1)
    return band[rows - rows.min()][:, columns]


Batch = Sequence[TileInput]


def run_batches(
    workers: Sequence[Worker], batches: Iterable[Batch], dtype: torch.dtype
) -> Generator[np.ndarray]:
    """(sh, sw, C) for each tile of the batches, in order, from any worker.

    A single slot runs in this thread, where Ctrl-C reaches it. Otherwise each slot has a thread,
    and each GPU two of them: one batch is computed while the last is copied and the next is read.
    """
    max_slots = max(worker.max_pending for worker in workers)
    slots = [worker for slot in range(max_slots) for worker in workers if slot < worker.max_pending]
    if len(slots) > 1:
        yield from _in_threads(slots, batches, dtype)
        return
    for batch in batches:
        yield from workers[0].finish(workers[0].begin(batch, dtype))


def _in_threads(
    slots: Sequence[Worker], batches: Iterable[Batch], dtype: torch.dtype
) -> Generator[np.ndarray]:
    idle: SimpleQueue[Worker] = SimpleQueue()
    for worker in slots:
        idle.put(worker)

    def make(batch: Batch) -> list[np.ndarray]:
        worker = idle.get()
        try:
            return worker.finish(worker.begin(batch, dtype))
        finally:
            idle.put(worker)

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

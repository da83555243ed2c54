"""Tiles of one picture shared among devices; the results come in the tiles' own order."""

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np
import torch

from srgan_cli.inference.worker import Piece, Worker

Batch = Sequence[Piece]


def run_batches(
    workers: Sequence[Worker], batches: Iterable[Batch], dtype: torch.dtype
) -> Generator[np.ndarray]:
    """(sh, sw, C) for each piece of the batches, in order, whichever worker made it.

    One tile at a time is done here, where Ctrl-C reaches it. Otherwise each tile has a thread, and
    each GPU two of them: one tile is computed while the last is copied and the next row_source.
    """
    most = max(worker.at_once for worker in workers)
    turns = [worker for turn in range(most) for worker in workers if turn < worker.at_once]
    if len(turns) > 1:
        yield from _in_threads(turns, batches, dtype)
        return
    for batch in batches:
        yield from workers[0].finish(workers[0].begin(batch, dtype))


def _in_threads(
    turns: Sequence[Worker], batches: Iterable[Batch], dtype: torch.dtype
) -> Generator[np.ndarray]:
    """turns: each worker as often as it may have tiles under way."""
    free: SimpleQueue[Worker] = SimpleQueue()
    for worker in turns:
        free.put(worker)

    def make(batch: Batch) -> list[np.ndarray]:
        worker = free.get()
        try:
            return worker.finish(worker.begin(batch, dtype))
        finally:
            free.put(worker)

    pending: deque[Future[list[np.ndarray]]] = deque()
    threads = ThreadPoolExecutor(len(turns))
    try:
        for batch in batches:
            pending.append(threads.submit(make, batch))
            if len(pending) > len(turns):
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)

"""Jobs done one after another: while one computes, the next is read and the last is written."""

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from srgan_cli.batch.inputs import exists
from srgan_cli.batch.naming import STREAM, Job
from srgan_cli.batch.outputs import put
from srgan_cli.batch.upscaling import Maker, frames_of
from srgan_cli.errors import ImageError, SrganError
from srgan_cli.files import printable, remove_stale_parts
from srgan_cli.images.formats import Encoding
from srgan_cli.images.image import Picture
from srgan_cli.images.lazy import LazyImage, open_lazy
from srgan_cli.images.read import read_bytes, read_picture
from srgan_cli.inference.engine import CPU, ProgressCallback, no_progress
from srgan_cli.inference.memory import free_bytes
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.settings import ImageSize

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class Work:
    """How each job is done. watch: gives what is told of a job's progress. free: bytes of memory
    that a result may take.
    """

    pipeline: UpscalePipeline
    encoding: Encoding
    max_pixels: int
    skip_existing: bool = False
    watch: Callable[[Job], ProgressCallback] = lambda job: no_progress
    free: Callable[[], int] = lambda: free_bytes(CPU)


@dataclass(frozen=True)
class Outcome:
    """What became of a job. error: why there is no output, else None.

    passes: the scales of the networks that ran, in order.
    """

    job: Job
    before: ImageSize | None = None
    after: ImageSize | None = None
    passes: tuple[int, ...] = ()
    seconds: float = 0.0
    error: str | None = None
    skipped: bool = False


@dataclass(frozen=True, eq=False)
class _Piece:
    """A job on its way, with the picture that was read; None where there is nothing to do."""

    outcome: Outcome
    began: float
    picture: Picture | LazyImage | None = None


@dataclass(frozen=True, eq=False)
class _Result:
    """A job on its way, with the picture to write; None where there is nothing to write."""

    outcome: Outcome
    began: float
    picture: Picture | None = None


def run_jobs(jobs: Iterable[Job], work: Work) -> Iterator[Outcome]:
    """An outcome for each job, in order. A job that fails leaves the others alone.

    An exception from outside, such as KeyboardInterrupt, lets the file being written be completed.
    """
    read = _one_ahead(lambda job: _read(job, work), jobs)
    computed = (_compute(piece, work) for piece in read)
    yield from _one_ahead(lambda piece: _write(piece, work), computed)


def _one_ahead(function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """`map(function, items)` in a thread, one item ahead of whoever consumes it."""
    thread = ThreadPoolExecutor(1)
    pending: deque[Future[Out]] = deque()
    try:
        for item in items:
            pending.append(thread.submit(function, item))
            if len(pending) > 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        thread.shutdown(cancel_futures=True)


def _read(job: Job, work: Work) -> _Piece:
    began = time.monotonic()
    if job.problem is not None:
        return _Piece(Outcome(job, error=job.problem), began)
    if job.target != STREAM:
        remove_stale_parts(Path(os.path.realpath(job.target)))
    if work.skip_existing and job.target != STREAM and exists(job.target):
        return _Piece(Outcome(job, skipped=True), began)
    try:
        picture = _picture(job, work.max_pixels)
    except SrganError as error:
        return _Piece(Outcome(job, error=str(error)), began)
    return _Piece(Outcome(job, before=_sides(picture)), began, picture)


def _picture(job: Job, max_pixels: int) -> Picture | LazyImage:
    if job.source != STREAM:
        large = open_lazy(job.source, max_pixels=max_pixels)
        return large or read_picture(job.source, max_pixels=max_pixels)
    if sys.stdin is None:
        raise ImageError("standard input is closed: give a file, or pipe a picture into it")
    return read_bytes(sys.stdin.buffer.read(), "-", max_pixels=max_pixels)


def _compute(piece: _Piece, work: Work) -> _Result:
    outcome = piece.outcome
    tell = work.watch(outcome.job)
    if piece.picture is None:
        tell(1, 1)
        return _Result(outcome, piece.began)
    try:
        picture = _made(piece.picture, outcome.job, work, tell)
    except SrganError as error:
        return _Result(replace(outcome, error=str(error)), piece.began)
    first = frames_of(piece.picture)[0]
    after = work.pipeline.output_size(first.height, first.width)
    passes = work.pipeline.passes(first.height, first.width)
    return _Result(replace(outcome, after=after, passes=passes), piece.began, picture)


def _made(
    picture: Picture | LazyImage, job: Job, work: Work, tell: ProgressCallback
) -> Picture | None:
    maker = Maker(work.pipeline, work.encoding, work.free())
    try:
        return maker.made(picture, job, tell)
    except MemoryError as error:
        name = printable(job.source)
        raise ImageError(f"{name}: its result needs more memory than there is") from error


def _write(piece: _Result, work: Work) -> Outcome:
    outcome = piece.outcome
    if piece.picture is not None:
        try:
            put(piece.picture, outcome.job, work.encoding)
        except SrganError as error:
            outcome = replace(outcome, error=str(error), after=None)
    return replace(outcome, seconds=time.monotonic() - piece.began)


def _sides(picture: Picture | LazyImage) -> ImageSize:
    first = frames_of(picture)[0]
    return ImageSize(first.height, first.width)

"""Jobs, read | computed | written: while one computes, the next is read and the last is written.

A failure of any kind is that job's outcome and never the batch's.
"""

import os
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import TypeVar

from srgan_cli.batch.naming import STREAM, Job
from srgan_cli.batch.plan import exists
from srgan_cli.batch.prepare import convert_header, convert_picture
from srgan_cli.batch.upscaling import Maker, check_output, first_frame, make_folder, notes_of, put
from srgan_cli.device import free_bytes
from srgan_cli.errors import ImageError, SrganError, describe_error
from srgan_cli.files import (
    FileLock,
    lock_target,
    printable,
    remove_stale_parts,
    writable_target,
)
from srgan_cli.images.formats import Encoding, check_target, format_of
from srgan_cli.images.header import read_header
from srgan_cli.images.image import AnyImage, Image, LazyImage
from srgan_cli.images.read import open_lazy, read_bytes, read_frames
from srgan_cli.images.write import list_losses
from srgan_cli.inference.engine import CPU, ProgressCallback, no_progress
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.settings import NO_CONVERSION, Conversion, ImageSize

In = TypeVar("In")
Out = TypeVar("Out")

CHUNK = 1 << 20  # bytes of standard input that are read at once


@dataclass(frozen=True)
class Work:
    """How each job is done. watch: gives what is told of a job's progress. free: bytes of memory
    that a result may take. keep_time: whether an output gets the modification time of its input.
    """

    pipeline: UpscalePipeline
    encoding: Encoding
    max_pixels: int
    skip_existing: bool = False
    keep_time: bool = False
    conversion: Conversion = NO_CONVERSION
    watch: Callable[[Job], ProgressCallback] = lambda job: no_progress
    free: Callable[[], int] = lambda: free_bytes(CPU)


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    error: why there is no output, else None. trace: the traceback of an error that nobody foresaw.
    skipped: whether it was left out, because the output exists or, where `locked`, because another
    process is writing it. passes: the scales of the networks that ran, in order. notes: what
    reading left out. losses: what the output's format cannot hold.
    """

    job: Job
    before: ImageSize | None = None
    after: ImageSize | None = None
    passes: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str | None = None
    skipped: bool = False
    locked: bool = False
    trace: str | None = None

    def failed(self, error: Exception) -> "Outcome":
        """With what `error` means to a person, in one line."""
        text = printable(describe_error(self.job.source, error))
        foreseen = isinstance(error, SrganError | MemoryError)
        trace = None if foreseen else _trace_of(error)
        return replace(self, error=text, after=None, trace=trace)


def _trace_of(error: Exception) -> str:
    return "".join(traceback.format_exception(error, limit=-30))


@dataclass(frozen=True, eq=False)
class _Stage:
    """A job on its way: with the picture that was read or made; None where nothing is to do."""

    outcome: Outcome
    began: float
    picture: AnyImage | LazyImage | None = None


def run_jobs(jobs: Iterable[Job], work: Work) -> Generator[Outcome, None, None]:
    """An outcome for each job, in order. A job that fails leaves the others alone.

    Close it after an exception from outside, such as KeyboardInterrupt: that completes the file
    being written and releases what is locked.
    """
    run = _Run(work)
    try:
        with closing(_one_ahead(run.read, jobs, wait=False)) as read:
            yield from _one_ahead(run.write, map(run.compute, read), wait=True)
    finally:
        run.release_all()


def dry_run(job: Job, work: Work) -> Outcome:
    """What `run_jobs` would report, as far as the header of the input tells. Writes nothing."""
    outcome = Outcome(job, error=job.problem)
    if outcome.error is not None or job.source == STREAM:
        return outcome
    if work.skip_existing and job.target != STREAM and exists(job.target):
        return replace(outcome, skipped=True)
    try:
        return _dry_run(outcome, work)
    except Exception as error:
        return outcome.failed(error)


def _dry_run(outcome: Outcome, work: Work) -> Outcome:
    job = outcome.job
    header = convert_header(read_header(job.source, max_pixels=work.max_pixels), work.conversion)
    size = work.pipeline.output_size(header.height, header.width)
    check_target(
        job.target,
        work.encoding,
        height=size.height,
        width=size.width,
        depth=header.depth,
        alpha=header.alpha,
        frames=header.frames,
        animated=header.animated,
    )
    if job.target != STREAM:
        writable_target(job.target)
    before = ImageSize(header.height, header.width)
    passes = work.pipeline.passes(header.height, header.width)
    return replace(outcome, before=before, after=size, passes=passes)


def _one_ahead(
    function: Callable[[In], Out], items: Iterable[In], *, wait: bool
) -> Generator[Out, None, None]:
    """`map(function, items)` in a thread, one item ahead of whoever consumes it.

    wait: whether to wait for the item in hand when the consumer stops early.
    """
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
        thread.shutdown(wait=wait, cancel_futures=True)


@dataclass(frozen=True)
class _Run:
    """The three steps of a job, each of which catches what goes wrong in it."""

    work: Work
    locks: dict[Path, FileLock] = field(default_factory=dict)
    ended: Event = field(default_factory=Event)

    def read(self, job: Job) -> _Stage:
        began = time.monotonic()
        outcome = Outcome(job, error=job.problem)
        if outcome.error is not None:
            return _Stage(outcome, began)
        try:
            return self._read(outcome, began)
        except Exception as error:
            return _Stage(outcome.failed(error), began)

    def _read(self, outcome: Outcome, began: float) -> _Stage:
        job, work = outcome.job, self.work
        if job.target != STREAM:
            remove_stale_parts(_real(job.target))
        if self._is_done(job):
            return _Stage(replace(outcome, skipped=True), began)
        original = read_input(job.source, work.max_pixels, work.free())
        picture = convert_picture(original, work.conversion)
        first = first_frame(picture)
        sizes = check_output(picture, job.target, work.encoding, work.pipeline)
        passes = work.pipeline.passes(first.height, first.width)
        before = ImageSize(first.height, first.width)
        if job.target != STREAM and not self._lock(job):
            return _Stage(replace(outcome, skipped=True, locked=True), began)
        if self._is_done(job):  # by another process, meanwhile
            return _Stage(replace(outcome, skipped=True), began)
        outcome = replace(outcome, before=before, after=sizes[0], passes=passes)
        outcome = replace(outcome, notes=notes_of(picture), losses=self._losses(first, job))
        return _Stage(outcome, began, picture)

    def _losses(self, image: Image, job: Job) -> tuple[str, ...]:
        encoding = self.work.encoding
        kept = Image(image.pixels, converted_from=image.converted_from) if encoding.strip else image
        return list_losses(kept, format_of(job.target, encoding))

    def _is_done(self, job: Job) -> bool:
        return self.work.skip_existing and job.target != STREAM and exists(job.target)

    def _lock(self, job: Job) -> bool:
        make_folder(job)
        lock = lock_target(job.target)
        if lock is not None:
            self.locks[job.target] = lock
            if self.ended.is_set():
                self._release(job)
        return lock is not None

    def compute(self, stage: _Stage) -> _Stage:
        job = stage.outcome.job
        progress = self.work.watch(job)
        if stage.picture is None:
            progress(1, 1)
            return stage
        maker = Maker(self.work.pipeline, self.work.encoding, self.work.free())
        try:
            return replace(stage, picture=maker.made(stage.picture, job, progress))
        except Exception as error:
            return _Stage(stage.outcome.failed(error), stage.began)

    def write(self, stage: _Stage) -> Outcome:
        outcome = stage.outcome
        try:
            if stage.picture is not None:
                assert not isinstance(stage.picture, LazyImage)
                put(stage.picture, outcome.job, self.work.encoding)
            if self.work.keep_time and outcome.after is not None:
                _copy_time(outcome.job)
        except Exception as error:
            outcome = outcome.failed(error)
        finally:
            self._release(outcome.job)
        return replace(outcome, seconds=time.monotonic() - stage.began)

    def _release(self, job: Job) -> None:
        lock = self.locks.pop(job.target, None)
        if lock is not None:
            lock.release()

    def release_all(self) -> None:
        self.ended.set()
        while self.locks:
            self.locks.popitem()[1].release()


def _copy_time(job: Job) -> None:
    found = job.source.stat()
    os.utime(job.target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def read_input(source: Path, max_pixels: int, free: int) -> AnyImage | LazyImage:
    """free: bytes of memory, which bound standard input. Raises ImageError."""
    if source != STREAM:
        lazy = open_lazy(source)
        return lazy or read_frames(source, max_pixels=max_pixels)
    if sys.stdin is None:
        raise ImageError("standard input is closed: give a file, or pipe a picture into it")
    data = bytearray()
    while chunk := sys.stdin.buffer.read(CHUNK):
        data += chunk
        if len(data) > free // 2:
            raise ImageError(f"-: has more than {len(data):,} bytes: save it to a file first")
    return read_bytes(bytes(data), "-", max_pixels=max_pixels)

"""Runs jobs: while one is computed, the next is read and the last is written.

Any failure is that job's outcome and does not stop the batch. A dry run tells what becomes of a
job as far as the header of its input does, and writes nothing.
"""

import math
import os
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from threading import Event
from typing import TypeVar

from srgan_cli.batch.output_names import STREAM
from srgan_cli.batch.plan import Job, exists
from srgan_cli.batch.upscale_job import (
    check_output,
    compute_output,
    convert_header,
    convert_image,
    frames_of,
    make_folder,
    read_input,
    write_output,
)
from srgan_cli.device import free_bytes
from srgan_cli.errors import SrganError, describe_error
from srgan_cli.files import FileLock, lock_target, printable, remove_stale_parts, writable_target
from srgan_cli.images.formats import Encoding, check_target, format_of
from srgan_cli.images.image import AnyImage, Image, LazyImage
from srgan_cli.images.read import read_header
from srgan_cli.images.write import list_losses
from srgan_cli.inference.engine import CPU, ProgressCallback, no_progress
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.settings import NO_CONVERSION, Conversion, ImageSize

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class JobOptions:
    """Settings of all jobs.

    progress: returns the callback for a job. free: bytes of memory that an output may take.
    max_bytes: of standard input, which takes half of `free` at most.
    keep_time: give outputs the modification time of their inputs.
    """

    pipeline: UpscalePipeline
    encoding: Encoding
    max_pixels: int
    skip_existing: bool = False
    keep_time: bool = False
    conversion: Conversion = NO_CONVERSION
    progress: Callable[[Job], ProgressCallback] = lambda job: no_progress
    free: Callable[[], int] = lambda: free_bytes(CPU)
    max_bytes: float = math.inf


@dataclass(frozen=True)
class Outcome:
    """The result of a job.

    before, after: sizes of input and output. passes: scales of the networks that ran, in order.
    error: why there is no output, else None. trace: the traceback of an unexpected error.
    skipped: the output exists or, if `locked`, another process is writing it. notes: what was
    ignored in reading. unsupported_metadata: what the output format cannot hold. seconds: from
    reading to writing, with waiting; compute_seconds: of the networks.
    """

    job: Job
    before: ImageSize | None = None
    after: ImageSize | None = None
    passes: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    unsupported_metadata: tuple[str, ...] = ()
    seconds: float = 0.0
    compute_seconds: float = 0.0
    error: str | None = None
    skipped: bool = False
    locked: bool = False
    trace: str | None = None

    def failed(self, error: Exception) -> "Outcome":
        """This outcome with `error` as one line, and its traceback if it is unexpected."""
        text = printable(describe_error(self.job.source, error))
        expected = isinstance(error, SrganError | MemoryError)
        trace = None if expected else "".join(traceback.format_exception(error, limit=-30))
        return replace(self, error=text, after=None, trace=trace)


@dataclass(frozen=True, eq=False)
class _JobState:
    """A job between two steps. image: read or upscaled; None where nothing is left to do."""

    outcome: Outcome
    started: float
    image: AnyImage | LazyImage | None = None


def run_jobs(jobs: Iterable[Job], options: JobOptions) -> Generator[Outcome, None, None]:
    """Yields an outcome for each job, in order.

    Close the generator after an exception such as KeyboardInterrupt: that completes the file being
    written and releases the locks.
    """
    run = _JobRunner(options)
    try:
        with closing(_prefetch(run.read, jobs, wait=False)) as read:
            yield from _prefetch(run.write, map(run.compute, read), wait=True)
    finally:
        run.release_all()


def _prefetch(
    function: Callable[[In], Out], items: Iterable[In], *, wait: bool
) -> Generator[Out, None, None]:
    """`map(function, items)` in a thread, one item ahead of the consumer.

    wait: whether to wait for the current item when the consumer stops early.
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
class _JobRunner:
    """The three steps of a job. Each turns exceptions into the job's outcome."""

    options: JobOptions
    locks: dict[Path, FileLock] = field(default_factory=dict)
    closing: Event = field(default_factory=Event)

    def read(self, job: Job) -> _JobState:
        state = _JobState(Outcome(job, error=job.problem), time.monotonic())
        try:
            return state if job.problem is not None else self._read(state)
        except Exception as error:
            return replace(state, outcome=state.outcome.failed(error))

    def _read(self, state: _JobState) -> _JobState:
        job, options = state.outcome.job, self.options
        skipped = replace(state, outcome=replace(state.outcome, skipped=True))
        if job.target != STREAM:
            remove_stale_parts(Path(os.path.realpath(job.target)))
        if _is_done(job, options):
            return skipped
        limit = min(options.max_bytes, options.free() // 2)
        original = read_input(job.source, options.max_pixels, limit)
        image = convert_image(original, options.conversion, job.source)
        frames = frames_of(image)
        first, losses = frames[0], partial(self._unsupported_metadata, job)
        outcome = replace(
            state.outcome,
            before=ImageSize(first.height, first.width),
            after=check_output(image, job.target, options.encoding, options.pipeline),
            passes=options.pipeline.passes(first.height, first.width),
            notes=_once(frame.notes for frame in frames),
            unsupported_metadata=_once(map(losses, frames)),
        )
        if job.target != STREAM and not self._lock(job):
            return replace(skipped, outcome=replace(skipped.outcome, locked=True))
        if _is_done(job, options):  # by another process, meanwhile
            return skipped
        return replace(state, outcome=outcome, image=image)

    def _unsupported_metadata(self, job: Job, image: Image) -> tuple[str, ...]:
        encoding = self.options.encoding
        kept = Image(image.pixels, converted_from=image.converted_from) if encoding.strip else image
        return list_losses(kept, format_of(job.target, encoding))

    def _lock(self, job: Job) -> bool:
        make_folder(job)
        lock = lock_target(job.target)
        if lock is not None:
            self.locks[job.target] = lock
            if self.closing.is_set():
                self._release(job)
        return lock is not None

    def compute(self, state: _JobState) -> _JobState:
        job, options = state.outcome.job, self.options
        progress = options.progress(job)
        if state.image is None:
            progress(1, 1)
            return state
        started = time.monotonic()
        try:
            image = compute_output(
                state.image, job, options.pipeline, options.encoding, options.free(), progress
            )
            outcome = replace(state.outcome, compute_seconds=time.monotonic() - started)
            return replace(state, outcome=outcome, image=image)
        except Exception as error:
            return _JobState(state.outcome.failed(error), state.started)

    def write(self, state: _JobState) -> Outcome:
        outcome = state.outcome
        try:
            if state.image is not None:
                assert not isinstance(state.image, LazyImage)
                write_output(state.image, outcome.job, self.options.encoding)
            if self.options.keep_time and outcome.after is not None:
                _copy_time(outcome.job)
        except Exception as error:
            outcome = outcome.failed(error)
        finally:
            self._release(outcome.job)
        return replace(outcome, seconds=time.monotonic() - state.started)

    def _release(self, job: Job) -> None:
        lock = self.locks.pop(job.target, None)
        if lock is not None:
            lock.release()

    def release_all(self) -> None:
        self.closing.set()
        while self.locks:
            self.locks.popitem()[1].release()


def _once(texts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Those of all frames, each a single time."""
    return tuple(dict.fromkeys(chain.from_iterable(texts)))


def _is_done(job: Job, options: JobOptions) -> bool:
    return options.skip_existing and job.target != STREAM and exists(job.target)


def _copy_time(job: Job) -> None:
    status = job.source.stat()
    os.utime(job.target, ns=(status.st_atime_ns, status.st_mtime_ns))


def dry_run(job: Job, options: JobOptions) -> Outcome:
    """What `run_jobs` would report, from the header of the input."""
    outcome = Outcome(job, error=job.problem)
    if outcome.error is not None or job.source == STREAM:
        return outcome
    if _is_done(job, options):
        return replace(outcome, skipped=True)
    try:
        return _dry_run(outcome, options)
    except Exception as error:
        return outcome.failed(error)


def _dry_run(outcome: Outcome, options: JobOptions) -> Outcome:
    job, pipeline = outcome.job, options.pipeline
    header = read_header(job.source, max_pixels=options.max_pixels)
    header = convert_header(header, options.conversion, job.source)
    before = ImageSize(header.height, header.width)
    after = pipeline.output_size(header.height, header.width)
    result = replace(header, height=after.height, width=after.width)
    check_target(job.target, options.encoding, result)
    if job.target != STREAM:
        writable_target(job.target)
    passes = pipeline.passes(header.height, header.width)
    return replace(outcome, before=before, after=after, passes=passes)


def check_job(job: Job, options: JobOptions) -> Job:
    """The job; with its problem, where the header of its input or its output tells one."""
    outcome = dry_run(job, options)
    expected = outcome.trace is None  # others are reported when the job runs
    return replace(job, problem=outcome.error) if expected else job

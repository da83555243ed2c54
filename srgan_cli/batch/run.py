"""Jobs done one after another: while one computes, the next is read and the last is written."""

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from srgan_cli.batch.finding import exists
from srgan_cli.batch.naming import STREAM, Job
from srgan_cli.engine.enlarger import Enlarger, part
from srgan_cli.engine.size import Sides
from srgan_cli.engine.upscaler import Tell, silent
from srgan_cli.errors import ImageError, SrganError
from srgan_cli.images.atomic import part_name, shown
from srgan_cli.images.encoding import Encoding
from srgan_cli.images.formats import check_target
from srgan_cli.images.read import read_bytes, read_picture
from srgan_cli.images.value import Image, Sequence
from srgan_cli.images.write import encode, write_picture

Picture = Image | Sequence
In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class Work:
    """How each job is done. watch: gives what is told of a job's progress."""

    enlarger: Enlarger
    encoding: Encoding
    max_pixels: int
    skip_existing: bool = False
    watch: Callable[[Job], Tell] = lambda job: silent


@dataclass(frozen=True)
class Outcome:
    """What became of a job. error: why there is no output, else None.

    passes: the scales of the networks that ran, in order.
    """

    job: Job
    before: Sides | None = None
    after: Sides | None = None
    passes: tuple[int, ...] = ()
    seconds: float = 0.0
    error: str | None = None
    skipped: bool = False


@dataclass(frozen=True, eq=False)
class _Piece:
    """A job on its way, with the picture as it is now; None once it is done or has failed."""

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
    _remove_leftover(job)
    if work.skip_existing and job.target != STREAM and exists(job.target):
        return _Piece(Outcome(job, skipped=True), began)
    try:
        picture = _picture(job, work.max_pixels)
    except SrganError as error:
        return _Piece(Outcome(job, error=str(error)), began)
    return _Piece(Outcome(job, before=_sides(picture)), began, picture)


def _remove_leftover(job: Job) -> None:
    """What a killed run may have left beside the target. Nobody else writes there: see `plan`."""
    if job.target != STREAM:
        with suppress(OSError):
            part_name(Path(os.path.realpath(job.target))).unlink()


def _picture(job: Job, max_pixels: int) -> Picture:
    if job.source != STREAM:
        return read_picture(job.source, max_pixels=max_pixels)
    if sys.stdin is None:
        raise ImageError("standard input is closed: give a file, or pipe a picture into it")
    return read_bytes(sys.stdin.buffer.read(), "-", max_pixels=max_pixels)


def _compute(piece: _Piece, work: Work) -> _Piece:
    outcome = piece.outcome
    tell = work.watch(outcome.job)
    if piece.picture is None:
        tell(1, 1)
        return piece
    try:
        _check(piece.picture, outcome.job, work)
        picture = _enlarged(piece.picture, work.enlarger, tell)
    except SrganError as error:
        return _failed(piece, str(error))
    except MemoryError:
        name = shown(outcome.job.source)
        return _failed(piece, f"{name}: its result needs more memory than there is")
    first = _frames(piece.picture)[0]
    passes = work.enlarger.passes(first.height, first.width)
    return replace(
        piece, picture=picture, outcome=replace(outcome, after=_sides(picture), passes=passes)
    )


def _failed(piece: _Piece, error: str) -> _Piece:
    return replace(piece, picture=None, outcome=replace(piece.outcome, error=error))


def _check(picture: Picture, job: Job, work: Work) -> None:
    """ImageError, before the work, for what the target's format cannot hold."""
    frames = _frames(picture)
    path = job.target
    for frame in frames:
        sides = work.enlarger.sides(frame.height, frame.width)
        check_target(
            path,
            work.encoding,
            height=sides.height,
            width=sides.width,
            depth=frame.depth,
            alpha=frame.alpha is not None,
            frames=len(frames),
            animated=isinstance(picture, Sequence) and picture.animated,
        )


def _enlarged(picture: Picture, enlarger: Enlarger, tell: Tell) -> Picture:
    if isinstance(picture, Image):
        return enlarger(picture, tell)
    share = 1 / len(picture.images)
    images = [
        enlarger(image, part(tell, number * share, share))
        for number, image in enumerate(picture.images)
    ]
    return replace(picture, images=tuple(images))


def _write(piece: _Piece, work: Work) -> Outcome:
    outcome = piece.outcome
    if piece.picture is not None:
        try:
            _put(piece.picture, outcome.job, work.encoding)
        except SrganError as error:
            outcome = replace(outcome, error=str(error), after=None)
    return replace(outcome, seconds=time.monotonic() - piece.began)


def _put(picture: Picture, job: Job, encoding: Encoding) -> None:
    if job.target == STREAM:
        _to_stdout(encode(picture, encoding))
        return
    if job.target.parent != job.source.parent:
        _make_folder(job)
    write_picture(picture, job.target, encoding)


def _to_stdout(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        raise ImageError(f"standard output cannot be written ({error.strerror})") from error


def _make_folder(job: Job) -> None:
    with suppress(OSError):  # the writer names what is wrong with it
        job.target.parent.mkdir(parents=True, exist_ok=True)


def _frames(picture: Picture) -> tuple[Image, ...]:
    return picture.images if isinstance(picture, Sequence) else (picture,)


def _sides(picture: Picture) -> Sides:
    first = _frames(picture)[0]
    return Sides(first.height, first.width)

"""Jobs done one after another: while one computes, the next is read and the last is written."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from srgan_cli.batch.naming import STREAM, Job
from srgan_cli.engine.enlarger import Enlarger
from srgan_cli.engine.size import Sides
from srgan_cli.engine.upscaler import Tell, silent
from srgan_cli.errors import SrganError
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
    """How each job is done. watch: gives what is told of a job's tiles."""

    enlarger: Enlarger
    encoding: Encoding
    max_pixels: int
    skip_existing: bool = False
    watch: Callable[[Job], Tell] = lambda job: silent


@dataclass(frozen=True)
class Outcome:
    """What became of a job. error: why there is no output, else None."""

    job: Job
    before: Sides | None = None
    after: Sides | None = None
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
    """An outcome for each job, in order. A job that fails leaves the others alone."""
    read = _one_ahead(lambda job: _read(job, work), jobs)
    computed = (_compute(piece, work) for piece in read)
    yield from _one_ahead(lambda piece: _write(piece, work), computed)


def _one_ahead(function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """`map(function, items)` in a thread, one item ahead of whoever consumes it."""
    with ThreadPoolExecutor(1) as thread:
        pending: deque[Future[Out]] = deque()
        for item in items:
            pending.append(thread.submit(function, item))
            if len(pending) > 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _read(job: Job, work: Work) -> _Piece:
    began = time.monotonic()
    if work.skip_existing and job.target != STREAM and job.target.exists():
        return _Piece(Outcome(job, skipped=True), began)
    try:
        picture = _picture(job, work.max_pixels)
    except SrganError as error:
        return _Piece(Outcome(job, error=str(error)), began)
    return _Piece(Outcome(job, before=_sides(picture)), began, picture)


def _picture(job: Job, max_pixels: int) -> Picture:
    if job.source == STREAM:
        return read_bytes(sys.stdin.buffer.read(), "-", max_pixels=max_pixels)
    return read_picture(job.source, max_pixels=max_pixels)


def _compute(piece: _Piece, work: Work) -> _Piece:
    if piece.picture is None:
        return piece
    try:
        _check(piece.picture, piece.outcome.job, work)
        picture = _enlarged(piece.picture, work, piece.outcome.job)
    except SrganError as error:
        return replace(piece, picture=None, outcome=replace(piece.outcome, error=str(error)))
    return replace(piece, picture=picture, outcome=replace(piece.outcome, after=_sides(picture)))


def _check(picture: Picture, job: Job, work: Work) -> None:
    """ImageError, before the work, for what the target's format cannot hold."""
    if job.target == STREAM and work.encoding.format is None:
        return  # the writer says so at once
    frames = picture.images if isinstance(picture, Sequence) else (picture,)
    first = frames[0]
    sides = work.enlarger.sides(first.height, first.width)
    check_target(
        job.target,
        work.encoding,
        height=sides.height,
        width=sides.width,
        depth=first.depth,
        alpha=first.alpha is not None,
        frames=len(frames),
        animated=isinstance(picture, Sequence) and picture.animated,
    )


def _enlarged(picture: Picture, work: Work, job: Job) -> Picture:
    tell = work.watch(job)
    if isinstance(picture, Image):
        return work.enlarger(picture, tell)
    return replace(picture, images=tuple(work.enlarger(image, tell) for image in picture.images))


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
        sys.stdout.buffer.write(encode(picture, encoding))
        sys.stdout.buffer.flush()
        return
    if job.target.parent != job.source.parent:
        _make_folder(job)
    write_picture(picture, job.target, encoding)


def _make_folder(job: Job) -> None:
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # the writer names what is wrong with it


def _sides(picture: Picture) -> Sides:
    first = picture.images[0] if isinstance(picture, Sequence) else picture
    return Sides(first.height, first.width)

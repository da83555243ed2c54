"""An image -> its larger self, gathered in memory or, if large, written as it is computed."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from srgan_cli.batch.naming import STREAM, Job
from srgan_cli.errors import ImageError
from srgan_cli.files import printable
from srgan_cli.images.formats import CAPABILITIES, Encoding, check_target, format_of
from srgan_cli.images.icc import needs_profile
from srgan_cli.images.image import AnyImage, Image, ImageSequence, LazyImage
from srgan_cli.images.write import (
    ROW_FORMATS,
    RowWriter,
    encode,
    row_writer,
    row_writer_to_stream,
    write_image,
)
from srgan_cli.inference.alpha import row_source
from srgan_cli.inference.engine import ProgressCallback
from srgan_cli.inference.pipeline import UpscalePipeline, part
from srgan_cli.settings import ImageSize

MOST = 1 << 28
"""Bytes of samples that are gathered where it is not needed, however much memory is free.

Gathered results are encoded while the next picture is computed.
"""

COPIES = 4
"""Times that a result lies in memory while another program's encoder works on it.

Ours, alpha beside the colours, the encoder's own (four bytes a pixel), and the file.
"""


def bytes_of(frames: Sequence[Image], sides: Sequence[ImageSize]) -> int:
    """Of the samples of the result. sides: of the result of each frame."""
    return sum(
        side.height * side.width * frame.channels * frame.pixels.itemsize
        for frame, side in zip(frames, sides, strict=True)
    )


def by_rows(path: Path, name: str, animated: bool, size: int, free: int) -> bool:
    """Whether the file `path` of the format `name` is best written as it is computed.

    size: bytes of the samples. free: bytes of memory. ImageError for a result that must be
    gathered and has no room.
    """
    if name in ROW_FORMATS and not animated:
        return size > min(MOST, free // 2)
    if COPIES * size > free:
        kind = "an animation" if animated else CAPABILITIES[name].title
        raise ImageError(
            f"{printable(path)}: as {kind} the result needs {gigabytes(COPIES * size)} of memory, "
            f"and {gigabytes(free)} are free; save it as PNG or TIFF, which are written as they "
            "are computed, or take a smaller --scale"
        )
    return False


def gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


@dataclass(frozen=True)
class Maker:
    """free: bytes of memory that a result may take."""

    pipeline: UpscalePipeline
    encoding: Encoding
    free: int

    def made(
        self, picture: AnyImage | LazyImage, job: Job, tell: ProgressCallback
    ) -> AnyImage | None:
        """The result; None where it has been written to its file.

        ImageError, before the work, for what memory cannot hold.
        """
        frames, animated = (
            frames_of(picture),
            isinstance(picture, ImageSequence) and picture.animated,
        )
        sides = [self.pipeline.output_size(frame.height, frame.width) for frame in frames]
        name = format_of(job.target, self.encoding)
        if by_rows(job.target, name, animated, bytes_of(frames, sides), self.free):
            self._write(picture, sides, job, tell)
            return None
        return self._gathered(picture, tell)

    def _gathered(self, picture: AnyImage | LazyImage, tell: ProgressCallback) -> AnyImage:
        if not isinstance(picture, ImageSequence):
            return self.pipeline(picture, tell)
        told = shares(tell, len(picture.images))
        images = [self.pipeline(one, own) for one, own in zip(picture.images, told, strict=True)]
        return replace(picture, images=tuple(images))

    def _write(
        self,
        picture: AnyImage | LazyImage,
        sides: list[ImageSize],
        job: Job,
        tell: ProgressCallback,
    ) -> None:
        frames = frames_of(picture)
        results = tuple(
            frame.with_size(size.height, size.width)
            for frame, size in zip(frames, sides, strict=True)
        )
        folder = None if job.target == STREAM else job.target.parent
        sources: tuple[Image | LazyImage, ...] = (
            (picture,) if isinstance(picture, LazyImage) else frames
        )
        with putting(results, job, self.encoding) as sink:
            for source, own in zip(sources, shares(tell, len(frames)), strict=True):
                self.pipeline.run(row_source(source), sink, own, folder)


def check_output(
    picture: AnyImage | LazyImage, target: Path, encoding: Encoding, pipeline: UpscalePipeline
) -> list[ImageSize]:
    """The size of the result of each frame. ImageError for what the target's format cannot hold."""
    frames = frames_of(picture)
    sizes = [pipeline.output_size(frame.height, frame.width) for frame in frames]
    for frame, size in zip(frames, sizes, strict=True):
        check_target(
            target,
            encoding,
            height=size.height,
            width=size.width,
            depth=frame.depth,
            alpha=frame.alpha is not None,
            frames=len(frames),
            animated=isinstance(picture, ImageSequence) and picture.animated,
            profile=needs_profile(frame),
        )
    return sizes


def first_frame(picture: AnyImage | LazyImage) -> Image:
    return frames_of(picture)[0]


def notes_of(picture: AnyImage | LazyImage) -> tuple[str, ...]:
    """Those of all frames, each once."""
    return tuple(dict.fromkeys(text for frame in frames_of(picture) for text in frame.notes))


def shares(tell: ProgressCallback, count: int) -> Iterator[ProgressCallback]:
    """For each of `count` pictures what makes `tell` hear of it as a part of one job."""
    if count == 1:
        yield tell
        return
    for number in range(count):
        yield part(tell, number / count, 1 / count)


def frames_of(picture: AnyImage | LazyImage) -> tuple[Image, ...]:
    """The pictures or pages; of one that is stored all but the samples."""
    if isinstance(picture, ImageSequence):
        return picture.images
    return (picture.image if isinstance(picture, LazyImage) else picture,)


def put(picture: AnyImage, job: Job, encoding: Encoding) -> None:
    if job.target == STREAM:
        data = encode(picture, encoding)
        with _to_stdout() as stream:
            stream.write(data)
        return
    write_image(picture, job.target, encoding)


@contextmanager
def putting(images: tuple[Image, ...], job: Job, encoding: Encoding) -> Iterator[RowWriter]:
    """What takes the rows of `images`, of which only sizes and metadata are looked at."""
    if job.target == STREAM:
        with _to_stdout() as stream, row_writer_to_stream(stream, images, encoding) as sink:
            yield sink
        return
    with row_writer(job.target, images, encoding) as sink:
        yield sink


@contextmanager
def _to_stdout() -> Iterator[BinaryIO]:
    if sys.stdout is None:
        raise ImageError("standard output is closed: name a file with -o")
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except OSError as error:
        raise ImageError(f"standard output cannot be written ({error.strerror})") from error


def make_folder(job: Job) -> None:
    """For the results of a folder; that of the source is there."""
    if job.target.parent != job.source.parent:
        with suppress(OSError):  # the writer names what is wrong with it
            job.target.parent.mkdir(parents=True, exist_ok=True)

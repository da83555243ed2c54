"""A picture -> its larger self, in memory or, where that is large, into its file at once."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from srgan_cli.batch.buffering import by_rows, bytes_of
from srgan_cli.batch.naming import STREAM, Job
from srgan_cli.batch.outputs import putting
from srgan_cli.images.formats import Encoding, check_target, format_of
from srgan_cli.images.icc import needs_profile
from srgan_cli.images.image import Image, ImageSequence, Picture
from srgan_cli.images.lazy import LazyImage
from srgan_cli.inference.alpha import row_source
from srgan_cli.inference.engine import ProgressCallback
from srgan_cli.inference.pipeline import UpscalePipeline, part
from srgan_cli.settings import ImageSize


@dataclass(frozen=True)
class Maker:
    """free: bytes of memory that a result may take."""

    pipeline: UpscalePipeline
    encoding: Encoding
    free: int

    def made(
        self, picture: Picture | LazyImage, job: Job, tell: ProgressCallback
    ) -> Picture | None:
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

    def _gathered(self, picture: Picture | LazyImage, tell: ProgressCallback) -> Picture:
        if not isinstance(picture, ImageSequence):
            return self.pipeline(picture, tell)
        told = shares(tell, len(picture.images))
        images = [self.pipeline(one, own) for one, own in zip(picture.images, told, strict=True)]
        return replace(picture, images=tuple(images))

    def _write(
        self, picture: Picture | LazyImage, sides: list[ImageSize], job: Job, tell: ProgressCallback
    ) -> None:
        frames = frames_of(picture)
        results = tuple(
            frame.sized(size.height, size.width) for frame, size in zip(frames, sides, strict=True)
        )
        folder = None if job.target == STREAM else job.target.parent
        sources: tuple[Image | LazyImage, ...] = (
            (picture,) if isinstance(picture, LazyImage) else frames
        )
        with putting(results, job, self.encoding) as sink:
            for source, own in zip(sources, shares(tell, len(frames)), strict=True):
                self.pipeline.run(row_source(source), sink, own, folder)


def check_output(
    picture: Picture | LazyImage, target: Path, encoding: Encoding, pipeline: UpscalePipeline
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


def first_frame(picture: Picture | LazyImage) -> Image:
    return frames_of(picture)[0]


def remarks_of(picture: Picture | LazyImage) -> tuple[str, ...]:
    """Those of all frames, each once."""
    return tuple(dict.fromkeys(text for frame in frames_of(picture) for text in frame.remarks))


def shares(tell: ProgressCallback, count: int) -> Iterator[ProgressCallback]:
    """For each of `count` pictures what makes `tell` hear of it as a part of one job."""
    if count == 1:
        yield tell
        return
    for number in range(count):
        yield part(tell, number / count, 1 / count)


def frames_of(picture: Picture | LazyImage) -> tuple[Image, ...]:
    """The pictures or pages; of one that is stored all but the samples."""
    if isinstance(picture, ImageSequence):
        return picture.images
    return (picture.image if isinstance(picture, LazyImage) else picture,)

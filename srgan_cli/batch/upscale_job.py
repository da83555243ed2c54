"""The image of a job: read, converted, upscaled and written, a large one by rows meanwhile."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from srgan_cli.batch.output_names import STREAM
from srgan_cli.batch.plan import Job
from srgan_cli.errors import ImageError
from srgan_cli.files import discard_stream, printable
from srgan_cli.images.formats import CAPABILITIES, Encoding, check_target, format_of
from srgan_cli.images.icc import convert_to_srgb, needs_profile
from srgan_cli.images.image import (
    AnyImage,
    Image,
    ImageSequence,
    LazyImage,
    Pixels,
    blank,
    row_bands,
    to_uint8,
    to_uint16,
)
from srgan_cli.images.read import Header, open_lazy, read_bytes, read_frames
from srgan_cli.images.write import (
    ROW_FORMATS,
    properties_of,
    row_writer,
    write_animation,
    write_image,
)
from srgan_cli.inference.engine import ProgressCallback
from srgan_cli.inference.pipeline import UpscalePipeline, split_progress
from srgan_cli.inference.row_streams import row_source
from srgan_cli.settings import Conversion, ImageSize

CHUNK = 1 << 20  # bytes of standard input that are read at once
GRAY = b"GRAY"  # the color space of an ICC profile
GRAY_PROFILE = "its ICC profile is one of gray and is left out: the background has colors"


def read_input(source: Path, max_pixels: int, max_bytes: float) -> AnyImage | LazyImage:
    """Read an image, lazily if possible, or `max_bytes` of stdin. Raises ImageError."""
    if source != STREAM:
        return open_lazy(source) or read_frames(source, max_pixels=max_pixels)
    if sys.stdin is None:
        raise ImageError("standard input is closed: give a file, or pipe an image into it")
    data = bytearray()
    while chunk := sys.stdin.buffer.read(CHUNK):
        data += chunk
        if len(data) > max_bytes:
            raise ImageError(f"-: has more than {max_bytes:,.0f} bytes: save it to a file first")
    if not data:
        raise ImageError("-: standard input is empty: the command before the pipe wrote nothing")
    return read_bytes(bytes(data), "-", max_pixels=max_pixels)


def convert_image(
    image: AnyImage | LazyImage, conversion: Conversion, source: Path = STREAM
) -> AnyImage | LazyImage:
    """Raises ImageError, which names `source`, for a frame that the image does not have."""
    if isinstance(image, LazyImage):  # one frame, without alpha
        _check_frame(conversion, 1, source)
        return _lazy_to_depth(image, conversion.depth)
    frames = frames_of(image)
    _check_frame(conversion, len(frames), source)
    if conversion.frame is not None:
        return _convert(frames[conversion.frame - 1], conversion)
    if isinstance(image, ImageSequence):
        return replace(image, images=tuple(_convert(frame, conversion) for frame in frames))
    return _convert(image, conversion)


def convert_header(header: Header, conversion: Conversion, source: Path = STREAM) -> Header:
    """The header that the converted image would have. Raises ImageError like `convert_image`."""
    _check_frame(conversion, header.frames, source)
    if conversion.frame is not None:
        header = replace(header, frames=1, animated=False)
    if conversion.background is not None:
        header = replace(header, alpha=False)
    return replace(header, depth=conversion.depth or header.depth)


def _check_frame(conversion: Conversion, frames: int, source: Path) -> None:
    if conversion.frame is not None and conversion.frame > frames:
        have = "one frame" if frames == 1 else f"{frames} frames"
        text = f"has {have}: there is no --frame {conversion.frame}"
        raise ImageError(f"{printable(source)}: {text}")


def _convert(image: Image, conversion: Conversion) -> Image:
    if conversion.background is not None and image.alpha is not None:
        image = _flatten(_without_gray_profile(image, conversion.background), conversion.background)
    if conversion.depth is None:
        return image
    alpha = None if image.alpha is None else _to_depth(image.alpha, conversion.depth)
    return replace(image, pixels=_to_depth(image.pixels, conversion.depth), alpha=alpha)


def _flatten(image: Image, background: tuple[int, int, int]) -> Image:
    """Composited over `background`, 8-bit RGB; without alpha."""
    assert image.alpha is not None
    white = np.iinfo(image.pixels.dtype).max
    channels = 1 if _keeps_gray(image, background) else 3
    below = np.array(background[:channels], np.float64) * (white / 255)
    pixels = np.empty((image.height, image.width, channels), image.pixels.dtype)
    for rows in row_bands(pixels):
        alpha = image.alpha[rows, :, None] / white
        pixels[rows] = np.rint(image.pixels[rows] * alpha + below * (1 - alpha))
    return replace(image, pixels=pixels, alpha=None)


def _keeps_gray(image: Image, background: tuple[int, int, int]) -> bool:
    return image.pixels.shape[2] == 1 and len(set(background)) == 1


def _without_gray_profile(image: Image, background: tuple[int, int, int]) -> Image:
    """In sRGB where the image becomes RGB, which a profile of gray does not describe."""
    profile = image.icc_profile
    becomes_color = image.pixels.shape[2] == 1 and not _keeps_gray(image, background)
    if profile is None or profile[16:20] != GRAY or not becomes_color:
        return image
    image = convert_to_srgb(image)
    if image.icc_profile is None:
        return image
    notes = (GRAY_PROFILE,) if needs_profile(image) else ()
    return replace(image, icc_profile=None, notes=(*image.notes, *notes))


def _to_depth(samples: Pixels, depth: int) -> Pixels:
    if depth == 8:
        return to_uint8(samples)
    return to_uint16(samples, 255) if samples.dtype == np.uint8 else samples


def _lazy_to_depth(lazy: LazyImage, depth: int | None) -> LazyImage:
    if depth is None or depth == lazy.image.depth:
        return lazy
    height, width, channels = lazy.image.pixels.shape
    empty = blank(height, width, channels, f"u{depth // 8}")
    image = replace(lazy.image, pixels=empty.pixels)
    return LazyImage(image, lambda top, bottom: _to_depth(lazy.rows(top, bottom), depth))


MAX_BUFFER = 1 << 28
"""Bytes of an output that is held in memory although it can be written by rows or frames.

Outputs in memory are encoded while the next image is computed.
"""

ENCODER_COPIES = 4
"""Copies of an output in memory during encoding by a library.

Ours, alpha beside the colors, the encoder's own (four bytes a pixel), and the file.
"""


def must_stream(path: Path, name: str, animated: bool, size: int, free: int) -> bool:
    """Whether to write the output while it is computed: by rows, an animation by frames.

    name: its format. size: bytes of the samples. free: bytes of memory. Raises ImageError if it
    must be held in memory and does not fit.
    """
    if animated:
        return size > min(MAX_BUFFER, free // ENCODER_COPIES)
    if name in ROW_FORMATS:
        return size > min(MAX_BUFFER, free // 2)
    needed = ENCODER_COPIES * size
    if needed > free:
        raise ImageError(
            f"{printable(path)}: as {CAPABILITIES[name].title} the result needs "
            f"{needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free; save it as PNG or "
            "TIFF, which are written as they are computed, or take a smaller --scale"
        )
    return False


def compute_output(
    image: AnyImage | LazyImage,
    job: Job,
    pipeline: UpscalePipeline,
    encoding: Encoding,
    free: int,
    progress: ProgressCallback,
) -> AnyImage | None:
    """The output; None if it has been written to its file.

    free: bytes of memory that it may take. Raises ImageError, before computing anything, for what
    memory cannot hold.
    """
    results, parts = output_frames(image, pipeline), _parts(image)
    steps = zip(parts, split_progress(progress, [1] * len(parts)), strict=True)
    upscaled = (pipeline(part, callback) for part, callback in steps)
    size = sum(result.height * result.row_bytes for result in results)
    name = format_of(job.target, encoding)
    if not must_stream(job.target, name, is_animated(image), size, free):
        if isinstance(image, ImageSequence):
            return replace(image, images=tuple(upscaled))
        return next(upscaled)
    folder = None if job.target == STREAM else job.target.parent
    with _open_target(job) as target:
        if isinstance(image, ImageSequence) and image.animated:
            write_animation(target, replace(image, images=results), upscaled, encoding)
        else:
            with row_writer(target, results, encoding) as sink:
                for part, callback in steps:
                    pipeline.run(row_source(part), sink, callback, folder)
    return None


def _parts(image: AnyImage | LazyImage) -> tuple[Image | LazyImage, ...]:
    return image.images if isinstance(image, ImageSequence) else (image,)


def frames_of(image: AnyImage | LazyImage) -> tuple[Image, ...]:
    """The frames or pages; of a lazy image its metadata and size."""
    return tuple(part.image if isinstance(part, LazyImage) else part for part in _parts(image))


def output_frames(image: AnyImage | LazyImage, pipeline: UpscalePipeline) -> tuple[Image, ...]:
    """All about the frames of the output but their samples."""
    frames = frames_of(image)
    sizes = [pipeline.output_size(frame.height, frame.width) for frame in frames]
    pairs = zip(frames, sizes, strict=True)
    return tuple(frame.with_size(size.height, size.width) for frame, size in pairs)


def is_animated(image: AnyImage | LazyImage) -> bool:
    return isinstance(image, ImageSequence) and image.animated


def check_output(
    image: AnyImage | LazyImage, target: Path, encoding: Encoding, pipeline: UpscalePipeline
) -> ImageSize:
    """Output size of the first frame. Raises ImageError for what the format cannot hold."""
    results = output_frames(image, pipeline)
    for result in results:
        check_target(target, encoding, properties_of(result, len(results), is_animated(image)))
    return ImageSize(results[0].height, results[0].width)


def write_output(image: AnyImage, job: Job, encoding: Encoding) -> None:
    with _open_target(job) as target:
        write_image(image, target, encoding)


def _open_target(job: Job) -> AbstractContextManager[Path | BinaryIO]:
    """Standard output, or the path of the file."""
    return _to_stdout() if job.target == STREAM else nullcontext(job.target)


@contextmanager
def _to_stdout() -> Iterator[BinaryIO]:
    if sys.stdout is None:
        raise ImageError("standard output is closed: name a file with -o")
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except OSError as error:
        discard_stream(sys.stdout)
        raise ImageError(f"standard output cannot be written ({error.strerror})") from error


def make_folder(job: Job) -> None:
    """Create the output's folder, if it is not the input's."""
    if job.target.parent != job.source.parent:
        with suppress(OSError):  # the writer names what is wrong with it
            job.target.parent.mkdir(parents=True, exist_ok=True)

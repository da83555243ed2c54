"""Results to where they go: whole, or row by row."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from srgan_cli.batch.naming import STREAM, Job
from srgan_cli.errors import ImageError
from srgan_cli.images.encode import RowWriter
from srgan_cli.images.formats import Encoding
from srgan_cli.images.image import Image, Picture
from srgan_cli.images.write import encode, row_writer, row_writer_to_stream, write_image


def put(picture: Picture, job: Job, encoding: Encoding) -> None:
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

"""An Image or ImageSequence -> a file, whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import BinaryIO

from srgan_cli.errors import ImageError
from srgan_cli.files import atomic_write, printable
from srgan_cli.images import exif as metadata
from srgan_cli.images.codec_errors import encoding as translated
from srgan_cli.images.codecs.png import PngRows
from srgan_cli.images.codecs.tiff_write import TiffWriter
from srgan_cli.images.decode import COMMENT
from srgan_cli.images.encode import encoded
from srgan_cli.images.formats import (
    CAPABILITIES,
    METADATA,
    Encoding,
    check_target,
    format_of,
)
from srgan_cli.images.icc import needs_profile
from srgan_cli.images.image import AnyImage, Image, ImageSequence
from srgan_cli.images.row_bands import split_rows

PLAIN = Encoding()
RowWriter = PngRows | TiffWriter
ROW_FORMATS = ("png", "tiff")
"""Still images, or pages, of these need not be whole in memory to be written."""


def write_image(picture: AnyImage, path: Path, encoding: Encoding = PLAIN) -> None:
    """Replaces `path` only by a complete file; after an ImageError it is as it was.

    ImageError for what the format cannot hold (`check_target` tells beforehand), for a folder that
    is missing or must not be written to, and for a full disk.
    """
    named = replace(encoding, format=format_of(path, encoding))
    sequence = _sequence(picture)
    if named.format in ROW_FORMATS and not sequence.animated:
        with row_writer(path, sequence.images, named) as sink:
            for rows in chain.from_iterable(map(split_rows, sequence.images)):
                sink.write(rows)
        return
    data = _file(picture, path, named)
    with atomic_write(path) as file:
        file.write(data)


@contextmanager
def row_writer(path: Path, images: tuple[Image, ...], encoding: Encoding) -> Iterator[RowWriter]:
    """What writes the rows of `images`, a picture or pages, one after another to `path`.

    Only their sizes and metadata are looked at. As `write_image`; for ROW_FORMATS only.
    """
    named = replace(encoding, format=format_of(path, encoding))
    described = _described(ImageSequence(images), path, named)
    with atomic_write(path) as file:
        with _naming(path):
            sink = _row_writer(file, described.images, str(named.format), named)
        yield sink


@contextmanager
def row_writer_to_stream(
    stream: BinaryIO, images: tuple[Image, ...], encoding: Encoding
) -> Iterator[RowWriter]:
    """The same for standard output, which gets the file once it is complete."""
    described = _described(ImageSequence(images), _nameless(encoding), encoding)
    with TemporaryFile() as file:
        with _naming(_nameless(encoding)):
            sink = _row_writer(file, described.images, str(encoding.format), encoding)
        yield sink
        file.seek(0)
        copyfileobj(file, stream)


def encode(picture: AnyImage, encoding: Encoding) -> bytes:
    """The file's bytes, for standard output. The encoding must name a format."""
    if encoding.format is None:
        raise ImageError("a picture on standard output needs --format, such as --format png")
    return _file(picture, _nameless(encoding), encoding)


def list_losses(image: Image, format: str) -> tuple[str, ...]:
    """Sentences that say what a file of `format` does not keep of what the file of `image` had."""
    texts = image.text.keys() - {COMMENT}
    present = (image.exif, image.xmp, image.iptc, image.text.get(COMMENT), texts)
    held = CAPABILITIES[format].metadata
    lost = [n for n, data in zip(METADATA, present, strict=True) if data and n not in held]
    sentences = []
    if image.converted_from is not None:
        sentences.append(f"{image.converted_from} is converted to sRGB")
    if lost:
        sentences.append(f"{CAPABILITIES[format].title} does not hold {', '.join(lost)}")
    return tuple(sentences)


def _row_writer(
    file: BinaryIO, images: tuple[Image, ...], format: str, encoding: Encoding
) -> RowWriter:
    with translated(format):
        if format == "png":
            return PngRows(file, images[0], encoding.compression)
        return TiffWriter(file, images, encoding.compression)


def _sequence(picture: AnyImage) -> ImageSequence:
    return picture if isinstance(picture, ImageSequence) else ImageSequence((picture,))


def _nameless(encoding: Encoding) -> Path:
    return Path(f"-.{encoding.format}")


def _file(picture: AnyImage, path: Path, encoding: Encoding) -> bytes:
    described = _described(_sequence(picture), path, encoding)
    with _naming(path):
        return encoded(described, str(encoding.format), encoding)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """An ImageError of the body gets the file's name in front."""
    try:
        yield
    except ImageError as error:
        raise ImageError(f"{printable(path)}: {error}") from error


def _described(sequence: ImageSequence, path: Path, encoding: Encoding) -> ImageSequence:
    """With the metadata that the file shall have. ImageError for what its format cannot hold."""
    first = sequence.images[0]
    check_target(
        path,
        encoding,
        height=first.height,
        width=first.width,
        depth=first.depth,
        alpha=first.alpha is not None,
        frames=len(sequence.images),
        animated=sequence.animated,
        profile=needs_profile(first),
    )
    images = tuple(_fitted(image, encoding.strip) for image in sequence.images)
    return replace(sequence, images=images)


def _fitted(image: Image, strip: bool) -> Image:
    """Without metadata but the profile, or with such as state the sizes of the picture."""
    if strip:
        return Image(image.pixels, image.alpha, image.icc_profile)
    exif, xmp, size = image.exif, image.xmp, (image.height, image.width)
    return replace(
        image,
        exif=metadata.set_exif_size(exif, *size) if exif else None,
        xmp=metadata.set_xmp_size(xmp, *size) if xmp else None,
    )

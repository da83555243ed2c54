"""An Image or ImageSequence -> a file, whole or not at all."""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from shutil import copyfileobj
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from srgan_cli.errors import ImageError
from srgan_cli.files import atomic_write, printable
from srgan_cli.images.codec_errors import encode_errors
from srgan_cli.images.codecs.jpeg2000 import add_jpeg2000_metadata, encode_deep_jpeg2000
from srgan_cli.images.codecs.pillow_write import encode_with_pillow, write_animation_with_pillow
from srgan_cli.images.codecs.png import PngWriter, write_apng
from srgan_cli.images.codecs.tiff_write import TiffWriter
from srgan_cli.images.exif import set_exif_size, set_xmp_size
from srgan_cli.images.formats import (
    CAPABILITIES,
    METADATA,
    Encoding,
    ImageProperties,
    check_target,
    format_of,
)
from srgan_cli.images.icc import convert_to_srgb, needs_profile
from srgan_cli.images.image import AnyImage, Image, ImageSequence, split_rows
from srgan_cli.images.image_metadata import COMMENT, valid_dpi

DEFAULT_ENCODING = Encoding()
RowWriter = PngWriter | TiffWriter
ROW_FORMATS = ("png", "tiff")
"""Still images, or pages, of these need not be whole in memory to be written."""

BLOCKS = {"EXIF": "exif", "XMP": "xmp", "IPTC": "iptc"}
"""Of METADATA -> the field of Image."""

MAX_IN_MEMORY = 1 << 26
"""Bytes of a file for a stream that are collected in memory; a larger one goes to the disk."""


def write_image(
    image: AnyImage, target: Path | BinaryIO, encoding: Encoding = DEFAULT_ENCODING
) -> None:
    """Replaces a file only by a complete one; after an ImageError it is as it was.

    target: a file's path, or a stream, which gets the file once it is complete.

    ImageError for what the format cannot hold (`check_target` checks in advance), for a folder that
    is missing or must not be written to, and for a full disk.
    """
    path, encoding = _resolve(target, encoding)
    sequence = image if isinstance(image, ImageSequence) else ImageSequence((image,))
    if encoding.format in ROW_FORMATS and not sequence.animated:
        with row_writer(target, sequence.images, encoding) as writer:
            for rows in chain.from_iterable(map(split_rows, sequence.images)):
                writer.write(rows)
        return
    sequence = _prepare(sequence, path, encoding)
    with _named_errors(path, encoding):
        data = _encode(sequence, encoding)
    with _opened(target) as file:
        file.write(data)


def encode(image: AnyImage, encoding: Encoding) -> bytes:
    """The file's bytes, for standard output. The encoding must name a format."""
    file = io.BytesIO()
    write_image(image, file, encoding)
    return file.getvalue()


@contextmanager
def row_writer(
    target: Path | BinaryIO, images: tuple[Image, ...], encoding: Encoding
) -> Iterator[RowWriter]:
    """A writer of the rows of `images`, one image or pages, one after another.

    images: only their sizes and metadata are looked at. As `write_image`; for ROW_FORMATS only.
    """
    path, encoding = _resolve(target, encoding)
    images = _prepare(ImageSequence(images), path, encoding).images
    with _opened(target) as file:
        with _named_errors(path, encoding):
            writer = _create_writer(file, images, encoding)
        yield writer


def _create_writer(file: BinaryIO, images: tuple[Image, ...], encoding: Encoding) -> RowWriter:
    if encoding.format == "png":
        return PngWriter(file, images[0], encoding.compression)
    return TiffWriter(file, images, encoding.compression)


def write_animation(
    target: Path | BinaryIO,
    sequence: ImageSequence,
    frames: Iterable[Image],
    encoding: Encoding,
) -> None:
    """Write an animation whose frames are computed meanwhile: they are never all in memory.

    sequence: all but the samples of `frames`. As `write_image`.
    """
    path, encoding = _resolve(target, encoding)
    sequence = _prepare(sequence, path, encoding)
    with _opened(target) as file, _named_errors(path, encoding):
        _write_frames(file, sequence, frames, encoding)


def _resolve(target: Path | BinaryIO, encoding: Encoding) -> tuple[Path, Encoding]:
    """The path, which names a stream in messages, and the encoding with the format."""
    if not isinstance(target, Path) and encoding.format is None:
        raise ImageError("an image on standard output needs --format, such as --format png")
    path = target if isinstance(target, Path) else Path(f"-.{encoding.format}")
    return path, replace(encoding, format=format_of(path, encoding))


@contextmanager
def _opened(target: Path | BinaryIO) -> Iterator[BinaryIO]:
    """A temporary file, which becomes the target once it is complete."""
    if isinstance(target, Path):
        with atomic_write(target) as file:
            yield file
        return
    with SpooledTemporaryFile(MAX_IN_MEMORY) as spooled:
        yield cast(BinaryIO, spooled)
        spooled.seek(0)
        copyfileobj(spooled, target)


@contextmanager
def _named_errors(path: Path, encoding: Encoding) -> Iterator[None]:
    """Turn an encoder's exceptions into an ImageError that names the file."""
    try:
        with encode_errors(str(encoding.format)):
            yield
    except ImageError as error:
        raise ImageError(f"{printable(path)}: {error}") from error


def properties_of(image: Image, frames: int = 1, animated: bool = False) -> ImageProperties:
    """For a file of so many frames, or pages, like this one."""
    return ImageProperties(
        image.height,
        image.width,
        image.depth,
        alpha=image.alpha is not None,
        frames=frames,
        animated=animated,
        profile=needs_profile(image),
    )


def list_losses(image: Image, format: str) -> tuple[str, ...]:
    """Sentences that say what a file of `format` does not keep of what the file of `image` had."""
    missing = CAPABILITIES[format].missing_metadata(_metadata_sizes(image))
    losses = []
    if image.converted_from is not None:
        losses.append(f"{image.converted_from} is converted to sRGB")
    if missing:
        losses.append(f"{CAPABILITIES[format].title} does not hold {', '.join(missing.values())}")
    return tuple(losses)


def _metadata_sizes(image: Image) -> dict[str, int]:
    """Of METADATA -> bytes."""
    comment = image.text.get(COMMENT, "").encode(errors="replace")
    texts = "".join(text for key, text in image.text.items() if key != COMMENT)
    blocks = (image.exif, image.xmp, image.iptc, comment, texts)
    return {name: len(block or b"") for name, block in zip(METADATA, blocks, strict=True)}


def _encode(sequence: ImageSequence, encoding: Encoding) -> bytes:
    """Of an animation, or of the one image."""
    format, image = str(encoding.format), sequence.images[0]
    if sequence.animated:
        file = io.BytesIO()
        _write_frames(file, sequence, sequence.images, encoding)
        return file.getvalue()
    if not CAPABILITIES[format].profile:
        image = convert_to_srgb(image)
    if format == "pnm":
        return _encode_pnm(image)
    if format == "jpeg2000" and image.depth == 16:
        return add_jpeg2000_metadata(encode_deep_jpeg2000(image), image)
    data = encode_with_pillow(image, format, encoding)
    return add_jpeg2000_metadata(data, image) if format == "jpeg2000" else data


def _encode_pnm(image: Image) -> bytes:
    """Gray becomes P5, RGB P6; 16 bits have their high byte first."""
    kind, white = (5 if image.pixels.shape[2] == 1 else 6), 2**image.depth - 1
    samples = image.pixels.astype(image.pixels.dtype.newbyteorder(">"))
    return f"P{kind}\n{image.width} {image.height}\n{white}\n".encode() + samples.tobytes()


def _write_frames(
    file: BinaryIO, sequence: ImageSequence, frames: Iterable[Image], encoding: Encoding
) -> None:
    format = str(encoding.format)
    if not CAPABILITIES[format].profile:
        frames = map(convert_to_srgb, frames)
    if format == "png":
        write_apng(file, sequence, frames, encoding.compression)
    else:
        write_animation_with_pillow(file, sequence, frames, format, encoding)


def _prepare(sequence: ImageSequence, path: Path, encoding: Encoding) -> ImageSequence:
    """Set the file's metadata. ImageError for images that its format cannot hold."""
    first, frames = sequence.images[0], len(sequence.images)
    check_target(path, encoding, properties_of(first, frames, sequence.animated))
    with _named_errors(path, encoding):
        images = tuple(_update_metadata(image, encoding) for image in sequence.images)
    return replace(sequence, images=images)


def _update_metadata(image: Image, encoding: Encoding) -> Image:
    """Strip all but the profile, or else set the size that EXIF and XMP state."""
    if encoding.strip:
        return Image(image.pixels, image.alpha, image.icc_profile)
    image = _without_missing(image, str(encoding.format))
    exif, xmp, size = image.exif, image.xmp, (image.height, image.width)
    return replace(
        image,
        exif=set_exif_size(exif, *size) if exif else None,
        xmp=set_xmp_size(xmp, *size) if xmp else None,
        dpi=valid_dpi(image.dpi),
    )


def _without_missing(image: Image, format: str) -> Image:
    """The image without what `list_losses` names: encoders refuse blocks that are too long."""
    missing = CAPABILITIES[format].missing_metadata(_metadata_sizes(image))
    dropped: dict[str, Any] = {field: None for name, field in BLOCKS.items() if name in missing}
    texts = {
        key: text
        for key, text in image.text.items()
        if ("the comment" if key == COMMENT else "texts") not in missing
    }
    return replace(image, text=texts, **dropped)

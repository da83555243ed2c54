"""An Image or Sequence -> a file, whole or not at all."""

from dataclasses import replace
from pathlib import Path

from srgan_cli.errors import ImageError
from srgan_cli.images import metadata
from srgan_cli.images.atomic import atomically, shown
from srgan_cli.images.encode import encoded
from srgan_cli.images.encoding import Encoding, format_of
from srgan_cli.images.formats import check_target
from srgan_cli.images.value import Image, Sequence

PLAIN = Encoding()


def write_image(image: Image, path: Path, encoding: Encoding = PLAIN) -> None:
    """As `write_picture`."""
    write_picture(image, path, encoding)


def write_picture(picture: Image | Sequence, path: Path, encoding: Encoding = PLAIN) -> None:
    """Replaces `path` only by a complete file; after an ImageError it is as it was.

    ImageError for what the format cannot hold (`check_target` tells beforehand), for a folder that
    is missing or must not be written to, and for a full disk.
    """
    named = replace(encoding, format=format_of(path, encoding))
    data = _file(picture, path, named)
    with atomically(path) as part:
        part.write_bytes(data)


def encode(picture: Image | Sequence, encoding: Encoding) -> bytes:
    """The file's bytes, for standard output. The encoding must name a format."""
    if encoding.format is None:
        raise ImageError("a picture on standard output needs --format, such as --format png")
    return _file(picture, Path(f"-.{encoding.format}"), encoding)


def _file(picture: Image | Sequence, path: Path, encoding: Encoding) -> bytes:
    sequence = picture if isinstance(picture, Sequence) else Sequence((picture,))
    first, name = sequence.images[0], str(encoding.format)
    check_target(
        path,
        encoding,
        height=first.height,
        width=first.width,
        depth=first.depth,
        alpha=first.alpha is not None,
        frames=len(sequence.images),
        animated=sequence.animated,
    )
    described = tuple(_described(image, encoding.strip) for image in sequence.images)
    try:
        return encoded(replace(sequence, images=described), name, encoding)
    except ImageError as error:
        raise ImageError(f"{shown(path)}: {error}") from error


def _described(image: Image, strip: bool) -> Image:
    """Without metadata but the profile, or with such as state the sizes of the picture."""
    if strip:
        return Image(image.pixels, image.alpha, image.icc_profile)
    exif, xmp, size = image.exif, image.xmp, (image.height, image.width)
    return replace(
        image,
        exif=metadata.fitted_exif(exif, *size) if exif else None,
        xmp=metadata.fitted_xmp(xmp, *size) if xmp else None,
    )

"""`--frame`, `--background` and `--depth`: conversion of an image before it is upscaled."""

from dataclasses import replace

import numpy as np

from srgan_cli.errors import ImageError
from srgan_cli.images.header import Header
from srgan_cli.images.image import (
    AnyImage,
    Image,
    ImageSequence,
    LazyImage,
    Pixels,
    blank,
    to_uint8,
    to_uint16,
)
from srgan_cli.settings import Conversion


def convert_image(image: AnyImage | LazyImage, conversion: Conversion) -> AnyImage | LazyImage:
    """Raises ImageError for a frame that the image does not have."""
    if isinstance(image, LazyImage):  # one frame, without alpha
        _check_frame(conversion, 1)
        return _lazy_to_depth(image, conversion.depth)
    images = image.images if isinstance(image, ImageSequence) else (image,)
    _check_frame(conversion, len(images))
    if conversion.frame is not None:
        return _convert(images[conversion.frame - 1], conversion)
    if isinstance(image, ImageSequence):
        return replace(image, images=tuple(_convert(one, conversion) for one in images))
    return _convert(image, conversion)


def convert_header(header: Header, conversion: Conversion) -> Header:
    """The header that the converted image would have. Raises ImageError like `convert_image`."""
    _check_frame(conversion, header.frames)
    if conversion.frame is not None:
        header = replace(header, frames=1, animated=False)
    if conversion.background is not None:
        header = replace(header, alpha=False)
    return replace(header, depth=conversion.depth or header.depth)


def _check_frame(conversion: Conversion, frames: int) -> None:
    if conversion.frame is not None and conversion.frame > frames:
        have = "one frame" if frames == 1 else f"{frames} frames"
        raise ImageError(f"has {have}: there is no --frame {conversion.frame}")


def _convert(image: Image, conversion: Conversion) -> Image:
    if conversion.background is not None and image.alpha is not None:
        image = _flatten(image, conversion.background)
    if conversion.depth is None:
        return image
    alpha = None if image.alpha is None else _to_depth(image.alpha, conversion.depth)
    return replace(image, pixels=_to_depth(image.pixels, conversion.depth), alpha=alpha)


def _flatten(image: Image, background: tuple[int, int, int]) -> Image:
    """Composited over `background`, 8-bit RGB; without alpha."""
    assert image.alpha is not None
    gray = image.pixels.shape[2] == 1 and len(set(background)) == 1
    white = np.iinfo(image.pixels.dtype).max
    below = np.array(background[:1] if gray else background, np.float64) * (white / 255)
    alpha = image.alpha[..., None] / white
    composite = image.pixels * alpha + below * (1 - alpha)
    return replace(image, pixels=np.rint(composite).astype(image.pixels.dtype), alpha=None)


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

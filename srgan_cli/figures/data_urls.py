"""Pictures as data URLs, all of one page coded alike so that none is favoured.

Base64 makes them a third larger; in return a page is one file that any browser opens offline.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from srgan_cli.errors import ImageError
from srgan_cli.images.formats import Encoding
from srgan_cli.images.image import Image, to_uint8
from srgan_cli.images.write import encode

LONGEST_SIDE = 16_383  # of a WebP; browsers show little beyond it anyway
BACKGROUND = 128  # what shows through a transparent picture: dark and light fringes stand out on it


@dataclass(frozen=True)
class Coding:
    name: str
    """As people are told."""
    encoding: Encoding


CODINGS = (
    Coding("lossless WebP", Encoding("webp", lossless=True, strip=True)),
    Coding("JPEG of quality 98", Encoding("jpeg", quality=98, strip=True)),
    Coding("JPEG of quality 95", Encoding("jpeg", quality=95, strip=True)),
    Coding("JPEG of quality 90", Encoding("jpeg", quality=90, strip=True)),
)


@dataclass(frozen=True)
class EncodedImages:
    """urls: in the order of the images. coding: the name of what all of them are written in."""

    urls: tuple[str, ...]
    coding: str


def code_pictures(images: Sequence[Image], limit: int) -> EncodedImages:
    """In the first of CODINGS in which all together take at most `limit` characters.

    Lossless is the rule, since a judge should see no artefact but the method's; a JPEG of high
    quality is for many or large pictures. Raises ImageError if even the smallest is too large.
    """
    longest = max((max(image.height, image.width) for image in images), default=0)
    if longest > LONGEST_SIDE:
        raise ImageError(
            f"a side of {longest} pixels is more than a page can show; use parts of the picture"
        )
    shown = [_shown(image) for image in images]
    for coding in CODINGS:
        urls = _urls(shown, coding.encoding, limit)
        if urls is not None:
            return EncodedImages(urls, coding.name)
    raise ImageError(
        f"the pictures do not fit into {limit / 1e6:.0f} MB; use fewer or smaller ones"
    )


def _urls(images: Sequence[Image], encoding: Encoding, limit: int) -> tuple[str, ...] | None:
    """None as soon as the limit is passed."""
    urls: list[str] = []
    size = 0
    for image in images:
        encoded = base64.b64encode(encode(image, encoding)).decode("ascii")
        urls.append(f"data:image/{encoding.format};base64,{encoded}")
        size += len(urls[-1])
        if size > limit:
            return None
    return tuple(urls)


def _shown(image: Image) -> Image:
    """8-bit RGB without alpha, and nothing of the file's metadata but a profile of RGB."""
    pixels = np.broadcast_to(to_uint8(image.pixels), (image.height, image.width, 3))
    if image.alpha is not None:
        pixels = _over_background(pixels, to_uint8(image.alpha))
    profile = image.icc_profile
    of_rgb = profile is not None and profile[16:20] == b"RGB "
    return Image(np.ascontiguousarray(pixels), icc_profile=profile if of_rgb else None)


def _over_background(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    share = alpha[..., None].astype(np.float32) / 255
    return (pixels * share + BACKGROUND * (1 - share) + 0.5).astype(np.uint8)

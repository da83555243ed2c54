"""Self-contained HTML pages: templates filled with data, and images as data URLs.

All images of a page have one encoding. Base64 makes them a third larger; in return a page is one
file that any browser opens offline.
"""

import base64
import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from srgan_cli.errors import ImageError
from srgan_cli.images.formats import Encoding
from srgan_cli.images.image import Image, to_rgb_uint8, to_uint8
from srgan_cli.images.write import encode

LONGEST_SIDE = 16_383  # of a WebP; browsers show little beyond it anyway
BACKGROUND = 128  # what shows through a transparent image: dark and light fringes stand out on it


ENCODINGS = {
    "lossless WebP": Encoding("webp", lossless=True, strip=True),
    "JPEG of quality 98": Encoding("jpeg", quality=98, strip=True),
    "JPEG of quality 95": Encoding("jpeg", quality=95, strip=True),
    "JPEG of quality 90": Encoding("jpeg", quality=90, strip=True),
}
"""By the names that messages give them."""


@dataclass(frozen=True)
class EncodedImages:
    """urls: in the order of the images. coding: the name of what all of them are written in."""

    urls: tuple[str, ...]
    coding: str


def encode_images(images: Sequence[Image], limit: int) -> EncodedImages:
    """Encode by the first of ENCODINGS in which all together take at most `limit` characters.

    Lossless is the rule, since a judge should see no artifact but the method's; a JPEG of high
    quality is for many or large images. Raises ImageError if even the smallest is too large.
    """
    longest = max((max(image.height, image.width) for image in images), default=0)
    if longest > LONGEST_SIDE:
        raise ImageError(
            f"a side of {longest} pixels is more than a page can show; use parts of the image"
        )
    shown = [_to_page_image(image) for image in images]
    for name, encoding in ENCODINGS.items():
        urls = _urls(shown, encoding, limit)
        if urls is not None:
            return EncodedImages(urls, name)
    raise ImageError(f"the images do not fit into {limit / 1e6:.0f} MB; use fewer or smaller ones")


def _urls(images: Sequence[Image], encoding: Encoding, limit: int) -> tuple[str, ...] | None:
    """The images as data URLs; None if they have more than `limit` characters."""
    urls: list[str] = []
    size = 0
    for image in images:
        encoded = base64.b64encode(encode(image, encoding)).decode("ascii")
        urls.append(f"data:image/{encoding.format};base64,{encoded}")
        size += len(urls[-1])
        if size > limit:
            return None
    return tuple(urls)


def _to_page_image(image: Image) -> Image:
    """Convert to 8-bit RGB without alpha and metadata; an RGB profile is kept."""
    pixels = to_rgb_uint8(image.pixels)
    if image.alpha is not None:
        pixels = _composite(pixels, to_uint8(image.alpha))
    profile = image.icc_profile
    of_rgb = profile is not None and profile[16:20] == b"RGB "
    return Image(pixels, icc_profile=profile if of_rgb else None)


def _composite(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    share = alpha[..., None].astype(np.float32) / 255
    return (pixels * share + BACKGROUND * (1 - share) + 0.5).astype(np.uint8)


def fill_template(name: str, title: str, data: object, package: str = "srgan_cli.figures") -> str:
    """One HTML file that loads nothing else; its script reads `data` as JSON.

    package: the one with templates/NAME.html, .css and .js.
    """
    parts = {
        "title": html.escape(title),
        "style": _template("page.css") + _template(f"{name}.css", package),
        "body": _template(f"{name}.html", package),
        # without "<", which could end the script element or open a comment
        "data": json.dumps(data, ensure_ascii=False).replace("<", "\\u003c"),
        "script": _template(f"{name}.js", package),
    }
    page = _substitute(_template("page.html"), parts)
    return page.encode("utf-8", "replace").decode()  # file names may hold what UTF-8 cannot


def _substitute(skeleton: str, parts: dict[str, str]) -> str:
    """Replace every {{name}}, and {{title}} in the body; the parts are not searched again."""
    parts = {**parts, "body": parts["body"].replace("{{title}}", parts["title"])}
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], skeleton)


def _template(name: str, package: str = "srgan_cli.figures") -> str:
    return files(package).joinpath("templates", name).read_text(encoding="utf-8")


PAGE_LIMIT = 60_000_000  # bytes: what a phone's browser still opens


@dataclass(frozen=True, eq=False)
class Layer:
    """One method's result. note: shown under the label, figures for instance."""

    label: str
    image: Image
    note: str = ""


@dataclass(frozen=True, eq=False)
class Comparison:
    """One image by at least two methods: the first lies on the left at first, the last right.

    Layers may differ in size (the input is smaller); all are shown as large as the largest.
    """

    title: str
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        if len(self.layers) < 2:
            raise ImageError(f"{self.title}: a comparison needs at least two images")
        for layer in self.layers:
            self._check_shape(layer)

    @property
    def width(self) -> int:
        return max(layer.image.width for layer in self.layers)

    @property
    def height(self) -> int:
        return max(layer.image.height for layer in self.layers)

    def _check_shape(self, layer: Layer) -> None:
        """Raise ImageError unless it has the largest's shape, up to a pixel of the smaller."""
        width, height = layer.image.width, layer.image.height
        if abs(width * self.height - height * self.width) > max(self.width, self.height):
            raise ImageError(
                f"{self.title}: {layer.label} is {width} x {height}, which has not the shape of "
                f"{self.width} x {self.height}; compare results of one image"
            )


def comparison_page(comparisons: Sequence[Comparison], title: str = "Before and after") -> str:
    """Self-contained HTML. Images of more than PAGE_LIMIT characters become JPEG.

    Raises ImageError if the images are too large for a page.
    """
    layers = [layer for comparison in comparisons for layer in comparison.layers]
    urls = iter(encode_images([layer.image for layer in layers], PAGE_LIMIT).urls)
    images = [
        _description(comparison, [next(urls) for _ in comparison.layers])
        for comparison in comparisons
    ]
    return fill_template("comparison", title, images)


def _description(comparison: Comparison, urls: Sequence[str]) -> dict[str, object]:
    return {
        "title": comparison.title,
        "width": comparison.width,
        "height": comparison.height,
        "layers": [
            {"label": layer.label, "note": layer.note, "url": url}
            for layer, url in zip(comparison.layers, urls, strict=True)
        ],
    }

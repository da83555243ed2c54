"""Crops of an image: given, or those with the most detail."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from srgan_cli.errors import ImageError, OptionError
from srgan_cli.evaluation.measure import list_images
from srgan_cli.images.image import Image, crop_center
from srgan_cli.images.read import read_image
from srgan_cli.metrics import to_tensor, to_y


@dataclass(frozen=True)
class Crop:
    """A rectangle: its top left corner and its size, in pixels."""

    x: int
    y: int
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width} x {self.height} at {self.x},{self.y}"

    def times(self, scale: int) -> "Crop":
        """The same part of the image that is `scale` times as large."""
        return Crop(self.x * scale, self.y * scale, self.width * scale, self.height * scale)

    def downscaled(self, scale: int) -> "Crop":
        """The pixels, at least one, that cover it in the image `scale` times smaller."""
        x, y = self.x // scale, self.y // scale
        right, bottom = -(-(self.x + self.width) // scale), -(-(self.y + self.height) // scale)
        return Crop(x, y, right - x, bottom - y)

    def with_margin(self, margin: int, image: Image) -> "Crop":
        """Extended by `margin` on each side, within the image."""
        x, y = max(0, self.x - margin), max(0, self.y - margin)
        right = min(image.width, self.x + self.width + margin)
        bottom = min(image.height, self.y + self.height + margin)
        return Crop(x, y, right - x, bottom - y)

    def middle(self) -> "Crop":
        """Its central half, a quarter of the area."""
        width, height = max(1, self.width // 2), max(1, self.height // 2)
        x, y = self.x + (self.width - width) // 2, self.y + (self.height - height) // 2
        return Crop(x, y, width, height)

    def relative_to(self, other: "Crop") -> "Crop":
        return Crop(self.x - other.x, self.y - other.y, self.width, self.height)


def parse_crop(text: str) -> Crop:
    """`x,y,width,height`. Raises OptionError."""
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError(f"{text!r} is not a crop: give x,y,width,height in pixels") from error
    if min(x, y) < 0 or min(width, height) < 1:
        raise OptionError(f"{text!r} is not a crop: its size must be at least 1 x 1")
    return Crop(x, y, width, height)


def cut(image: Image, crop: Crop) -> Image:
    """The crop, with the color profile. Raises ImageError for a crop that reaches outside."""
    if crop.x + crop.width > image.width or crop.y + crop.height > image.height:
        size = f"{image.width} x {image.height}"
        raise ImageError(f"the crop {crop} reaches outside of an image of {size}")
    rows = slice(crop.y, crop.y + crop.height)
    pixels = image.pixels[rows, crop.x : crop.x + crop.width].copy()  # not to hold the whole
    return Image(pixels, icc_profile=image.icc_profile)


def center_crops(place: Path, side: int, count: int) -> list[Tensor]:
    """(1, 3, H, W) in [0, 1], at most `side` pixels a side: of a file, or of a folder's images.

    Of more than `count` images those that are equally far apart by name. Raises ImageError.
    """
    paths = list_images(place)
    chosen = [paths[i * len(paths) // count] for i in range(count)] if count < len(paths) else paths
    return [to_tensor(crop_center(read_image(path).pixels, side)) for path in chosen]


def detailed_crops(image: Image, side: int, count: int) -> list[Crop]:
    """Up to `count` squares, or the whole height or width where that is less, with the most detail.

    They do not overlap.
    """
    width, height = min(side, image.width), min(side, image.height)
    energy = _detail(image.pixels, height, width)
    found: list[Crop] = []
    while len(found) < count and energy.max() >= 0:
        y, x = divmod(int(energy.argmax()), energy.shape[1])
        found.append(Crop(x, y, width, height))
        energy[max(0, y - height + 1) : y + height, max(0, x - width + 1) : x + width] = -1
    return found


def _detail(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H - height + 1, W - width + 1): how much changes in the window that begins there.

    Steps are limited, so that one hard edge does not outweigh a texture.
    """
    luma = to_y(pixels)
    across = np.abs(np.diff(luma, axis=1, prepend=luma[:, :1]))
    down = np.abs(np.diff(luma, axis=0, prepend=luma[:1]))
    sums = cv2.integral(np.minimum(across + down, 48.0))
    inner = sums[height:, width:] - sums[:-height, width:]
    return np.asarray(inner - sums[height:, :-width] + sums[:-height, :-width])

"""Pairs of high- and low-resolution images: matched by name, cropped to sizes that fit."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from srgan_cli.errors import ImageError
from srgan_cli.files import printable
from srgan_cli.folders import image_name, scan_folder
from srgan_cli.images.formats import input_suffixes
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.inference.pipeline import resize_image
from srgan_cli.settings import ImageSize


@dataclass(frozen=True)
class ImagePair:
    """Files of one image. Without low_res, it is downscaled from high_res."""

    high_res: Path
    low_res: Path | None = None


@dataclass(frozen=True)
class Failure:
    """An image that could not be used, and why."""

    name: str
    reason: str

    @property
    def line(self) -> str:
        """Names the image once: many reasons begin with its path."""
        name = printable(self.name)
        folder, found, rest = self.reason.partition(f"{name}: ")
        repeated = found and (not folder or folder.endswith(os.sep))
        return f"{name}: {rest if repeated else self.reason}"


@dataclass(frozen=True)
class MatchedImages:
    pairs: tuple[ImagePair, ...]
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, eq=False)
class LoadedPair:
    """An original, and an image `scale` times smaller."""

    high_res: Image
    low_res: Image
    scale: int


def pair_up(high_res: Path, low_res: Path | None = None) -> MatchedImages:
    """A file with a file, or the images of folders by name: `a.png` with `a.png` or `a_x4.png`.

    Images without a counterpart are failures. Raises ImageError if nothing can be measured.
    """
    if low_res is None:
        return MatchedImages(tuple(ImagePair(path) for path in list_images(high_res)))
    if not high_res.is_dir() and not low_res.is_dir():
        return MatchedImages((ImagePair(high_res, low_res),))
    return _match_by_name(list_images(high_res), list_images(low_res), low_res)


def list_images(path: Path) -> list[Path]:
    """A file itself; a folder's files with an image's suffix, by name."""
    if not path.is_dir():
        return [path]
    found = list(scan_folder(path, input_suffixes()).images)
    if not found:
        raise ImageError(f"{path} has no images: name a folder with PNG, JPEG or similar files")
    return found


def find_reference(path: Path, candidates: Iterable[Path]) -> Path | None:
    """The file of the same image, by its name; None if there is none."""
    others = {image_name(other): other for other in candidates}
    return others.get(path.stem) or others.get(image_name(path))


def find_original(photo: Path, high_res: Path) -> Path:
    """`high_res` itself, or the file in that folder; one that is not there if none fits."""
    if not high_res.is_dir():
        return high_res
    return find_reference(photo, list_images(high_res)) or high_res / photo.name


def _match_by_name(
    high_res_paths: list[Path], low_res_paths: list[Path], path: Path
) -> MatchedImages:
    pairs, failures, used = [], [], set()
    for high_res in high_res_paths:
        low_res = find_reference(high_res, low_res_paths)
        used.add(low_res)
        if low_res is None:
            failures.append(
                Failure(high_res.name, f"{path} has no low-resolution image of {high_res}")
            )
        else:
            pairs.append(ImagePair(high_res, low_res))
    unmatched = [low_res for low_res in low_res_paths if low_res not in used]
    failures += [
        Failure(low_res.name, f"there is no high-resolution image for {low_res}")
        for low_res in unmatched
    ]
    return MatchedImages(tuple(pairs), tuple(failures))


def read_pair(pair: ImagePair, scale: int) -> LoadedPair:
    """Read both images; high_res is cropped at the bottom right to a multiple of the scale.

    scale: used without a low-resolution image; else the sizes tell it. Raises ImageError.
    """
    high_res = read_image(pair.high_res)
    if pair.low_res is None:
        return downscale(high_res, scale)
    low_res = read_image(pair.low_res)
    scale = high_res.width // low_res.width
    height, width = low_res.height * scale, low_res.width * scale
    if scale < 1 or not (0 <= high_res.height - height < scale > high_res.width - width):
        raise ImageError(
            f"{pair.high_res} is {high_res.width} x {high_res.height}, which is no multiple of "
            f"{low_res.width} x {low_res.height} of {pair.low_res}: give images of one view"
        )
    return LoadedPair(_crop(high_res, height, width), low_res, scale)


def downscale(high_res: Image, scale: int) -> LoadedPair:
    """Downscale with MATLAB's bicubic. Raises ImageError for an image that is too small."""
    height, width = high_res.height // scale, high_res.width // scale
    if not height * width:
        size = f"{high_res.width} x {high_res.height}"
        raise ImageError(f"{size} pixels cannot be downscaled {scale} times")
    cropped = _crop(high_res, height * scale, width * scale)
    return LoadedPair(cropped, resize_image(cropped, ImageSize(height, width)), scale)


def _crop(image: Image, height: int, width: int) -> Image:
    return replace(image, pixels=image.pixels[:height, :width], alpha=None)

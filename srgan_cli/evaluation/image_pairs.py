"""Which low picture belongs to which high one, and bringing both to sizes that fit."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from srgan_cli.errors import ImageError
from srgan_cli.folders import picture_name, scan_folder
from srgan_cli.images.formats import input_suffixes
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.inference.fit import resize_image
from srgan_cli.settings import ImageSize


@dataclass(frozen=True)
class ImagePair:
    """Files of one picture; without a low one, it is made from the high one."""

    high: Path
    low: Path | None = None


@dataclass(frozen=True)
class Failure:
    """A picture that could not be used, and why."""

    picture: str
    reason: str


@dataclass(frozen=True)
class MatchedImages:
    pairs: tuple[ImagePair, ...]
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, eq=False)
class LoadedPair:
    """An original, and the picture that becomes as large when enlarged `scale` times."""

    high: Image
    low: Image
    scale: int


def pair_up(high: Path, low: Path | None = None) -> MatchedImages:
    """A file with a file, or the pictures of folders by name: `a.png` with `a.png` or `a_x4.png`.

    Pictures without a counterpart are failures. Raises ImageError if nothing can be measured.
    """
    if low is None:
        return MatchedImages(tuple(ImagePair(path) for path in pictures_in(high)))
    if not high.is_dir() and not low.is_dir():
        return MatchedImages((ImagePair(high, low),))
    return _matched(pictures_in(high), pictures_in(low), low)


def pictures_in(place: Path) -> list[Path]:
    """A file itself; a folder's files with a picture's suffix, by name."""
    if not place.is_dir():
        return [place]
    found = list(scan_folder(place, input_suffixes()).pictures)
    if not found:
        raise ImageError(f"{place} has no pictures: name a folder with PNG, JPEG or the like")
    return found


def find_reference(path: Path, candidates: Iterable[Path]) -> Path | None:
    """The file that shows the same picture, to judge by the name."""
    others = {picture_name(other): other for other in candidates}
    return others.get(path.stem) or others.get(picture_name(path))


def original_of(photo: Path, high: Path) -> Path:
    """`high` itself, or the file in that folder; one that is not there if none fits."""
    if not high.is_dir():
        return high
    return find_reference(photo, pictures_in(high)) or high / photo.name


def _matched(highs: list[Path], lows: list[Path], place: Path) -> MatchedImages:
    pairs, failures, used = [], [], set()
    for high in highs:
        low = find_reference(high, lows)
        used.add(low)
        if low is None:
            failures.append(Failure(high.name, f"{place} has no low picture of {high}"))
        else:
            pairs.append(ImagePair(high, low))
    unmatched = [low for low in lows if low not in used]
    failures += [Failure(low.name, f"there is no high picture for {low}") for low in unmatched]
    return MatchedImages(tuple(pairs), tuple(failures))


def read_pair(pair: ImagePair, scale: int) -> LoadedPair:
    """The high picture cropped at the bottom right to a multiple of the scale, as is customary.

    `scale` counts where there is no low picture; else the sizes tell it. Raises ImageError.
    """
    high = read_image(pair.high)
    if pair.low is None:
        return downscaled(high, scale)
    low = read_image(pair.low)
    scale = high.width // low.width
    height, width = low.height * scale, low.width * scale
    if scale < 1 or not (0 <= high.height - height < scale > high.width - width):
        raise ImageError(
            f"{pair.high} is {high.width} x {high.height}, which is no multiple of "
            f"{low.width} x {low.height} of {pair.low}: give pictures of one view"
        )
    return LoadedPair(_cropped(high, height, width), low, scale)


def downscaled(high: Image, scale: int) -> LoadedPair:
    """With a low picture by MATLAB's bicubic."""
    height, width = high.height // scale, high.width // scale
    if not height * width:
        raise ImageError(f"{high.width} x {high.height} pixels cannot be downscaled {scale} times")
    cropped = _cropped(high, height * scale, width * scale)
    return LoadedPair(cropped, resize_image(cropped, ImageSize(height, width)), scale)


def _cropped(image: Image, height: int, width: int) -> Image:
    return replace(image, pixels=image.pixels[:height, :width], alpha=None)

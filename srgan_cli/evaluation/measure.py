"""Pairs of high- and low-resolution images, and metrics of upscaling methods on them.

Files are matched by name, and cropped to sizes that fit.
"""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from srgan_cli.errors import ImageError, describe_error
from srgan_cli.evaluation.methods import Method
from srgan_cli.files import printable
from srgan_cli.folders import image_name, scan_folder
from srgan_cli.images.formats import input_suffixes
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.inference.pipeline import resize_image
from srgan_cli.metrics import Metric
from srgan_cli.settings import ImageSize


@dataclass(frozen=True)
class ImagePair:
    """Files of one image, at least one. Without low_res, it is downscaled from high_res."""

    high_res: Path | None
    low_res: Path | None = None

    @property
    def photo(self) -> Path:
        """What is upscaled, or downscaled first."""
        photo = self.low_res or self.high_res
        assert photo is not None
        return photo

    @property
    def files(self) -> list[Path]:
        return [path for path in (self.high_res, self.low_res) if path is not None]


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
    """An image to upscale, and its original, `scale` times as large, if there is one."""

    low_res: Image
    scale: int
    high_res: Image | None = None
    name: str = ""


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
    found = {high_res: find_reference(high_res, low_res_paths) for high_res in high_res_paths}
    missing = {
        **{
            one: f"{path} has no low-resolution image of {one}"
            for one, low in found.items()
            if not low
        },
        **{
            low: f"there is no high-resolution image for {low}"
            for low in low_res_paths
            if low not in found.values()
        },
    }
    pairs = tuple(ImagePair(high_res, low_res) for high_res, low_res in found.items() if low_res)
    return MatchedImages(pairs, tuple(Failure(one.name, why) for one, why in missing.items()))


def read_pair(pair: ImagePair, scale: int) -> LoadedPair:
    """Read both images; high_res is cropped at the bottom right to a multiple of the scale.

    scale: used unless the sizes of both tell it. Raises ImageError.
    """
    name = pair.photo.name
    if pair.high_res is None:
        return LoadedPair(read_image(pair.photo), scale, name=name)
    high_res = read_image(pair.high_res)
    if pair.low_res is None:
        return downscale(high_res, scale, name)
    low_res = read_image(pair.low_res)
    scale = high_res.width // low_res.width
    height, width = low_res.height * scale, low_res.width * scale
    if scale < 1 or not (0 <= high_res.height - height < scale > high_res.width - width):
        raise ImageError(
            f"{pair.high_res} is {high_res.width} x {high_res.height}, which is no multiple of "
            f"{low_res.width} x {low_res.height} of {pair.low_res}: give images of one view"
        )
    return LoadedPair(low_res, scale, _crop(high_res, height, width), name)


def downscale(high_res: Image, scale: int, name: str = "") -> LoadedPair:
    """Downscale with MATLAB's bicubic. Raises ImageError for an image that is too small."""
    height, width = high_res.height // scale, high_res.width // scale
    if not height * width:
        size = f"{high_res.width} x {high_res.height}"
        raise ImageError(f"{size} pixels cannot be downscaled {scale} times")
    cropped = _crop(high_res, height * scale, width * scale)
    return LoadedPair(resize_image(cropped, ImageSize(height, width)), scale, cropped, name)


def _crop(image: Image, height: int, width: int) -> Image:
    return replace(image, pixels=image.pixels[:height, :width], alpha=None)


@dataclass(frozen=True)
class Measurement:
    """One method on one image, or on the mean of several: figures by the keys of the metrics."""

    method: str
    figures: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class ImageMeasurements:
    """All methods on one image."""

    name: str
    scores: tuple[Measurement, ...]


def measure_all(
    pairs: Iterable[ImagePair],
    methods: Sequence[Method],
    metrics: Sequence[Metric],
    scale: int,
    border: int | None = None,
) -> Iterator[ImageMeasurements | Failure]:
    """Image by image; one that cannot be measured by all methods is a failure."""
    for pair in pairs:
        name = (pair.high_res or pair.photo).name
        try:
            yield ImageMeasurements(name, measure(read_pair(pair, scale), methods, metrics, border))
        except Exception as error:
            yield Failure(name, describe_error(name, error))


def measure(
    example: LoadedPair,
    methods: Sequence[Method],
    metrics: Sequence[Metric],
    border: int | None = None,
) -> tuple[Measurement, ...]:
    """`border` pixels are left out at each side; None leaves out as many as the scale."""
    edge = example.scale if border is None else border
    return tuple(_measure(example, method, metrics, edge) for method in methods)


def _measure(
    example: LoadedPair, method: Method, metrics: Sequence[Metric], border: int
) -> Measurement:
    assert example.high_res is not None
    started = time.perf_counter()
    output = method.upscale(example.low_res, example.scale)
    seconds = time.perf_counter() - started
    return Measurement(method.name, figures(output, example.high_res, metrics, border), seconds)


def figures(
    ours: Image, original: Image, metrics: Sequence[Metric], border: int = 0
) -> dict[str, float]:
    """Metric's key -> value. border: pixels that are left out at each side."""
    a, b = _crop_border(ours.pixels, border), _crop_border(original.pixels, border)
    return {metric.key: metric.measure(a, b) for metric in metrics}


def _crop_border(pixels: np.ndarray, border: int) -> np.ndarray:
    return pixels[border : pixels.shape[0] - border, border : pixels.shape[1] - border]


def means(measured: Sequence[ImageMeasurements]) -> tuple[Measurement, ...]:
    """Over the images, a line for each method; nothing for no images."""
    columns = zip(*(one.scores for one in measured), strict=True)
    return tuple(_mean(scores) for scores in columns)


def _mean(scores: Sequence[Measurement]) -> Measurement:
    keys = scores[0].figures
    average = {key: fmean(score.figures[key] for score in scores) for key in keys}
    return Measurement(scores[0].method, average, fmean(score.seconds for score in scores))

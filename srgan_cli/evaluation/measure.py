"""Metrics of upscaling methods on image pairs."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

import numpy as np

from srgan_cli.errors import describe_error
from srgan_cli.evaluation.image_pairs import Failure, ImagePair, LoadedPair, read_pair
from srgan_cli.evaluation.methods import Method
from srgan_cli.images.image import Image
from srgan_cli.metrics import Distance, Extractor, feature_distance, lpips_distance, psnr, ssim


@dataclass(frozen=True, eq=False)
class Metric:
    """measure: ours and the original, (H, W, C) integers of one size, border already cropped.

    key: its name for programs. label: for people; PSNR is in dB. higher: whether more is better.
    """

    key: str
    label: str
    measure: Distance
    digits: int = 4
    higher: bool = False


FIDELITY = (
    Metric("psnr_y", "PSNR Y", psnr, digits=2, higher=True),
    Metric("ssim_y", "SSIM Y", ssim, higher=True),
    Metric("psnr_rgb", "PSNR RGB", partial(psnr, channel="rgb"), digits=2, higher=True),
    Metric("ssim_rgb", "SSIM RGB", partial(ssim, channel="rgb"), higher=True),
)


def feature_metric(extract: Extractor) -> Metric:
    return Metric("features", "features", partial(feature_distance, extract))


def lpips_metric() -> Metric:
    return Metric("lpips", "LPIPS", lpips_distance())


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
        try:
            example = read_pair(pair, scale)
            yield ImageMeasurements(pair.high_res.name, measure(example, methods, metrics, border))
        except Exception as error:
            yield Failure(pair.high_res.name, describe_error(pair.high_res.name, error))


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

"""NIQE: how unlike natural pictures a picture is, judged without its original.

Mittal, Soundararajan, Bovik, "Making a completely blind image quality analyzer", 2013. The model of
natural pictures, niqe.npz, was fitted by benchmarks/fit_niqe.py on 180 freely licensed photographs;
half size is made by averaging 2 x 2 pixels. So the figures rank pictures like published ones do but
cannot be compared with them. Lower is more natural.

It rises with blur (sigma 1, 2, 4 pixels) and strong noise (sigma 25 levels) on all of 25 other
photographs. Weak spoiling it may take for nature: noise of sigma 2, 5 and 10 lowers it on the same
two of them (at 10 from 4.1 to 3.2 and from 2.9 to 2.5; only from about 20 and 14 on is it above the
original's), blur of sigma 0.5 on three, by 0.02 to 0.3. Those two, hoar frost and a coast from the
air, are rich in contrast (9.5 levels, the median of the 25 is 6.2) and poor in the finest detail;
noise seems to pass for it. That is the method's, not the fit's: it stays so for any 125 of the 180
photographs (20 draws), for SHARP from 0.5 to 0.85, and with whole levels of gray from 0 to 255 and
half size by bicubic, as the authors have it. `benchmarks/fit_niqe.py --val FOLDER` tries again.
"""

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np

from srgan_cli.errors import ImageError
from srgan_cli.metrics.fidelity import to_y

PATCH = 96  # pixels a side, at full size
SHARP = 0.75  # of the sharpest patch: what the model is fitted on
WINDOW, SIGMA = 7, 7 / 6
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))  # rows down, columns right


@dataclass(frozen=True, eq=False)
class NaturalModel:
    """mean: (36,), covariance: (36, 36) of the features of natural patches."""

    mean: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True, eq=False)
class _Patches:
    """features: (n, 36), 18 at full and 18 at half size. sharpness: (n,), mean local contrast."""

    features: np.ndarray
    sharpness: np.ndarray


def niqe(pixels: np.ndarray, model: NaturalModel | None = None) -> float:
    """About 2 to 4 for good photographs, more for noise and blur. Needs 96 x 96 pixels."""
    natural = model or natural_model()
    seen = _gaussian(_patches(pixels).features)
    away = natural.mean - seen.mean
    inverse = np.linalg.pinv((natural.covariance + seen.covariance) / 2)
    return math.sqrt(max(0.0, float(away @ inverse @ away)))


@lru_cache(maxsize=1)
def natural_model() -> NaturalModel:
    stored = np.load(io.BytesIO((files("srgan_cli") / "niqe.npz").read_bytes()))
    return NaturalModel(stored["mean"], stored["covariance"])


def fit(pictures: Iterable[np.ndarray]) -> NaturalModel:
    """The model of the sharp patches of good photographs, (H, W, C) integers."""
    return _gaussian(np.concatenate([_sharp(_patches(pixels)) for pixels in pictures]))


def write_model(model: NaturalModel, path: Path) -> None:
    """In the form in which the package holds its own."""
    np.savez_compressed(path, mean=model.mean, covariance=model.covariance)


def _sharp(patches: _Patches) -> np.ndarray:
    sharp: np.ndarray = patches.features[patches.sharpness > SHARP * patches.sharpness.max()]
    return sharp


def _gaussian(features: np.ndarray) -> NaturalModel:
    """A single patch, or one without any contrast, tells nothing of the covariance: it is 0."""
    sound = features[np.isfinite(features).all(axis=1)]
    if not len(sound):
        raise ImageError("NIQE finds no texture to judge: measure a picture that is not flat")
    covariance = np.cov(sound.T) if len(sound) > 1 else np.zeros((sound.shape[1],) * 2)
    return NaturalModel(sound.mean(axis=0), covariance)


def _patches(pixels: np.ndarray) -> _Patches:
    luma = to_y(pixels)
    rows, columns = luma.shape[0] // PATCH, luma.shape[1] // PATCH
    if not rows * columns:
        raise ImageError(f"NIQE needs {PATCH} x {PATCH} pixels: measure a larger picture")
    luma = np.ascontiguousarray(luma[: rows * PATCH, : columns * PATCH])
    normal, contrast = _normalised(luma)
    half, _ = _normalised(cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    features = [_features(normal, PATCH), _features(half, PATCH // 2)]
    return _Patches(np.concatenate(features, axis=1), _cut(contrast, PATCH).mean(axis=1))


def _normalised(luma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each pixel less its surroundings' mean, over their standard deviation; and that deviation."""
    mean, power = _blurred(luma), _blurred(luma * luma)
    deviation = np.sqrt(np.abs(power - mean * mean))
    return (luma - mean) / (deviation + 1), deviation


def _blurred(plane: np.ndarray) -> np.ndarray:
    size = (WINDOW, WINDOW)
    return np.asarray(cv2.GaussianBlur(plane, size, SIGMA, borderType=cv2.BORDER_REPLICATE))


def _cut(plane: np.ndarray, side: int) -> np.ndarray:
    """(H, W) -> (patches, side * side), patches row by row."""
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    split = plane.reshape(rows, side, columns, side).swapaxes(1, 2)
    return split.reshape(rows * columns, side * side)


def _features(normal: np.ndarray, side: int) -> np.ndarray:
    """(patches, 18): the shapes of the values' distribution and of neighbours' products."""
    shape, left, right, _ = _skewed_fit(_cut(normal, side))
    columns = [shape, (left + right) / 2]
    for down, across in NEIGHBOURS:
        product = normal * np.roll(normal, (down, across), axis=(0, 1))
        shape, left, right, mean = _skewed_fit(_cut(product, side))
        columns += [shape, mean, left, right]
    return np.stack(columns, axis=1)


def _skewed_fit(
    values: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Asymmetric generalised Gaussians fitted to rows: shape, left and right scale, mean.

    Lasmar, Stitou, Berthoumieu, "Multiscale skewed heavy tailed model for texture analysis", 2009:
    by moments. Rows without a value on one side come out as NaN.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        left = _root_mean_square(values, values < 0)
        right = _root_mean_square(values, values > 0)
        skew = left / right
        flatness = np.abs(values).mean(axis=1) ** 2 / (values**2).mean(axis=1)
        wanted = flatness * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
        shape, ratio, spread = _nearest_shape(wanted)
        left, right = left * ratio, right * ratio
    return shape, left, right, (right - left) * spread


def _root_mean_square(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    total = np.where(chosen, values**2, 0.0).sum(axis=1)
    root: np.ndarray = np.sqrt(total / chosen.sum(axis=1))
    return root


def _nearest_shape(wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The shape with the moment ratio `wanted`; scale over deviation and mean over scale for it."""
    shapes, moments, ratios, spreads = _shape_table()
    index = np.searchsorted(moments, np.nan_to_num(wanted)).clip(1, len(shapes) - 1)
    index -= wanted - moments[index - 1] < moments[index] - wanted
    broken = np.where(np.isfinite(wanted), 1.0, np.nan)
    return shapes[index] * broken, ratios[index], spreads[index]


@lru_cache(maxsize=1)
def _shape_table() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Shapes from 0.2 to 10; the moment ratio rises with them."""
    shapes = np.arange(200, 10001) / 1000
    one, two, three = (np.array([math.gamma(n / shape) for shape in shapes]) for n in (1, 2, 3))
    return shapes, two**2 / (one * three), np.sqrt(one / three), two / one

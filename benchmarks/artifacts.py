"""What a network may add that is no detail: a shift of color, a grid, dots where nothing is.

All functions take (H, W, C) integers of any depth; figures are in levels of the 8-bit scale. Where
`low` and an enlarged image come together, the one has a whole number of times the other's size.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from srgan_cli.errors import ImageError
from srgan_cli.metrics import levels

SIGMA = 8.0
"""Of the Gaussian after which a local shift of color is looked for, in low-resolution pixels."""

SIDE = 64
"""Of the crops whose spectrum is taken, in low-resolution pixels: 256 x 256 enlarged four times."""

NEAR, RING = 1, (3, 8)
"""Bins around a peak that count as the peak (a Hann window spreads a sinus over them), and the
ring of bins that it is compared with."""

LINE = 64
"""Pixels of a row or column that are looked at together."""

BLOCK = 8
"""Side of the blocks that are flat or not, in low-resolution pixels."""

FLAT = 1.0
"""Standard deviation, in levels, below which a block of the low image is flat."""


@dataclass(frozen=True)
class Shift:
    """mean: signed, of each channel over the image. local: the largest absolute one anywhere."""

    mean: tuple[float, ...]
    local: float


def color_shift(ours: np.ndarray, low: np.ndarray) -> Shift:
    """Of the averages of the blocks that came of a low pixel, against that pixel.

    Locally it is looked at after a Gaussian of SIGMA: single blocks of an original differ from a
    bicubic low image by dozens of levels.
    """
    scale = ours.shape[0] // low.shape[0]
    off = (_blocks(levels(ours), scale).mean(axis=(1, 3)) - levels(low)).astype(np.float32)
    # reflected: were the edge repeated instead, its pixels would count for half of the Gaussian
    smooth = cv2.GaussianBlur(off, (0, 0), SIGMA, borderType=cv2.BORDER_REFLECT)
    mean = off.mean(axis=(0, 1), dtype=np.float64)
    return Shift(tuple(float(one) for one in mean), float(np.abs(smooth).max()))


@dataclass(frozen=True)
class Grid:
    """strength: period in pixels -> power at its frequencies over the power around them, the
    geometric mean over frequencies and crops; white noise has 0.83, as so few bins scatter.

    height: the standard deviation of all of it together, in levels, over all crops. Where an image
    has nothing fine, a grid can be strong and yet too low to be seen.
    """

    strength: Mapping[int, float]
    height: float


def grid(ours: np.ndarray, scale: int) -> Grid:
    """Of the mean of the channels. An enlargement by `scale` repeats its errors with periods that
    divide it. Raises ImageError for an image smaller than a crop.
    """
    side = SIDE * scale
    spectra = _spectra(levels(ours).mean(axis=2), side)
    ratios: dict[int, list[np.ndarray]] = {}
    variance = 0.0
    for down, across in _frequencies(scale):
        peak, around = _near_and_around(spectra, SIDE * down, SIDE * across)
        period = scale // math.gcd(down, across, scale)
        ratios.setdefault(period, []).append(peak / around)
        twice = 1 if (2 * down % scale, 2 * across % scale) == (0, 0) else 2  # its mirror image
        variance += twice * float(np.mean(peak - around)) * (2 * NEAR + 1) ** 2
    strength = {period: float(np.exp(np.mean(np.log(ratios[period])))) for period in sorted(ratios)}
    return Grid(strength, math.sqrt(max(0.0, variance) / (side**2 * (_window(side) ** 2).sum())))


def _frequencies(scale: int) -> list[tuple[int, int]]:
    """Multiples of 1 / scale, down and across, without (0, 0) and without a frequency's mirror
    image, which is the same in the spectrum of a real image."""
    pairs = [(down, across) for down in range(scale) for across in range(scale)]
    return [pair for pair in pairs[1:] if pair <= (-pair[0] % scale, -pair[1] % scale)]


def _spectra(plane: np.ndarray, side: int) -> np.ndarray:
    """(crops, side, side): power of each whole crop, under a Hann window.

    What rounding to whole levels adds on average (1 / 12) is added once more, lest nothing be
    divided by nothing in a flat crop.
    """
    if min(plane.shape) < side:
        raise ImageError(f"a grid is looked for in {side} x {side} pixels: measure a larger one")
    crops = _blocks(plane[..., None], side)[..., 0].swapaxes(1, 2).reshape(-1, side, side)
    window = _window(side)
    centered = (crops - crops.mean(axis=(1, 2), keepdims=True)) * window
    power: np.ndarray = np.abs(np.fft.fft2(centered)) ** 2 + (window**2).sum() / 12
    return power


def _window(side: int) -> np.ndarray:
    return np.outer(np.hanning(side), np.hanning(side))


def _near_and_around(spectra: np.ndarray, row: int, column: int) -> tuple[np.ndarray, np.ndarray]:
    """(crops,) each: the mean power at that frequency, and in the ring around it."""
    reach = np.arange(-RING[1], RING[1] + 1)
    side = spectra.shape[1]
    part = spectra[:, (row + reach)[:, None] % side, (column + reach) % side]
    distance = np.maximum(np.abs(reach)[:, None], np.abs(reach))
    return part[:, distance <= NEAR].mean(axis=1), part[:, distance >= RING[0]].mean(axis=1)


def dots(ours: np.ndarray, scale: int) -> float:
    """The height, in levels, of what changes with the finest period of the enlargement's grid along
    single rows or columns of the mean of the channels: of pieces of LINE pixels, that which one in
    a thousand passes. Rows of dots beside level edges, say, which a mean over the image hides.

    Raises ImageError for an image smaller than a piece.
    """
    plane = levels(ours).mean(axis=2)
    if min(plane.shape) < LINE:
        raise ImageError(f"dots are looked for in rows of {LINE} pixels: measure a larger picture")
    period = next(period for period in range(2, scale + 1) if scale % period == 0)
    turns = np.exp(2j * np.pi * np.arange(LINE) / period) * (1 if period == 2 else 2)
    heights = [_heights(one, turns).ravel() for one in (plane, plane.T)]
    return float(np.percentile(np.concatenate(heights), 99.9))


def _heights(plane: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """(rows, pieces): of a wave that turns so, in pieces that overlap by half."""
    pieces = sliding_window_view(plane, LINE, axis=1)[:, :: LINE // 2]
    centered = pieces - pieces.mean(axis=2, keepdims=True)
    window = np.hanning(LINE + 2)[1:-1]
    heights: np.ndarray = np.abs(centered @ (turns * window / window.sum()))
    return heights


def flat_blocks(low: np.ndarray) -> np.ndarray:
    """(rows, columns) of whole blocks of BLOCK x BLOCK pixels: which of them are flat."""
    flat: np.ndarray = _deviation(low, BLOCK) < FLAT
    return flat


def roughness(ours: np.ndarray, flat: np.ndarray, scale: int) -> np.ndarray:
    """(n,): the standard deviation in `ours` of each of the n blocks that are `flat`."""
    rough: np.ndarray = _deviation(ours, BLOCK * scale)[flat]
    return rough


def _deviation(pixels: np.ndarray, side: int) -> np.ndarray:
    """(rows, columns): root mean square over the channels."""
    variance = _blocks(levels(pixels), side).var(axis=(1, 3))
    deviation: np.ndarray = np.sqrt(variance.mean(axis=2))
    return deviation


def _blocks(planes: np.ndarray, side: int) -> np.ndarray:
    """(H, W, C) -> (rows, side, columns, side, C); what is left over at the end is left out."""
    rows, columns = planes.shape[0] // side, planes.shape[1] // side
    whole = planes[: rows * side, : columns * side]
    return whole.reshape(rows, side, columns, side, planes.shape[2])

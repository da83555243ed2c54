"""Corrections after the networks: colours, or the whole picture, made to agree with the input.

Both look at a stated number of low-resolution rows around each row, and treat colours alone: each
channel by itself, so that gray stays gray. Alpha is never a network's work and stays as it is.
"""

from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from srgan_cli.images.value import Image
from srgan_cli.resample import resize

Floats = NDArray[np.float32]

SIGMA = 4.0
"""Of the Gaussian that tells low frequencies from high ones, in low-resolution pixels."""

CUT = 12
"""Where that Gaussian ends, 3 sigma from its middle."""

ITERATIONS = 16
"""Of back-projection: 99.9 % of a photograph's values agree within a level from x1.5 up.

Two would do, were it not for what clips at black and white; closer to x1 that can make it
impossible.
"""

SHARPNESS = 8
"""Half the width of the filter that a residual passes before it is enlarged."""

WEAKEST = 0.2
"""Frequencies that come back weaker are not restored: a picture made smaller has lost them."""

BICUBIC = 2
"""Low-resolution pixels that the bicubic filter sees to each side, enlarging or shrinking."""

FIX_RADIUS = CUT + 2 * BICUBIC
"""Low-resolution rows to each side that a row of `colour_fixed` depends on."""

CONSISTENT_RADIUS = ITERATIONS * (SHARPNESS + 2 * BICUBIC)
"""The same for `made_consistent`."""


def colour_fixed(high: Image, low: Image) -> Image:
    """`high` with the low frequencies of `low`; its detail, and everything else, stays."""
    wanted, pixels = _floats(low, high)
    residual = wanted - _resized(pixels, low.height, low.width)
    size = (2 * CUT + 1, 2 * CUT + 1)
    smooth = _planes(cv2.GaussianBlur(residual, size, SIGMA, borderType=cv2.BORDER_REPLICATE))
    return _with(high, pixels + _resized(smooth, high.height, high.width))


def made_consistent(high: Image, low: Image) -> Image:
    """`high` changed as little as makes MATLAB's bicubic shrink it to `low` again.

    Back-projection (Irani and Peleg, 1991): what the shrunk picture lacks is enlarged and added,
    after a filter that undoes how shrinking and enlarging weaken it. Rounding, and whites and
    blacks that clip, leave a level here and there.
    """
    wanted, pixels = _floats(low, high)
    taps = _inverse(Fraction(high.height, low.height)), _inverse(Fraction(high.width, low.width))
    top = np.iinfo(high.pixels.dtype).max
    for _ in range(ITERATIONS):
        residual = wanted - _resized(pixels, low.height, low.width)
        sharp = cv2.sepFilter2D(residual, -1, taps[1], taps[0], borderType=cv2.BORDER_REPLICATE)
        pixels += _resized(_planes(sharp), high.height, high.width)
        np.clip(pixels, 0, top, out=pixels)
    return _with(high, pixels)


@lru_cache(maxsize=8)
def _inverse(factor: Fraction) -> Floats:
    """(2 SHARPNESS + 1,): what undoes an enlargement by `factor` and a shrinking back.

    In between, a signal has passed a short low-pass; this is the inverse of its frequencies.
    """
    length = 8 * SHARPNESS
    larger = max(1, round(length * factor))
    there = resize(torch.eye(length, dtype=torch.float64), length, larger)
    back = resize(there, length, length).numpy()  # each row: an impulse, returned
    middle = range(2 * SHARPNESS, length - 2 * SHARPNESS)
    responses = np.fft.rfft([np.roll(back[i], -i) for i in middle]).real
    inverse = np.fft.irfft(1 / np.maximum(responses.max(axis=0), WEAKEST), length)
    return np.asarray(np.roll(inverse, SHARPNESS)[: 2 * SHARPNESS + 1], np.float32)


def _floats(low: Image, high: Image) -> tuple[Floats, Floats]:
    """Of two gray pictures one channel: three could be rounded differently."""
    channels = 1 if low.gray and high.gray else 3
    wanted, pixels = low.pixels[..., :channels], high.pixels[..., :channels]
    return wanted.astype(np.float32), pixels.astype(np.float32)


def _resized(pixels: Floats, height: int, width: int) -> Floats:
    planes = torch.from_numpy(pixels).permute(2, 0, 1)
    resized: Floats = resize(planes, height, width).permute(1, 2, 0).numpy()
    return np.ascontiguousarray(resized)


def _planes(pixels: NDArray[Any]) -> Floats:
    """(H, W, C) again, where OpenCV has dropped the axis of a single channel."""
    return pixels.reshape(*pixels.shape[:2], -1)


def _with(image: Image, pixels: Floats) -> Image:
    top = np.iinfo(image.pixels.dtype).max
    levels = np.rint(pixels).clip(0, top).astype(image.pixels.dtype)
    return replace(image, pixels=np.broadcast_to(levels, image.pixels.shape).copy())

"""Bicubic resizing as MATLAB's imresize does it: a = -0.5, antialiased when shrinking.

Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981. Every published figure
of the field rests on this filter; torch's own bicubic uses a = -0.75.
"""

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

SUPPORT = 4  # input samples that one output sample sees when enlarging


def cubic(x: np.ndarray) -> np.ndarray:
    """Keys' kernel with a = -0.5 at the distances `x`, in samples."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def taps(length: int, target: int, scale: float, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Which samples of a signal make each of its `target` resized ones, and how much of each.

    Output sample i lies at (start + i + 0.5) / scale - 0.5. Returns indices and weights, both
    (target, taps); beyond the ends the edge samples are repeated, as in the low pictures that the
    field's benchmarks come with.
    """
    shrink = min(scale, 1.0)
    reach = SUPPORT / shrink
    centre = (np.arange(start, start + target) + 0.5) / scale - 0.5
    first = np.floor(centre - reach / 2)
    index = first[:, None] + np.arange(math.ceil(reach) + 2)
    weight = cubic((centre[:, None] - index) * shrink)
    weight /= weight.sum(axis=1, keepdims=True)
    used = np.any(weight != 0, axis=0)
    return index[:, used].astype(np.int64).clip(0, length - 1), weight[:, used]


@lru_cache(maxsize=64)
def _matrix(length: int, target: int, scale: float, start: int) -> Tensor:
    index, weight = taps(length, target, scale, start)
    dense = np.zeros((target, length))
    np.add.at(dense, (np.arange(target)[:, None], index), weight)
    return torch.from_numpy(dense)


def resize(pictures: Tensor, height: int, width: int) -> Tensor:
    """(..., H, W) floats -> (..., height, width), differentiable. Values are not clipped."""
    rows, columns = pictures.shape[-2:]
    down = _apply(pictures.transpose(-1, -2), rows, height).transpose(-1, -2)
    return _apply(down, columns, width)


def _apply(signal: Tensor, length: int, target: int) -> Tensor:
    if length == target:
        return signal
    if length * target <= 1 << 16:  # a matrix product beats gathering on small pictures
        matrix = _matrix(length, target, target / length, 0).to(signal)
        return signal @ matrix.T
    index, weight = taps(length, target, target / length)
    result = signal.new_zeros((*signal.shape[:-1], target))
    for i, w in zip(index.T, weight.T, strict=True):
        result += signal[..., torch.from_numpy(i).to(signal.device)] * torch.from_numpy(w).to(
            signal
        )
    return result


@lru_cache(maxsize=8)
def _phases(scale: int) -> Tensor:
    """(scale, 5): weights of the samples i-2 .. i+2 in the outputs of sample i."""
    index, weight = taps(5, scale, float(scale), start=2 * scale)
    dense = np.zeros((scale, 5))
    np.add.at(dense, (np.arange(scale)[:, None], index), weight)
    return torch.from_numpy(dense)


def enlarge(pictures: Tensor, scale: int) -> Tensor:
    """(B, C, H, W) floats -> (B, C, sH, sW): `resize` by an integer, as convolutions."""
    batch, channels, height, width = pictures.shape
    planes = pictures.reshape(batch * channels, 1, height, width)
    weight = _phases(scale).to(pictures)
    wide = conv2d(pad(planes, (2, 2, 0, 0), mode="replicate"), weight[:, None, None, :])
    wide = wide.permute(0, 2, 3, 1).reshape(-1, 1, height, width * scale)
    tall = conv2d(pad(wide, (0, 0, 2, 2), mode="replicate"), weight[:, None, :, None])
    tall = tall.permute(0, 2, 1, 3)  # (BC, H, s, sW)
    return tall.reshape(batch, channels, height * scale, width * scale)


def resize_array(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W) or (H, W, C) integers -> the same depth, (height, width) or (height, width, C)."""
    planes = torch.from_numpy(pixels.astype(np.float32))
    planes = planes.permute(2, 0, 1) if pixels.ndim == 3 else planes
    resized = resize(planes, height, width)
    resized = resized.permute(1, 2, 0) if pixels.ndim == 3 else resized
    top = np.iinfo(pixels.dtype).max
    return resized.round().clamp(0, top).numpy().astype(pixels.dtype)

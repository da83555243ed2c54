"""Bicubic resizing as MATLAB's imresize does it: a = -0.5, antialiased when shrinking.

Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981. Every published figure
of the field rests on this filter; torch's own bicubic uses a = -0.75.
"""

import math
from dataclasses import dataclass
from functools import lru_cache, reduce

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

SUPPORT = 4  # input samples that one output sample sees when upscaling
BLOCK = 32  # output samples that are computed by one product of matrices
SMALL = 1 << 16  # weights up to which a signal is resized by a single matrix
NARROW = 16  # output samples of one product when shrinking: 32 and 8 take longer, as measured


def cubic(x: np.ndarray) -> np.ndarray:
    """Keys' kernel with a = -0.5 at the distances `x`, in samples."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def taps(length: int, target: int, scale: float, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Which samples of a signal make each of its `target` resized ones, and how much of each.

    Output sample i lies at (start + i + 0.5) / scale - 0.5. Returns indices and weights, both
    (target, taps); beyond the ends the edge samples are repeated, as in the low images that the
    field's benchmarks come with.
    """
    index, weight = _raw_taps(target, scale, start)
    return index.clip(0, length - 1), weight


def _raw_taps(target: int, scale: float, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The same of a signal without ends: ascending indices."""
    shrink = min(scale, 1.0)
    support = SUPPORT / shrink
    center = (np.arange(start, start + target) + 0.5) / scale - 0.5
    first = np.floor(center - support / 2)
    index = first[:, None] + np.arange(math.ceil(support) + 2)
    weight = cubic((center[:, None] - index) * shrink)
    weight /= weight.sum(axis=1, keepdims=True)
    used = np.any(weight != 0, axis=0)
    return index[:, used].astype(np.int64), weight[:, used]


def resize(pictures: Tensor, height: int, width: int) -> Tensor:
    """(..., H, W) floats -> (..., height, width), differentiable. Values are not clipped."""
    rows, columns = pictures.shape[-2:]
    if max(rows * height, columns * width) <= SMALL:
        down, across = _matrix(rows, height), _matrix(columns, width)
        return down.to(pictures) @ pictures @ across.to(pictures).T
    planes = pictures.reshape(-1, rows, columns)
    made = [resize_rows(each, all_of(rows), all_of(height), width) for each in planes]
    return torch.stack(made).reshape(*pictures.shape[:-2], height, width)


@lru_cache(maxsize=64)
def _matrix(length: int, target: int) -> Tensor:
    """(target, length): all weights of a short signal."""
    return torch.from_numpy(_dense(*taps(length, target, target / length), length))


def _dense(index: np.ndarray, weight: np.ndarray, seen: int) -> np.ndarray:
    """Taps (outputs, taps) as a matrix (outputs, seen)."""
    dense = np.zeros((len(index), seen))
    np.add.at(dense, (np.arange(len(index))[:, None], index), weight)
    return dense


def resize_levels(pixels: np.ndarray, height: int, width: int) -> Tensor:
    """(H, W, C) integers -> (C, height, width) floats: `resize`, for large images made small.

    Differs from it by the rounding of sums alone. The result is a view of (width, C, height).
    """
    rows, columns, channels = pixels.shape
    levels = torch.from_numpy(pixels.astype(np.float32, order="C")).view(rows, columns * channels)
    tall = levels.new_empty(columns * channels, height)
    for band in _bands(rows, height):
        torch.mm(levels[band.seen].T, band.weights.T, out=tall[:, band.made])
    across = tall.view(columns, channels * height)
    made = levels.new_empty(width, channels * height)
    for band in _bands(columns, width):
        torch.mm(band.weights, across[band.seen], out=made[band.made])
    return made.view(width, channels, height).permute(1, 2, 0)


@dataclass(frozen=True, eq=False)
class _Band:
    """Neighbouring outputs and what they are made of: weights (made, seen), in float32."""

    made: slice
    seen: slice
    weights: Tensor


@lru_cache(maxsize=512)  # training patches are shrunk from almost as many sizes
def _bands(length: int, target: int) -> tuple[_Band, ...]:
    index, weight = taps(length, target, target / length)
    bands = []
    for top in range(0, target, NARROW):
        made = slice(top, min(top + NARROW, target))
        first, last = int(index[made].min()), int(index[made].max())
        dense = _dense(index[made] - first, weight[made], last + 1 - first)
        weights = torch.from_numpy(dense.astype(np.float32))
        bands.append(_Band(made, slice(first, last + 1), weights))
    return tuple(bands)


@dataclass(frozen=True)
class Rows:
    """The rows top .. bottom of an image that has `of` rows."""

    top: int
    bottom: int
    of: int


def all_of(height: int) -> Rows:
    return Rows(0, height, height)


def seen_by(made: Rows, height: int) -> Rows:
    """What the rows `made` of a resized image need of the image, `height` rows high."""
    support = SUPPORT / 2 / min(made.of / height, 1.0)
    first, last = ((row + 0.5) * height / made.of for row in (made.top, made.bottom - 1))
    top, bottom = math.floor(first - support), math.ceil(last + support)
    return Rows(max(0, top), min(height, bottom), height)


def resize_rows(plane: Tensor, has: Rows, made: Rows, width: int) -> Tensor:
    """(H, W), the rows `has` of an image -> (h, width), the rows `made` of it resized.

    Bit for bit the same out of any part that has the rows of `seen_by`: every product is of the
    same blocks in the same place. Where more is needed the part's first or last row is repeated.
    """
    down = _blocks(has.of, made.of, plane.dtype, plane.device)
    across = _blocks(plane.shape[1], width, plane.dtype, plane.device)
    first, end = made.top // BLOCK, -(-made.bottom // BLOCK)
    bands = []
    for index, matrix in zip(down.index[first:end], down.matrix[first:end], strict=True):
        seen = plane.index_select(0, index.clamp(has.top, has.bottom - 1) - has.top)
        tall = torch.mm(seen.T, matrix.T)  # (W, BLOCK)
        sides = tall.index_select(0, across.index.flatten()).unflatten(0, across.index.shape)
        bands.append(torch.bmm(across.matrix, sides).flatten(0, 1)[:width].T)  # (BLOCK, width)
    return torch.cat(bands)[made.top - first * BLOCK : made.bottom - first * BLOCK]


@dataclass(frozen=True, eq=False)
class _Blocks:
    """A resampling as one small matrix for every BLOCK neighboring outputs.

    index: (blocks, inputs), the samples that each sees. matrix: (blocks, BLOCK, inputs).
    """

    index: Tensor
    matrix: Tensor


@lru_cache(maxsize=8)
def _blocks(length: int, target: int, dtype: torch.dtype, device: torch.device) -> _Blocks:
    count = -(-target // BLOCK)
    index, weight = _raw_taps(count * BLOCK, target / length)
    first = index[::BLOCK, 0]
    seen = int((index[BLOCK - 1 :: BLOCK, -1] - first).max()) + 1
    dense = _dense(index - np.repeat(first, BLOCK)[:, None], weight, seen)
    matrix = torch.from_numpy(dense.reshape(count, BLOCK, seen)).to(device, dtype)
    inputs = (first[:, None] + np.arange(seen)).clip(0, length - 1)
    return _Blocks(torch.from_numpy(inputs).to(device), matrix)


@lru_cache(maxsize=8)
def _phases(scale: int) -> tuple[dict[int, float], ...]:
    """For each of the outputs of sample i: its weights, of sample i - 2 (0) to i + 2 (4)."""
    index, weight = taps(5, scale, float(scale), start=2 * scale)
    return tuple(
        {int(i): float(w) for i, w in zip(*each, strict=True) if w}
        for each in zip(index, weight, strict=True)
    )


def upscale_bicubic(pictures: Tensor, scale: int) -> Tensor:
    """(B, C, H, W) floats -> (B, C, sH, sW): `resize` by an integer, differentiable.

    Products and sums are rounded one by one, so a pixel is the same to the bit in every tile.
    """
    wide = torch.stack(_outputs(pad(pictures, (2, 2, 0, 0), mode="replicate"), scale, -1), dim=-1)
    wide = wide.flatten(-2)
    tall = torch.stack(_outputs(pad(wide, (0, 0, 2, 2), mode="replicate"), scale, -2), dim=-2)
    return tall.flatten(-3, -2)


def _outputs(padded: Tensor, scale: int, dim: int) -> list[Tensor]:
    """What becomes of every sample along `dim`, two more on either side: its 1st, 2nd .. output."""
    length = padded.shape[dim] - 4
    seen = [padded.narrow(dim, i, length) for i in range(5)]
    outputs = []
    for weights in _phases(scale):
        terms = [seen[i] * weight for i, weight in weights.items()]
        outputs.append(reduce(Tensor.add_, terms))
    return outputs


def resize_array(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W) or (H, W, C) integers -> the same depth, (height, width) or (height, width, C)."""
    return resize_band(pixels, all_of(len(pixels)), all_of(height), width)


def resize_band(pixels: np.ndarray, has: Rows, made: Rows, width: int) -> np.ndarray:
    """The rows `made` of an image resized, out of its rows `has`: see `resize_rows`."""
    top = np.iinfo(pixels.dtype).max
    result = np.empty((made.bottom - made.top, width, *pixels.shape[2:]), pixels.dtype)
    for channel in np.ndindex(pixels.shape[2:]):
        plane = torch.from_numpy(pixels[(..., *channel)].astype(np.float32))
        made_plane = resize_rows(plane, has, made, width).round().clamp(0, top)
        result[(..., *channel)] = made_plane.numpy()
    return result

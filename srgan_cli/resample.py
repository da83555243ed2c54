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

SUPPORT = 4  # input samples of one output sample when upscaling
BLOCK = 32  # output samples of one matrix product
MAX_DENSE_WEIGHTS = 1 << 16  # weights of a signal's matrix up to which it is one matrix
BAND_WIDTH = 16  # output samples of one product when shrinking: 32 and 8 take longer, as measured


def cubic(x: np.ndarray) -> np.ndarray:
    """Keys' kernel with a = -0.5 at the distances `x`, in samples."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def taps(length: int, target: int, scale: float, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Indices and weights of the input samples of each of `target` output samples.

    Output sample i lies at (start + i + 0.5) / scale - 0.5. Both are (target, taps). The signal is
    padded by its edge samples, as in the low-resolution images of the field's benchmarks.
    """
    index, weight = _raw_taps(target, scale, start)
    return index.clip(0, length - 1), weight


def _raw_taps(target: int, scale: float, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Like `taps`, for an infinite signal: indices ascend."""
    shrink = min(scale, 1.0)
    support = SUPPORT / shrink
    center = (np.arange(start, start + target) + 0.5) / scale - 0.5
    first = np.floor(center - support / 2)
    index = first[:, None] + np.arange(math.ceil(support) + 2)
    weight = cubic((center[:, None] - index) * shrink)
    weight /= weight.sum(axis=1, keepdims=True)
    used = np.any(weight != 0, axis=0)
    return index[:, used].astype(np.int64), weight[:, used]


def resize(images: Tensor, height: int, width: int) -> Tensor:
    """(..., H, W) floats -> (..., height, width), differentiable. Values are not clipped."""
    rows, columns = images.shape[-2:]
    if max(rows * height, columns * width) <= MAX_DENSE_WEIGHTS:
        rows_matrix, columns_matrix = _matrix(rows, height), _matrix(columns, width)
        return rows_matrix.to(images) @ images @ columns_matrix.to(images).T
    planes = images.reshape(-1, rows, columns)
    output = [resize_rows(each, all_rows(rows), all_rows(height), width) for each in planes]
    return torch.stack(output).reshape(*images.shape[:-2], height, width)


@lru_cache(maxsize=64)
def _matrix(length: int, target: int) -> Tensor:
    """(target, length): all weights of a short signal."""
    return torch.from_numpy(_dense(*taps(length, target, target / length), length))


def _dense(index: np.ndarray, weight: np.ndarray, inputs: int) -> np.ndarray:
    """Taps (outputs, taps) as a matrix (outputs, seen)."""
    dense = np.zeros((len(index), inputs))
    np.add.at(dense, (np.arange(len(index))[:, None], index), weight)
    return dense


def resize_levels(pixels: np.ndarray, height: int, width: int) -> Tensor:
    """(H, W, C) integers -> (C, height, width) floats: `resize`, faster for strong downscaling.

    Differs from it by the rounding of sums alone. The result is a view of (width, C, height).
    """
    rows, columns, channels = pixels.shape
    levels = torch.from_numpy(pixels.astype(np.float32, order="C")).view(rows, columns * channels)
    vertical = levels.new_empty(columns * channels, height)
    for band in _bands(rows, height):
        torch.mm(levels[band.inputs].T, band.weights.T, out=vertical[:, band.output])
    columns_matrix = vertical.view(columns, channels * height)
    output = levels.new_empty(width, channels * height)
    for band in _bands(columns, width):
        torch.mm(band.weights, columns_matrix[band.inputs], out=output[band.output])
    return output.view(width, channels, height).permute(1, 2, 0)


@dataclass(frozen=True, eq=False)
class _Band:
    """Consecutive outputs and their inputs. weights: (outputs, inputs) float32."""

    output: slice
    inputs: slice
    weights: Tensor


@lru_cache(maxsize=512)  # training patches are shrunk from almost as many sizes
def _bands(length: int, target: int) -> tuple[_Band, ...]:
    index, weight = taps(length, target, target / length)
    bands = []
    for top in range(0, target, BAND_WIDTH):
        output = slice(top, min(top + BAND_WIDTH, target))
        first, last = int(index[output].min()), int(index[output].max())
        dense = _dense(index[output] - first, weight[output], last + 1 - first)
        weights = torch.from_numpy(dense.astype(np.float32))
        bands.append(_Band(output, slice(first, last + 1), weights))
    return tuple(bands)


@dataclass(frozen=True)
class RowRange:
    """Rows top .. bottom of an image of `image_height` rows."""

    top: int
    bottom: int
    image_height: int


def all_rows(height: int) -> RowRange:
    return RowRange(0, height, height)


def input_rows(output: RowRange, height: int) -> RowRange:
    """The rows of an image of `height` rows that the rows `output` of the resized one depend on."""
    support = SUPPORT / 2 / min(output.image_height / height, 1.0)
    first, last = (
        (row + 0.5) * height / output.image_height for row in (output.top, output.bottom - 1)
    )
    top, bottom = math.floor(first - support), math.ceil(last + support)
    return RowRange(max(0, top), min(height, bottom), height)


def resize_rows(plane: Tensor, available: RowRange, output: RowRange, width: int) -> Tensor:
    """(H, W), the rows `available` of an image -> (h, width), the rows `output` of it resized.

    Bit for bit the same from any part that holds the rows of `input_rows`: every product is of the
    same blocks. Where a row is missing the part's first or last row is repeated.
    """
    rows = _blocks(available.image_height, output.image_height, plane.dtype, plane.device)
    columns = _blocks(plane.shape[1], width, plane.dtype, plane.device)
    first, end = output.top // BLOCK, -(-output.bottom // BLOCK)
    bands = []
    for index, matrix in zip(rows.index[first:end], rows.matrix[first:end], strict=True):
        seen = index.clamp(available.top, available.bottom - 1) - available.top
        vertical = torch.mm(plane.index_select(0, seen).T, matrix.T)  # (W, BLOCK)
        sides = vertical.index_select(0, columns.index.flatten())
        sides = sides.unflatten(0, columns.index.shape)  # (blocks, inputs, BLOCK)
        bands.append(torch.bmm(columns.matrix, sides).flatten(0, 1)[:width].T)  # (BLOCK, width)
    return torch.cat(bands)[output.top - first * BLOCK : output.bottom - first * BLOCK]


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
    width = int((index[BLOCK - 1 :: BLOCK, -1] - first).max()) + 1
    dense = _dense(index - np.repeat(first, BLOCK)[:, None], weight, width)
    matrix = torch.from_numpy(dense.reshape(count, BLOCK, width)).to(device, dtype)
    inputs = (first[:, None] + np.arange(width)).clip(0, length - 1)
    return _Blocks(torch.from_numpy(inputs).to(device), matrix)


@lru_cache(maxsize=8)
def _phases(scale: int) -> tuple[dict[int, float], ...]:
    """For each of the outputs of sample i: its weights, of sample i - 2 (0) to i + 2 (4)."""
    index, weight = taps(5, scale, float(scale), start=2 * scale)
    return tuple(
        {int(i): float(w) for i, w in zip(*each, strict=True) if w}
        for each in zip(index, weight, strict=True)
    )


def upscale_bicubic(images: Tensor, scale: int) -> Tensor:
    """(B, C, H, W) floats -> (B, C, sH, sW): `resize` by an integer, differentiable.

    Products and sums are rounded one by one, so a pixel is the same to the bit in every tile.
    """
    padded = pad(images, (2, 2, 0, 0), mode="replicate")
    wide = torch.stack(_outputs(padded, scale, -1), dim=-1).flatten(-2)  # (B, C, H, sW)
    padded = pad(wide, (0, 0, 2, 2), mode="replicate")
    return torch.stack(_outputs(padded, scale, -2), dim=-2).flatten(-3, -2)


def _outputs(padded: Tensor, scale: int, dim: int) -> list[Tensor]:
    """The 1st, 2nd .. output of every sample along `dim`, which is padded by 2 on each side."""
    length = padded.shape[dim] - 4
    inputs = [padded.narrow(dim, i, length) for i in range(5)]
    outputs = []
    for weights in _phases(scale):
        terms = [inputs[i] * weight for i, weight in weights.items()]
        outputs.append(reduce(Tensor.add_, terms))
    return outputs


def resize_array(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W) or (H, W, C) integers -> the same depth, (height, width) or (height, width, C)."""
    return resize_band(pixels, all_rows(len(pixels)), all_rows(height), width)


def resize_band(
    pixels: np.ndarray, available: RowRange, output: RowRange, width: int
) -> np.ndarray:
    """Rows `output` of the resized image from its rows `available`: see `resize_rows`."""
    top = np.iinfo(pixels.dtype).max
    result = np.empty((output.bottom - output.top, width, *pixels.shape[2:]), pixels.dtype)
    for channel in np.ndindex(pixels.shape[2:]):
        plane = torch.from_numpy(pixels[(..., *channel)].astype(np.float32))
        made_plane = resize_rows(plane, available, output, width).round().clamp(0, top)
        result[(..., *channel)] = made_plane.numpy()
    return result

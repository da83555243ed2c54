"""The last step to the requested size: an antialiased bicubic."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from srgan_cli.images.image import Image
from srgan_cli.inference.alpha import alpha_weighted
from srgan_cli.inference.row_streams import (
    CHUNK_SAMPLES,
    ImageSink,
    ImageSource,
    RowSink,
    RowSource,
    RowTransformSink,
    copy_rows,
)
from srgan_cli.resample import BLOCK, RowRange, input_rows, resize_band, resize_rows
from srgan_cli.settings import ImageSize

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ResizeRows:
    """Resizing of an image from `source_size` to `target`.

    is_gray_rgb: red, green and blue are equal everywhere. chunk: samples to compute at once.
    """

    source_size: ImageSize
    target: ImageSize
    channels: int
    is_gray_rgb: bool = False
    chunk: int = CHUNK_SAMPLES

    @property
    def height(self) -> int:
        return self.target.height

    @property
    def band(self) -> int:
        """A multiple of the resampling's block size."""
        rows = self.chunk // (self.target.width * self.channels)
        return max(1, rows // BLOCK) * BLOCK

    def input_rows(self, output: RowRange) -> RowRange:
        return input_rows(output, self.source_size.height)

    def compute(self, inputs: np.ndarray, output: RowRange) -> np.ndarray:
        colors = self.channels - (self.channels in (2, 4))
        pixels, alpha = inputs[..., :colors], inputs[..., colors:]
        if self.is_gray_rgb:
            one = self._resize_colors(pixels[..., :1], alpha, output)
            parts = [np.repeat(one, colors, axis=2)]
        else:
            parts = [self._resize_colors(pixels, alpha, output)]
        if alpha.shape[2]:
            parts.append(self._resize_layers(alpha, output))
        return np.concatenate(parts, axis=2)

    def _resize_colors(self, pixels: np.ndarray, alpha: np.ndarray, output: RowRange) -> np.ndarray:
        source_size, after = self.source_size, self.target
        unweighted = self._resize_layers(pixels, output)
        if (
            not alpha.shape[2]
            or after.height * after.width >= source_size.height * source_size.width
        ):
            return unweighted
        return alpha_weighted(
            pixels, alpha, unweighted, partial(self._resize_floats, output=output)
        )

    def _resize_layers(self, layers: np.ndarray, output: RowRange) -> np.ndarray:
        return resize_band(layers, self.input_rows(output), output, self.target.width)

    def _resize_floats(self, layers: Floats, output: RowRange) -> Floats:
        planes = torch.from_numpy(layers).permute(2, 0, 1).contiguous()
        available, width = self.input_rows(output), self.target.width
        resized = [resize_rows(plane, available, output, width) for plane in planes]
        return torch.stack(resized, dim=2).numpy()


def resize_sink(
    sink: RowSink, source: RowSource, source_size: ImageSize, target: ImageSize
) -> RowSink:
    """A sink that resizes an image like `source` from `source_size` to `target` before `sink`."""
    if source_size == target:
        return sink
    is_gray_rgb = source.gray and source.channels > 2
    return RowTransformSink(ResizeRows(source_size, target, source.channels, is_gray_rgb), sink)


def resize_image(image: Image, target: ImageSize) -> Image:
    """`image` resized to `target` by an antialiased bicubic, if it has not that size."""
    source, source_size = ImageSource(image), ImageSize(image.height, image.width)
    sink = ImageSink(target.height, target.width, source.channels, source.depth)
    copy_rows(source, resize_sink(sink, source, source_size, target))
    return sink.image(image)

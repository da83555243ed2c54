"""The last step to the size that was asked for: an antialiased bicubic."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from srgan_cli.images.image import Image
from srgan_cli.inference.alpha import alpha_weighted
from srgan_cli.inference.streaming import (
    PORTION,
    ImageSink,
    ImageSource,
    RowSink,
    RowSource,
    SlidingSink,
    copy,
)
from srgan_cli.resample import BLOCK, Rows, resize_band, resize_rows, seen_by
from srgan_cli.settings import ImageSize

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Fit:
    """An image of so many channels, `before` large, resized to `target`.

    is_gray_rgb: red, green and blue are equal everywhere. portion: samples to compute at once.
    """

    before: ImageSize
    target: ImageSize
    channels: int
    is_gray_rgb: bool = False
    portion: int = PORTION

    @property
    def height(self) -> int:
        return self.target.height

    @property
    def band(self) -> int:
        """Multiples of what the resampling computes together."""
        rows = self.portion // (self.target.width * self.channels)
        return max(1, rows // BLOCK) * BLOCK

    def seen(self, made: Rows) -> Rows:
        return seen_by(made, self.before.height)

    def rows(self, seen: np.ndarray, made: Rows) -> np.ndarray:
        colors = self.channels - (self.channels in (2, 4))
        pixels, alpha = seen[..., :colors], seen[..., colors:]
        if self.is_gray_rgb:
            one = self._resize_colors(pixels[..., :1], alpha, made)
            parts = [np.repeat(one, colors, axis=2)]
        else:
            parts = [self._resize_colors(pixels, alpha, made)]
        if alpha.shape[2]:
            parts.append(self._plain(alpha, made))
        return np.concatenate(parts, axis=2)

    def _resize_colors(self, pixels: np.ndarray, alpha: np.ndarray, made: Rows) -> np.ndarray:
        before, after = self.before, self.target
        plain = self._plain(pixels, made)
        if not alpha.shape[2] or after.height * after.width >= before.height * before.width:
            return plain
        return alpha_weighted(pixels, alpha, plain, partial(self._floats, made=made))

    def _plain(self, layers: np.ndarray, made: Rows) -> np.ndarray:
        return resize_band(layers, self.seen(made), made, self.target.width)

    def _floats(self, layers: Floats, made: Rows) -> Floats:
        planes = torch.from_numpy(layers).permute(2, 0, 1).contiguous()
        has, width = self.seen(made), self.target.width
        resized = [resize_rows(plane, has, made, width) for plane in planes]
        return torch.stack(resized, dim=2).numpy()


def resizing_sink(
    sink: RowSink, source: RowSource, before: ImageSize, target: ImageSize
) -> RowSink:
    """What brings an image of the kind of `source`, `before` large, to `target` for `sink`."""
    if before == target:
        return sink
    is_gray_rgb = source.gray and source.channels > 2
    return SlidingSink(Fit(before, target, source.channels, is_gray_rgb), sink)


def resize_image(image: Image, target: ImageSize) -> Image:
    """`image` resized to `target` by an antialiased bicubic, if it has not that size."""
    source, before = ImageSource(image), ImageSize(image.height, image.width)
    sink = ImageSink(target.height, target.width, source.channels, source.depth)
    copy(source, resizing_sink(sink, source, before, target))
    return sink.image(image)

"""From an image to the requested size: passes of networks, then an antialiased bicubic.

Shrinking weights each pixel by its alpha, so that edges get no fringe of hidden colors.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from srgan_cli.errors import OptionError
from srgan_cli.images.image import Image, LazyImage, Pixels
from srgan_cli.inference.engine import ProgressCallback, TiledEngine, no_progress
from srgan_cli.inference.postprocess import postprocess_sink
from srgan_cli.inference.row_streams import (
    CHUNK_SAMPLES,
    ImageSink,
    ImageSource,
    RowSink,
    RowSource,
    RowTransformSink,
    TemporaryImage,
    copy_rows,
    row_source,
)
from srgan_cli.resample import BLOCK, RowRange, input_rows, resize_band, resize_rows
from srgan_cli.settings import NATIVE, NO_POSTPROCESS, ImageSize, OutputSize, Postprocess

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class UpscalePipeline:
    """Networks by their scale, none for plain bicubic, and the size of the result."""

    engines: Mapping[int, TiledEngine] = field(default_factory=dict)
    size: OutputSize = NATIVE
    postprocess: Postprocess = NO_POSTPROCESS
    restorer: TiledEngine | None = None
    """A network of scale 1, which runs once before anything else."""
    precise: bool = True
    """Run images of 16 bits in float32, whatever the engines' own precision."""

    @property
    def native(self) -> int:
        """The scale of the result where none is requested."""
        return max(self.engines, default=4 if self.restorer is None else 1)

    def output_size(self, height: int, width: int) -> ImageSize:
        return self.size.of(height, width, self.native)

    def passes(self, height: int, width: int) -> tuple[int, ...]:
        """The scales of the networks that run, in order."""
        first = () if self.restorer is None else (1,)
        if not self.engines:
            return first
        return first + plan_passes(height, width, self.output_size(height, width), self.engines)

    @property
    def fixed_scales(self) -> tuple[int, ...]:
        """Scales of the networks that run at this size; the native one if images decide."""
        if self.size == NATIVE or self.size.scale is not None:
            with suppress(OptionError):  # more passes than there may be: an error of each image
                return self.passes(1000, 1000)
            return ()
        return (self.native,) if self.engines else ()

    def __call__(self, image: Image | LazyImage, progress: ProgressCallback = no_progress) -> Image:
        """Depth, alpha and metadata are kept."""
        source = row_source(image)
        target = self.output_size(source.height, source.width)
        sink = ImageSink(target.height, target.width, source.channels, source.depth)
        self.run(source, sink, progress)
        return sink.image(image.image if isinstance(image, LazyImage) else image)

    def run(
        self,
        source: RowSource,
        sink: RowSink,
        progress: ProgressCallback = no_progress,
        folder: Path | None = None,
    ) -> None:
        """Write the rows of the upscaled `source` to `sink`, a band of them at a time.

        source: with alpha, one of `row_source`. folder: for large images between two passes; None
        is the system's folder for temporary files.
        """
        height, width = source.height, source.width
        target, passes = self.output_size(height, width), self.passes(height, width)
        if passes or target.height > height or target.width > width:
            sink = postprocess_sink(sink, source, target, self.postprocess)
        if not passes:
            copy_rows(source, resize_sink(sink, source, ImageSize(height, width), target), progress)
            return
        areas = [math.prod(passes[:i]) ** 2 for i in range(len(passes))]  # of the passes' inputs
        callbacks = split_progress(progress, areas)
        with ExitStack() as stack:
            for scale in passes[:-1]:
                between = stack.enter_context(closing(TemporaryImage(source, scale, folder)))
                self._run_network(scale, source, between, next(callbacks))
                source = between
            scale = passes[-1]
            reached = ImageSize(source.height * scale, source.width * scale)
            last = resize_sink(sink, source, reached, target)
            self._run_network(scale, source, last, next(callbacks))

    def _run_network(
        self, scale: int, source: RowSource, sink: RowSink, progress: ProgressCallback
    ) -> None:
        engine = self.restorer if scale == 1 and self.restorer else self.engines[scale]
        precise = self.precise and source.depth != np.uint8
        engine.run(source, sink, progress, torch.float32 if precise else None)


PROGRESS_STEPS = 10_000
"""Steps of the progress that several parts of a job report together."""


def split_progress(
    progress: ProgressCallback, weights: Sequence[int]
) -> Iterator[ProgressCallback]:
    """A callback for each part of a job; together they report the job to `progress`.

    weights: of the parts. A single part reports its own steps, such as tiles.
    """
    if len(weights) == 1:
        yield progress
        return
    start, total = 0, sum(weights)
    for weight in weights:
        yield partial(_report_part, progress, start / total, weight / total)
        start += weight


def _report_part(
    progress: ProgressCallback, start: float, share: float, done: int, total: int
) -> None:
    progress(round(PROGRESS_STEPS * (start + share * done / total)), PROGRESS_STEPS)


MOST_PASSES = 8


def plan_passes(
    height: int, width: int, target: ImageSize, scales: Iterable[int]
) -> tuple[int, ...]:
    """The fewest scales, of those available, whose product takes both sides to the target.

    Of equally many the smallest product, the smallest factor first: so the last pass, the most
    expensive, gets fewest pixels. Empty for a target that is not larger than the image.
    """
    need = max(Fraction(target.height, height), Fraction(target.width, width))
    if need <= 1:
        return ()
    available = sorted({scale for scale in scales if scale > 1})
    for passes in range(1, MOST_PASSES + 1):
        sufficient = [
            c for c in combinations_with_replacement(available, passes) if math.prod(c) >= need
        ]
        if sufficient:
            return min(sufficient, key=math.prod)
    raise OptionError(f"{float(need):.0f} times larger is more than {MOST_PASSES} passes reach")


def alpha_weighted(
    pixels: Pixels, alpha: Pixels, plain: Pixels, resized: Callable[[Floats], Floats]
) -> Pixels:
    """(H, W, C) pixels downscaled with weights by alpha.

    alpha: (H, W, 1). plain: pixels downscaled without weights, used where nothing is visible.
    resized: downscales (H, W, any).
    """
    top = np.iinfo(pixels.dtype).max
    opaque = alpha.astype(np.float32) / np.float32(top)
    share = resized(opaque)
    light = resized(pixels.astype(np.float32) * opaque)
    visible = share > 0.5 / top
    colors = np.divide(light, share, out=np.zeros_like(light), where=visible)
    return np.where(visible, np.rint(colors).clip(0, top).astype(pixels.dtype), plain)


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

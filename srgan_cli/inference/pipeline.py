"""From an image to the requested size: passes of networks, then a bicubic."""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import torch

from srgan_cli.errors import OptionError
from srgan_cli.images.image import Image, LazyImage
from srgan_cli.inference.engine import ProgressCallback, TiledEngine, no_progress
from srgan_cli.inference.fit import resize_sink, row_source
from srgan_cli.inference.postprocess import postprocess_sink
from srgan_cli.inference.row_streams import ImageSink, RowSink, RowSource, TemporaryImage, copy_rows
from srgan_cli.settings import NATIVE, NO_POSTPROCESS, ImageSize, OutputSize, Postprocess


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
        if not passes:
            copy_rows(source, resize_sink(sink, source, ImageSize(height, width), target), progress)
            return
        last = postprocess_sink(sink, source, target, self.postprocess)
        callbacks = pass_callbacks(passes, progress)
        with ExitStack() as stack:
            for scale in passes[:-1]:
                between = stack.enter_context(closing(TemporaryImage(source, scale, folder)))
                self._run_network(scale, source, between, next(callbacks))
                source = between
            scale = passes[-1]
            reached = ImageSize(source.height * scale, source.width * scale)
            last = resize_sink(last, source, reached, target)
            self._run_network(scale, source, last, next(callbacks))

    def _run_network(
        self, scale: int, source: RowSource, sink: RowSink, progress: ProgressCallback
    ) -> None:
        engine = self.restorer if scale == 1 and self.restorer else self.engines[scale]
        precise = self.precise and source.depth != np.uint8
        engine.run(source, sink, progress, torch.float32 if precise else None)


PROGRESS_STEPS = 10_000
"""Steps of the progress that several passes report together."""


def pass_callbacks(
    passes: tuple[int, ...], progress: ProgressCallback
) -> Iterator[ProgressCallback]:
    """A callback for each pass; together they report one job to `progress`.

    A pass is weighted by its input pixels.
    """
    area, areas = 1, []
    for scale in passes:
        areas.append(area)
        area *= scale * scale
    for i, own in enumerate(areas):
        yield partial_progress(progress, sum(areas[:i]) / sum(areas), own / sum(areas))


def partial_progress(progress: ProgressCallback, start: float, share: float) -> ProgressCallback:
    """A callback that reports a `share` of the whole work to `progress`, from `start` on."""

    def callback(done: int, total: int) -> None:
        progress(round(PROGRESS_STEPS * (start + share * done / total)), PROGRESS_STEPS)

    return callback


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

"""From a picture to the size that was asked for: passes of networks, then a bicubic to fit."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from srgan_cli.images.image import Image
from srgan_cli.images.lazy import Stored
from srgan_cli.inference.alpha import prepared
from srgan_cli.inference.corrections import NONE, Corrections
from srgan_cli.inference.engine import Tell, Upscaler, silent
from srgan_cli.inference.fit import fitting
from srgan_cli.inference.output_size import NATIVE, Sides, Size, plan_passes
from srgan_cli.inference.postprocess import correcting
from srgan_cli.inference.spool import Spool
from srgan_cli.inference.streaming import ImageSink, RowSink, RowSource, copy


@dataclass(frozen=True)
class Enlarger:
    """Networks by their scale, none for plain bicubic, and the size of the result."""

    upscalers: Mapping[int, Upscaler] = field(default_factory=dict)
    size: Size = NATIVE
    corrections: Corrections = NONE
    restorer: Upscaler | None = None
    """A network of scale 1, which runs once before anything else."""
    precise: bool = True
    """Run pictures of 16 bits in float32, whatever the upscalers' own precision."""

    @property
    def native(self) -> int:
        """The scale of the result where none is asked for."""
        return max(self.upscalers, default=4 if self.restorer is None else 1)

    def sides(self, height: int, width: int) -> Sides:
        return self.size.of(height, width, self.native)

    def passes(self, height: int, width: int) -> tuple[int, ...]:
        """The scales of the networks that run, in order."""
        first = () if self.restorer is None else (1,)
        if not self.upscalers:
            return first
        return first + plan_passes(height, width, self.sides(height, width), self.upscalers)

    def __call__(self, picture: Image | Stored, tell: Tell = silent) -> Image:
        """Depth, alpha and metadata are kept."""
        image = picture.image if isinstance(picture, Stored) else picture
        source, target = prepared(picture), self.sides(image.height, image.width)
        sink = ImageSink(target.height, target.width, source.channels, source.depth)
        self.run(source, sink, tell)
        return sink.image(image)

    def run(
        self, source: RowSource, sink: RowSink, tell: Tell = silent, folder: Path | None = None
    ) -> None:
        """Write the rows of the enlarged `source` to `sink`, a band of them at a time.

        source: where it has alpha, `prepared`. folder: where pictures between two passes lie if
        they are large; None is the system's folder for temporary files.
        """
        height, width = source.height, source.width
        target, passes = self.sides(height, width), self.passes(height, width)
        if not passes:
            copy(source, fitting(sink, source, Sides(height, width), target), tell)
            return
        last = correcting(sink, source, target, self.corrections)
        told = stages(passes, tell)
        with ExitStack() as stack:
            for scale in passes[:-1]:
                spool = stack.enter_context(Spool(source, scale, folder))
                self._network(scale, source.depth).run(source, spool, next(told))
                source = spool
            scale = passes[-1]
            reached = Sides(source.height * scale, source.width * scale)
            last = fitting(last, source, reached, target)
            self._network(scale, source.depth).run(source, last, next(told))

    def _network(self, scale: int, depth: np.dtype) -> Upscaler:
        networks = self._in_float32 if self.precise and depth != np.uint8 else self._networks
        return networks[scale]

    @cached_property
    def _networks(self) -> Mapping[int, Upscaler]:
        return self.upscalers if self.restorer is None else {1: self.restorer, **self.upscalers}

    @cached_property
    def _in_float32(self) -> Mapping[int, Upscaler]:
        return {scale: replace(one, dtype=torch.float32) for scale, one in self._networks.items()}


PARTS = 10_000
"""Into which the work on a picture is divided where several passes are told of as one."""


def stages(passes: tuple[int, ...], tell: Tell) -> Iterator[Tell]:
    """For each pass what is told of its tiles; `tell` itself hears of one job from 0 to the end.

    A pass counts by the pixels that it is given.
    """
    area, areas = 1, []
    for scale in passes:
        areas.append(area)
        area *= scale * scale
    for i, own in enumerate(areas):
        yield part(tell, sum(areas[:i]) / sum(areas), own / sum(areas))


def part(tell: Tell, start: float, share: float) -> Tell:
    """What makes `tell` hear of a piece of work as a `share` of a whole, from `start` on."""

    def told(done: int, total: int) -> None:
        tell(round(PARTS * (start + share * done / total)), PARTS)

    return told

"""From a picture to the size that was asked for: passes of networks, then a bicubic to fit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch

from srgan_cli.colour import colour_fixed, made_consistent
from srgan_cli.engine.alpha import bled, shrunk
from srgan_cli.engine.corrections import NONE, Corrections
from srgan_cli.engine.size import NATIVE, Sides, Size, plan_passes
from srgan_cli.engine.upscaler import Tell, Upscaler, silent
from srgan_cli.images.value import Image
from srgan_cli.resample import resize_array


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

    def __call__(self, image: Image, tell: Tell = silent) -> Image:
        """Depth, alpha and metadata are kept."""
        target = self.sides(image.height, image.width)
        low = image if image.alpha is None else replace(image, pixels=bled(image))
        passes = self.passes(image.height, image.width)
        high = low
        for scale, told in zip(passes, stages(passes, tell), strict=True):
            high = self._network(scale, image.depth).upscale(high, told)
        high = fitted(high, target)
        return self._corrected(high, low) if passes else high

    def _network(self, scale: int, depth: int) -> Upscaler:
        networks = self._in_float32 if self.precise and depth > 8 else self._networks
        return networks[scale]

    @cached_property
    def _networks(self) -> Mapping[int, Upscaler]:
        return self.upscalers if self.restorer is None else {1: self.restorer, **self.upscalers}

    @cached_property
    def _in_float32(self) -> Mapping[int, Upscaler]:
        return {scale: replace(one, dtype=torch.float32) for scale, one in self._networks.items()}

    def _corrected(self, high: Image, low: Image) -> Image:
        if self.corrections.color_fix:
            high = colour_fixed(high, low)
        return made_consistent(high, low) if self.corrections.consistent else high


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


def fitted(image: Image, target: Sides) -> Image:
    """`image` resized to `target` by an antialiased bicubic, if it has not that size."""
    if (image.height, image.width) == (target.height, target.width):
        return image
    if image.gray and image.pixels.shape[2] > 1:  # three channels could be rounded differently
        one = fitted(replace(image, pixels=image.pixels[..., :1]), target)
        return replace(one, pixels=np.repeat(one.pixels, image.pixels.shape[2], axis=2))
    if image.alpha is None:
        return replace(image, pixels=resize_array(image.pixels, target.height, target.width))
    alpha = resize_array(image.alpha, target.height, target.width)
    if target.height * target.width < image.height * image.width:
        return replace(image, pixels=shrunk(image, target.height, target.width), alpha=alpha)
    return replace(
        image, pixels=resize_array(image.pixels, target.height, target.width), alpha=alpha
    )

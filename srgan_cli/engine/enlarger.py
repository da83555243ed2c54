"""From a picture to the size that was asked for: passes of networks, then a bicubic to fit."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from srgan_cli.engine.alpha import bled
from srgan_cli.engine.size import NATIVE, Sides, Size, plan_passes
from srgan_cli.engine.upscaler import Tell, Upscaler, silent
from srgan_cli.images.value import Image
from srgan_cli.resample import resize_array


@dataclass(frozen=True)
class Enlarger:
    """Networks by their scale, none for plain bicubic, and the size of the result."""

    upscalers: Mapping[int, Upscaler] = field(default_factory=dict)
    size: Size = NATIVE

    @property
    def native(self) -> int:
        """The scale of the result where none is asked for."""
        return max(self.upscalers, default=4)

    def sides(self, height: int, width: int) -> Sides:
        return self.size.of(height, width, self.native)

    def passes(self, height: int, width: int) -> tuple[int, ...]:
        """The scales of the networks that run, in order."""
        if not self.upscalers:
            return ()
        return plan_passes(height, width, self.sides(height, width), self.upscalers)

    def __call__(self, image: Image, tell: Tell = silent) -> Image:
        """Depth, alpha and metadata are kept."""
        target = self.sides(image.height, image.width)
        picture = image if image.alpha is None else replace(image, pixels=bled(image))
        for scale in self.passes(image.height, image.width):
            picture = self.upscalers[scale].upscale(picture, tell)
        return fitted(picture, target)


def fitted(image: Image, target: Sides) -> Image:
    """`image` resized to `target` by an antialiased bicubic, if it has not that size."""
    if (image.height, image.width) == (target.height, target.width):
        return image
    pixels = resize_array(image.pixels, target.height, target.width)
    alpha = image.alpha
    if alpha is not None:
        alpha = resize_array(alpha, target.height, target.width)
    return replace(image, pixels=pixels, alpha=alpha)

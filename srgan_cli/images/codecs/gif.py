"""GIF's palettes, and animations frame by frame: Pillow's own writer holds all in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import BinaryIO

import numpy as np
import PIL.GifImagePlugin
import PIL.Image
import PIL.ImageChops

from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.image_metadata import COMMENT

TRAILER = b";"
KEEP, CLEAR = 1, 2
"""Disposal: the next frame is drawn over this one, or over nothing."""

TRANSPARENT = 255  # the palette index of transparent pixels
THRESHOLD = 128  # alpha from which a pixel is shown
MAX_DURATION = 10 * (2**16 - 1)
"""Milliseconds."""


@dataclass(frozen=True, eq=False)
class _Part:
    """The rectangle that a frame changes, in palette indices.

    offset: of its top left pixel. duration: in ms. transparent: the index that shows nothing.
    """

    pixels: PIL.Image.Image
    offset: tuple[int, int]
    duration: int
    transparent: int | None


def write_gif(file: BinaryIO, sequence: ImageSequence, frames: Iterable[Image]) -> None:
    """Two frames are in memory at a time.

    sequence: all but the samples, which `frames` brings one after another.
    """
    image, loop = sequence.images[0], sequence.loop or 0
    disposal = KEEP if image.alpha is None else CLEAR
    parts = _changes(map(to_palette, frames), sequence.durations, whole=disposal == CLEAR)
    first = next(parts)
    repeats = None if loop == 1 else max(0, loop - 1)  # after the first time; 0 for ever
    info = {"loop": repeats, "duration": first.duration, "comment": image.text.get(COMMENT)}
    file.writelines(PIL.GifImagePlugin.getheader(first.pixels, info=info)[0])
    for part in chain([first], parts):
        settings = {"duration": part.duration, "disposal": disposal, "include_color_table": True}
        if part.transparent is not None:
            settings["transparency"] = part.transparent
        file.writelines(PIL.GifImagePlugin.getdata(part.pixels, part.offset, **settings))
    file.write(TRAILER)


def to_palette(image: Image) -> PIL.Image.Image:
    """Reduce to 256 colors, one of them transparent if there is alpha; gray stays exact."""
    if image.gray and image.alpha is None:
        return PIL.Image.fromarray(np.ascontiguousarray(image.pixels[..., 0]))
    rgb = np.broadcast_to(image.pixels, (image.height, image.width, 3))
    colors = 256 if image.alpha is None else TRANSPARENT
    frame = PIL.Image.fromarray(np.ascontiguousarray(rgb)).quantize(
        colors, PIL.Image.Quantize.MEDIANCUT, dither=PIL.Image.Dither.FLOYDSTEINBERG
    )
    if image.alpha is None:
        return frame
    palette = (frame.getpalette() or [])[: 3 * colors]
    indices = np.where(image.alpha < THRESHOLD, TRANSPARENT, np.asarray(frame))
    frame = PIL.Image.fromarray(indices.astype(np.uint8), "P")
    frame.putpalette(palette + [0] * (768 - len(palette)))
    frame.info["transparency"] = TRANSPARENT
    return frame


def _changes(
    frames: Iterable[PIL.Image.Image], durations: Iterable[int], *, whole: bool
) -> Iterator[_Part]:
    """What each frame changes; equal frames are one, shown as long as all of them.

    whole: do not crop, as the next frame is not drawn over the last one.
    """
    part: _Part | None = None
    shown: PIL.Image.Image | None = None
    for frame, duration in zip(frames, durations, strict=True):
        colors = frame.convert("RGBA")
        box: tuple[int, int, int, int] | None = (0, 0, *frame.size)
        if shown is not None:  # None: nothing differs
            box = PIL.ImageChops.difference(shown, colors).getbbox(alpha_only=False)
        if part is not None:
            if box is None and part.duration + duration <= MAX_DURATION:
                part = replace(part, duration=part.duration + duration)
                continue
            yield part
        box = (0, 0, *frame.size) if whole else box or (0, 0, 1, 1)
        pixels = _indices(frame).crop(box)
        part = _Part(pixels, box[:2], duration, frame.info.get("transparency"))
        shown = colors
    if part is not None:
        yield part


def _indices(frame: PIL.Image.Image) -> PIL.Image.Image:
    """Of mode P, with a palette in RGB and nothing else: Pillow adds alpha to it otherwise."""
    palette = frame.getpalette("RGB") or [level for level in range(256) for _ in range(3)]
    indices = PIL.Image.frombytes("P", frame.size, frame.tobytes())
    indices.putpalette(palette)
    return indices

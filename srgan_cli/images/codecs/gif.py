"""GIF animations written frame by frame; Pillow's own writer holds all frames in memory."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import PIL.GifImagePlugin
import PIL.Image
import PIL.ImageChops

TRAILER = b";"
KEEP = 1
"""Disposal: the next frame is drawn over this one."""

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


def write_gif(
    file: BinaryIO,
    frames: Iterable[PIL.Image.Image],
    timing: Mapping[str, Any],
    comment: str | None = None,
) -> None:
    """Takes one frame after another.

    frames: of mode L or P, all of one size. timing: Pillow's `duration`, a list in milliseconds,
    `disposal`, and `loop` if it is repeated.
    """
    disposal = timing["disposal"]
    parts = _changes(frames, timing["duration"], whole=disposal != KEEP)
    first = next(parts)
    info = {"loop": timing.get("loop"), "duration": first.duration, "comment": comment}
    file.writelines(PIL.GifImagePlugin.getheader(first.pixels, info=info)[0])
    _write_part(file, first, disposal)
    for part in parts:
        _write_part(file, part, disposal)
    file.write(TRAILER)


def _write_part(file: BinaryIO, part: _Part, disposal: int) -> None:
    params = {"duration": part.duration, "disposal": disposal, "include_color_table": True}
    if part.transparent is not None:
        params["transparency"] = part.transparent
    file.writelines(PIL.GifImagePlugin.getdata(part.pixels, part.offset, **params))


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
        box = (0, 0, *frame.size) if shown is None else _changed_box(shown, colors)
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


def _changed_box(a: PIL.Image.Image, b: PIL.Image.Image) -> tuple[int, int, int, int] | None:
    """a, b: of mode RGBA. Left, top, right, bottom of what differs; None if nothing does."""
    return PIL.ImageChops.difference(a, b).getbbox(alpha_only=False)

"""Files that Pillow encodes: settings, metadata and timing of each format.

Of GIF animations Pillow's own writer would hold all frames in memory.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
import PIL.GifImagePlugin
import PIL.Image
import PIL.ImageChops
import PIL.ImageFile

from srgan_cli.images.codecs.plugins import register_plugin
from srgan_cli.images.exif import PREFIX, jpeg_segment
from srgan_cli.images.formats import Encoding
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.image_metadata import COMMENT

QUALITY = {"jpeg": 95, "webp": 90, "avif": 90, "heif": 90, "jxl": 90}  # defaults
DPI_FORMATS = ("jpeg", "bmp")
MAX_JPEG_DPI = 65535
COMMENT_FORMATS = ("jpeg", "gif", "jpeg2000")
EXIF_FORMATS = ("jpeg", "webp", "avif", "heif", "jxl")  # XMP and profile too
"""What Pillow's encoders can store of the metadata."""

KEEP, CLEAR = 1, 2
"""Disposal: the next frame is drawn over this one, or over nothing."""

GIF_TRANSPARENT = 255  # the palette index of transparent pixels
GIF_THRESHOLD = 128  # alpha from which a pixel is shown
MAX_GIF_DURATION = 10 * (2**16 - 1)
MAX_WEBP_DURATION = 2**24 - 1
"""Milliseconds: GIF draws longer frames again, WebP shows them for these 4.6 hours."""


def encode_with_pillow(image: Image, format: str, encoding: Encoding) -> bytes:
    """The bytes of a file."""
    file = io.BytesIO()
    register_plugin(format)
    if format == "jpeg":  # Pillow gives up where a scan is larger than its buffer, as of noise
        needed = 2 * image.pixels.nbytes + (1 << 16)
        PIL.ImageFile.MAXBLOCK = max(PIL.ImageFile.MAXBLOCK, needed)
    frame = _to_palette(image) if format == "gif" else _to_pil(image)
    frame.save(file, format.upper(), **_settings(image, format, encoding))
    return file.getvalue()


def write_animation_with_pillow(
    file: BinaryIO,
    sequence: ImageSequence,
    frames: Iterable[Image],
    format: str,
    encoding: Encoding,
) -> None:
    """One frame is in memory at a time, of GIF two. format: "webp", "avif" or "gif".

    sequence: all but the samples, which `frames` brings one after another.
    """
    if format == "gif":
        _write_gif(file, sequence, frames)
        return
    settings = _settings(sequence.images[0], format, encoding)
    longest = MAX_WEBP_DURATION if format == "webp" else max(sequence.durations)
    durations = [min(duration, longest) for duration in sequence.durations]
    timing = {"duration": durations, "loop": sequence.loop or 0}
    images = _Frames(map(_to_pil, frames), len(sequence.images))
    images.save(file, format.upper(), save_all=True, **settings, **timing)


class _Frames(PIL.Image.Image):
    """An animation whose frames are computed when an encoder loads them, each once, in order.

    Encoders may seek to and fro as long as they load nothing behind.
    """

    def __init__(self, frames: Iterator[PIL.Image.Image], count: int) -> None:
        super().__init__()
        first = next(frames)
        self._mode, self._size, self.im = first.mode, first.size, first.im
        self.n_frames, self.is_animated = count, count > 1
        self._frames, self._loaded, self._current = frames, 0, 0

    def seek(self, frame: int) -> None:
        if frame >= self.n_frames:
            raise EOFError("no more frames")
        self._current = frame

    def tell(self) -> int:
        return self._current

    def load(self) -> Any:
        while self._loaded < self._current:
            self.im = next(self._frames).im
            self._loaded += 1
        return super().load()


def _to_pil(image: Image) -> PIL.Image.Image:
    samples = image.array
    return PIL.Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)


def _settings(image: Image, format: str, encoding: Encoding) -> dict[str, Any]:
    return _encoder_settings(image, format, encoding) | _metadata(image, format)


def _encoder_settings(image: Image, format: str, encoding: Encoding) -> dict[str, Any]:
    quality = encoding.quality if encoding.quality is not None else QUALITY.get(format)
    lossless = encoding.lossless
    match format:
        case "jpeg":
            return {"quality": quality, "subsampling": "4:4:4", "optimize": True}
        case "webp" if lossless:  # exact: the colors under transparent pixels too
            level = 2 if encoding.compression is None else encoding.compression
            return {"lossless": True, "quality": level * 11, "method": 4, "exact": True}
        case "webp":
            return {"quality": quality, "method": 4, "alpha_quality": 100, "exact": True}
        case "avif":
            return {"quality": quality, "subsampling": "4:4:4", "speed": 8}
        case "heif":
            return {"quality": quality, "chroma": 444}
        case "jxl":
            return {"quality": quality, "lossless": lossless}
        case "jpeg2000" if quality is not None and not lossless:  # a PSNR in dB
            layers = [25 + quality / 4]
            return {"irreversible": True, "quality_mode": "dB", "quality_layers": layers}
        case "ico":
            return {"sizes": [(image.width, image.height)]}
        case "tga":
            return {"compression": None if encoding.compression == 0 else "tga_rle"}
    return {}


def _metadata(image: Image, format: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if format in EXIF_FORMATS:  # Pillow removes the prefix again where it is not wanted
        metadata |= {"exif": image.exif and PREFIX + image.exif, "xmp": image.xmp}
        metadata["icc_profile"] = image.icc_profile
    if format in DPI_FORMATS and image.dpi is not None:
        fits = format != "jpeg" or max(image.dpi) <= MAX_JPEG_DPI
        metadata["dpi"] = image.dpi if fits else None
    if format in COMMENT_FORMATS:
        metadata["comment"] = image.text.get(COMMENT)
    if format == "jpeg" and image.iptc is not None:
        metadata["extra"] = jpeg_segment(image.iptc)
    return {name: value for name, value in metadata.items() if value is not None}


@dataclass(frozen=True, eq=False)
class _Part:
    """The rectangle that a frame changes, in palette indices.

    offset: of its top left pixel. duration: in ms. transparent: the index that shows nothing.
    """

    pixels: PIL.Image.Image
    offset: tuple[int, int]
    duration: int
    transparent: int | None


def _write_gif(file: BinaryIO, sequence: ImageSequence, frames: Iterable[Image]) -> None:
    image, loop = sequence.images[0], sequence.loop or 0
    disposal = KEEP if image.alpha is None else CLEAR
    whole = disposal == CLEAR
    parts = _changes(map(_to_palette, frames), sequence.durations, whole=whole)
    parts = _split_long(parts, whole=whole)
    first = next(parts)
    repeats = None if loop == 1 else max(0, loop - 1)  # after the first time; 0 for ever
    info = {"loop": repeats, "duration": first.duration, "comment": image.text.get(COMMENT)}
    file.writelines(PIL.GifImagePlugin.getheader(first.pixels, info=info)[0])
    for part in chain([first], parts):
        settings = {"duration": part.duration, "disposal": disposal, "include_color_table": True}
        if part.transparent is not None:
            settings["transparency"] = part.transparent
        file.writelines(PIL.GifImagePlugin.getdata(part.pixels, part.offset, **settings))
    file.write(b";")  # the end of the file


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
            if box is None and part.duration + duration <= MAX_GIF_DURATION:
                part = replace(part, duration=part.duration + duration)
                continue
            yield part
        box = (0, 0, *frame.size) if whole else box or (0, 0, 1, 1)
        pixels = _indices(frame).crop(box)
        part = _Part(pixels, box[:2], duration, frame.info.get("transparency"))
        shown = colors
    if part is not None:
        yield part


def _split_long(parts: Iterable[_Part], *, whole: bool) -> Iterator[_Part]:
    """Parts that are shown too long for GIF are drawn again, if not `whole` one pixel of them."""
    for part in parts:
        while part.duration > MAX_GIF_DURATION:
            yield replace(part, duration=MAX_GIF_DURATION)
            pixels = part.pixels if whole else part.pixels.crop((0, 0, 1, 1))
            part = replace(part, pixels=pixels, duration=part.duration - MAX_GIF_DURATION)
        yield part


def _indices(frame: PIL.Image.Image) -> PIL.Image.Image:
    """Of mode P, with a palette in RGB and nothing else: Pillow adds alpha to it otherwise."""
    palette = frame.getpalette("RGB") or [level for level in range(256) for _ in range(3)]
    indices = PIL.Image.frombytes("P", frame.size, frame.tobytes())
    indices.putpalette(palette)
    return indices


def _to_palette(image: Image) -> PIL.Image.Image:
    """Reduce to 256 colors, one of them transparent if there is alpha; gray stays exact."""
    if image.gray and image.alpha is None:
        return PIL.Image.fromarray(np.ascontiguousarray(image.pixels[..., 0]))
    rgb = np.broadcast_to(image.pixels, (image.height, image.width, 3))
    colors = 256 if image.alpha is None else GIF_TRANSPARENT
    frame = PIL.Image.fromarray(np.ascontiguousarray(rgb)).quantize(
        colors, PIL.Image.Quantize.MEDIANCUT, dither=PIL.Image.Dither.FLOYDSTEINBERG
    )
    if image.alpha is None:
        return frame
    palette = (frame.getpalette() or [])[: 3 * colors]
    indices = np.where(image.alpha < GIF_THRESHOLD, GIF_TRANSPARENT, np.asarray(frame))
    frame = PIL.Image.fromarray(indices.astype(np.uint8), "P")
    frame.putpalette(palette + [0] * (768 - len(palette)))
    frame.info["transparency"] = GIF_TRANSPARENT
    return frame

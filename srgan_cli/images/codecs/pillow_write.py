"""Files that Pillow encodes: settings, metadata and timing of each format."""

import io
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import PIL.Image
import PIL.ImageFile

from srgan_cli.images.codecs.gif import to_palette
from srgan_cli.images.codecs.plugins import register_plugin
from srgan_cli.images.exif import PREFIX, jpeg_segment
from srgan_cli.images.formats import Encoding
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.image_metadata import COMMENT

QUALITY = {"jpeg": 95, "webp": 90, "avif": 90, "heif": 90, "jxl": 90}  # defaults
DPI_FORMATS = ("jpeg", "bmp")
COMMENT_FORMATS = ("jpeg", "gif", "jpeg2000")
EXIF_FORMATS = ("jpeg", "webp", "avif", "heif", "jxl")  # XMP and profile too
"""What Pillow's encoders can store of the metadata."""


def encode_with_pillow(image: Image, format: str, encoding: Encoding) -> bytes:
    """The bytes of a file."""
    file = io.BytesIO()
    register_plugin(format)
    if format == "jpeg":  # Pillow gives up where a scan is larger than its buffer, as of noise
        needed = 2 * image.pixels.nbytes + (1 << 16)
        PIL.ImageFile.MAXBLOCK = max(PIL.ImageFile.MAXBLOCK, needed)
    frame = to_palette(image) if format == "gif" else _to_pil(image)
    frame.save(file, format.upper(), **_settings(image, format, encoding))
    return file.getvalue()


def write_animation_with_pillow(
    file: BinaryIO,
    sequence: ImageSequence,
    frames: Iterable[Image],
    format: str,
    encoding: Encoding,
) -> None:
    """One frame is in memory at a time. format: "webp" or "avif".

    sequence: all but the samples, which `frames` brings.
    """
    settings = _settings(sequence.images[0], format, encoding)
    timing = {"duration": list(sequence.durations), "loop": sequence.loop or 0}
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
    if format in DPI_FORMATS:
        metadata["dpi"] = image.dpi
    if format in COMMENT_FORMATS:
        metadata["comment"] = image.text.get(COMMENT)
    if format == "jpeg" and image.iptc is not None:
        metadata["extra"] = jpeg_segment(image.iptc)
    return {name: value for name, value in metadata.items() if value is not None}

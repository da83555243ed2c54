"""Which encoder makes a format, and with which settings."""

import io
from typing import Any

from PIL import Image as Pillow
from PIL import ImageFile

from srgan_cli.images.codec_errors import encoding as translated
from srgan_cli.images.codecs import jpeg2000 as jp2
from srgan_cli.images.codecs import opencv16 as deep
from srgan_cli.images.codecs import png, pnm, tiff_write
from srgan_cli.images.codecs.gif import indexed
from srgan_cli.images.codecs.plugins import register
from srgan_cli.images.decode import COMMENT
from srgan_cli.images.formats import CAPABILITIES, Encoding
from srgan_cli.images.icc import without_profile
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.iptc import jpeg_segment

PILLOW = {"jpeg": "JPEG", "webp": "WEBP", "bmp": "BMP", "gif": "GIF", "avif": "AVIF"}
PILLOW |= {"jpeg2000": "JPEG2000", "tga": "TGA", "ico": "ICO"}
PILLOW |= {"heif": "HEIF", "jxl": "JXL"}
QUALITY = {"jpeg": 95, "webp": 90, "avif": 90, "heif": 90, "jxl": 90}  # defaults
JPEG_PREFIX = b"Exif\0\0"  # Pillow removes it again for the other formats
EXIF, XMP, DPI, TEXT = "exif", "xmp", "dpi", "comment"
HELD = {  # what Pillow's encoders can store of the metadata
    "jpeg": {EXIF, XMP, DPI, TEXT},
    "webp": {EXIF, XMP},
    "avif": {EXIF, XMP},
    "heif": {EXIF, XMP},
    "jxl": {EXIF, XMP},
    "bmp": {DPI},
    "gif": {TEXT},
    "jpeg2000": {TEXT},
}
PROFILED = ("jpeg", "webp", "avif", "heif")  # by Pillow


def encoded(sequence: ImageSequence, name: str, encoding: Encoding) -> bytes:
    """The bytes of a file of the format `name`. ImageError for what its encoder refuses."""
    with translated(name):
        if not CAPABILITIES[name].profiled:
            images = tuple(without_profile(image) for image in sequence.images)
            sequence = ImageSequence(images, sequence.durations, sequence.loop)
        own = OWN.get(name)
        return own(sequence, encoding) if own else _saved(sequence, name, encoding)


def _png(sequence: ImageSequence, encoding: Encoding) -> bytes:
    if sequence.animated:
        return png.apng_file(sequence, encoding.compression)
    return png.png_file(sequence.images[0], encoding.compression)


def _tiff(sequence: ImageSequence, encoding: Encoding) -> bytes:
    return tiff_write.write_tiff(sequence.images, encoding.compression)


def _pnm(sequence: ImageSequence, _: Encoding) -> bytes:
    return pnm.pnm_file(sequence.images[0])


def _jpeg2000(sequence: ImageSequence, encoding: Encoding) -> bytes:
    image = sequence.images[0]
    deeper = image.depth == 16
    data = deep.jp2_file(image) if deeper else _saved(sequence, "jpeg2000", encoding)
    return jp2.describing(data, image)


OWN = {"png": _png, "tiff": _tiff, "pnm": _pnm, "jpeg2000": _jpeg2000}


def _saved(sequence: ImageSequence, name: str, encoding: Encoding) -> bytes:
    """By Pillow."""
    settings = _settings(sequence.images[0], name, encoding) | _metadata(sequence.images[0], name)
    frames = [_frame(image, name) for image in sequence.images]
    if sequence.animated:
        settings |= {"save_all": True, "append_images": frames[1:]} | _timing(sequence, name)
    register(name)
    file = io.BytesIO()
    if name == "jpeg":  # Pillow gives up where a scan is larger than its buffer, as of noise
        most = 2 * sequence.images[0].pixels.nbytes + (1 << 16)
        ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, most)
    frames[0].save(file, PILLOW[name], **settings)
    return file.getvalue()


def _frame(image: Image, name: str) -> Pillow.Image:
    if name == "gif":
        return indexed(image)
    samples = image.array
    return Pillow.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)


def _settings(image: Image, name: str, encoding: Encoding) -> dict[str, Any]:
    quality = encoding.quality if encoding.quality is not None else QUALITY.get(name)
    every: dict[str, dict[str, Any]] = {
        "jpeg": {"quality": quality, "subsampling": "4:4:4", "optimize": True},
        "webp": _webp(quality, encoding),
        "avif": {"quality": quality, "subsampling": "4:4:4", "speed": 8},
        "heif": {"quality": quality, "chroma": 444},
        "jxl": {"quality": quality, "lossless": encoding.lossless},
        "ico": {"sizes": [(image.width, image.height)]},
        "tga": {"compression": None if encoding.compression == 0 else "tga_rle"},
    }
    if name == "jpeg2000" and quality is not None and not encoding.lossless:
        return {"irreversible": True, "quality_mode": "dB", "quality_layers": [decibels(quality)]}
    return every.get(name, {})


def _webp(quality: int | None, encoding: Encoding) -> dict[str, Any]:
    """exact: the colours under transparent pixels too."""
    if encoding.lossless:
        effort = 2 if encoding.compression is None else encoding.compression
        return {"lossless": True, "quality": effort * 11, "method": 4, "exact": True}
    return {"quality": quality, "method": 4, "alpha_quality": 100, "exact": True}


def decibels(quality: int) -> float:
    """JPEG 2000 is told a PSNR: 25 dB for a quality of 0, 50 for 100."""
    return 25 + quality / 4


def _metadata(image: Image, name: str) -> dict[str, Any]:
    held = HELD.get(name, set())
    every = {
        EXIF: image.exif and JPEG_PREFIX + image.exif,
        XMP: image.xmp,
        DPI: image.dpi,
        TEXT: image.text.get(COMMENT),
    }
    found: dict[str, Any] = {key: every[key] for key in held if every[key] is not None}
    if image.iptc is not None and name == "jpeg":
        found["extra"] = jpeg_segment(image.iptc)
    if image.icc_profile is not None and name in PROFILED:
        found["icc_profile"] = image.icc_profile
    return found


def _timing(sequence: ImageSequence, name: str) -> dict[str, Any]:
    loop = sequence.loop or 0
    timing: dict[str, Any] = {"duration": list(sequence.durations)}
    if name == "gif":  # counts repetitions after the first time
        again = {} if loop == 1 else {"loop": max(0, loop - 1)}
        return timing | again | {"disposal": 2 if sequence.images[0].alpha is not None else 1}
    return timing | {"loop": loop}

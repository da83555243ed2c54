"""Files that Pillow opens: which formats it may, their depth, frames, samples and metadata.

Samples of more than 8 bits, which Pillow would cut, are decoded by OpenCV: PNG, AVIF, JPEG 2000
and PNM (https://netpbm.sourceforge.net/doc/ppm.html).
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
import PIL.Image

from srgan_cli.errors import ImageError
from srgan_cli.images.codecs.jpeg2000 import jpeg2000_depth, read_jpeg2000_metadata
from srgan_cli.images.codecs.plugins import (
    check_jxl,
    decode_deep_heif,
    plugin_of,
    read_jxl_xmp,
    register_plugin,
)
from srgan_cli.images.codecs.png import SIGNATURE as PNG_SIGNATURE
from srgan_cli.images.codecs.png import find_chunk, split_chunks
from srgan_cli.images.codecs.tiff_read import SMALL
from srgan_cli.images.exif import PNG_KEYWORD, find_iptc
from srgan_cli.images.formats import kind_of_suffix
from srgan_cli.images.icc import INVALID_PROFILE, can_convert, png_profile, srgb_profile, to_srgb
from srgan_cli.images.image import Image, to_uint16

# Never those that run an interpreter (EPS, PDF) or another system's drawing calls (WMF).
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "AVIF", "JPEG2000", "PPM", "ICO")
ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
TGA_FOOTER = b"TRUEVISION-XFILE.\0"  # of newer ones
PIXELS_PER_BYTE = {"JPEG": 1024, "MPO": 1024, "GIF": 4096, "BMP": 256, "TGA": 256, "PPM": 8}
PIXELS_PER_BYTE |= {"PNG": 8 * 1040, "ICO": 8 * 1040}  # deflate's 1032, of one bit each
PIXELS_PER_BYTE |= {"AVIF": 1 << 19, "HEIF": 1 << 19}  # blank ones of 6000 x 6000 have 36,000
"""At most, by the formats' own codes. Lossless WebP takes 38 bytes for any blank image, and
JPEG 2000 a byte for each resolution: only max_pixels bounds them."""

BAND_PIXELS = 1 << 24

GRAY_MODES = ("1", "L", "LA", "La")
COLOR_MODES = ("RGB", "P", "PA", "RGBA", "RGBa", "RGBX", "YCbCr", "HSV")
ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")

HEAD_BYTES = 1 << 16  # at the start of a file, in which its depth is stated
PNG_GRAY, PNG_GRAY_ALPHA = 0, 4  # color types; Pillow can read the first one's 16 bits
PNG_PIXEL_CHUNKS = (b"IHDR", b"tRNS", b"IDAT", b"IEND")
AV1_CONFIGURATION = b"av1C"
PNM_GAP = rb"(?:\s|#[^\n]*\n)+"
PNM_HEADER = re.compile(rb"P[2356]" + 2 * (PNM_GAP + rb"\d+") + PNM_GAP + rb"(\d+)\s")
BLUE_FIRST = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}  # by the number of channels

PNG_EXIF_KEYWORDS = ("Raw profile type exif", "Raw profile type APP1")  # of ImageMagick


def read_head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(HEAD_BYTES)


@contextmanager
def open_pillow(file: BinaryIO, name: str, max_pixels: int) -> Iterator[PIL.Image.Image]:
    """Restricted to the formats that are read. name: what the file is called.

    max_pixels: of a format that is decoded when it is opened.
    """
    head, size = read_head(file), file.seek(0, 2)
    plugin = plugin_of(head)
    if plugin is not None:
        register_plugin(plugin)
    if plugin == "jxl":
        check_jxl(file, max_pixels)
    formats = (plugin.upper(),) if plugin else FORMATS + ("TGA",) * _may_be_tga(file, name)
    file.seek(0)
    with PIL.Image.open(file, formats=formats) as opened:
        pixels = opened.width * opened.height
        if pixels > SMALL + PIXELS_PER_BYTE.get(str(opened.format), pixels) * size:
            raise ImageError(f"damaged: {pixels:,} pixels cannot be in a file of {size:,} bytes")
        if opened.format == "PNG" and not opened.info.get("icc_profile"):
            opened.info["icc_profile"] = png_profile(head)
        if opened.format == "PNG" and "transparency" in opened.info:
            opened.info["transparency"] = _scaled_level(opened.info["transparency"], head)
        yield opened


def _scaled_level(transparent: Any, head: bytes) -> Any:
    """The transparent gray of a PNG, as wide as Pillow makes its samples of 2 and 4 bits."""
    bits, color_type = head[24:26]
    if color_type != PNG_GRAY or bits not in (2, 4) or not isinstance(transparent, int):
        return transparent
    return transparent * 255 // (2**bits - 1)


def _may_be_tga(file: BinaryIO, name: str) -> bool:
    """TGA has no magic number, so anything might pass for one."""
    file.seek(max(0, file.seek(0, 2) - len(TGA_FOOTER)))
    return file.read() == TGA_FOOTER or kind_of_suffix(Path(name).suffix) == "tga"


def bits_of(opened: PIL.Image.Image, head: bytes) -> int:
    """Of a sample; more than 8 where Pillow would cut the samples."""
    if opened.format == "HEIF":
        return int(opened.info.get("bit_depth", 8))
    return _stored_bits(str(opened.format), head)


def _stored_bits(format: str, head: bytes) -> int:
    """Bits of a sample, 8 where Pillow reads all. format: Pillow's name. head: HEAD_BYTES."""
    if format == "PNG":
        return head[24] if head[24] == 16 and head[25] != PNG_GRAY else 8
    if format == "JPEG2000":
        return max(8, jpeg2000_depth(head))
    if format == "PPM":
        header = PNM_HEADER.match(head)
        return 16 if header and int(header.group(1)) > 255 else 8
    if format == "AVIF":
        at = head.find(AV1_CONFIGURATION)
        flags = head[at + 6] if 0 <= at < len(head) - 6 else 0
        return (12 if flags & 32 else 10) if flags & 64 else 8
    return 8


def depth_of(opened: PIL.Image.Image, head: bytes) -> int:
    """8 or 16."""
    return 16 if bits_of(opened, head) > 8 or opened.mode.startswith("I;16") else 8


def frames_of(opened: PIL.Image.Image) -> range:
    """The frames of an animation; one for a still image, whatever else the file holds."""
    if opened.format not in ANIMATED or not getattr(opened, "is_animated", False):
        return range(1)
    first = 1 if opened.info.get("default_image") else 0  # an APNG's image for old programs
    return range(first, int(getattr(opened, "n_frames", 1)))


def loop_of(opened: PIL.Image.Image) -> int:
    """How often it is played, 0 for endless. GIF counts the repetitions after the first time."""
    loop = opened.info.get("loop")
    if opened.format != "GIF":
        return int(loop or 0)
    return 1 if loop is None else int(loop) and int(loop) + 1


def decode_stored(opened: PIL.Image.Image, file: BinaryIO, head: bytes) -> Image:
    """The current frame in its full depth, not yet upright, without metadata but the profile."""
    opened.load()  # checks the whole file and finds the metadata at its end
    bits, format = bits_of(opened, head), str(opened.format)
    if format == "JPEG2000":
        opened.info.update(read_jpeg2000_metadata(file))
    if bits <= 8:
        return decode(opened)
    file.seek(0)
    data = file.read()
    image = decode_deep_heif(data, bits) if format == "HEIF" else _decode_deep(format, data)
    return replace(image, icc_profile=opened.info.get("icc_profile"))


def _decode_deep(format: str, data: bytes) -> Image:
    """The samples as they are stored, fewer bits stretched to 16; without metadata."""
    encoded = _pixel_chunks(data) if format == "PNG" else data
    samples = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16:
        raise ValueError("its samples of more than 8 bits cannot be decoded")
    if samples.ndim == 3 and samples.shape[2] in BLUE_FIRST:
        samples = cv2.cvtColor(samples, BLUE_FIRST[samples.shape[2]])
    if format == "PNG" and data[25] == PNG_GRAY_ALPHA:  # OpenCV repeats the gray
        samples = np.ascontiguousarray(samples[..., (0, 3)])
    white = 2 ** _stored_bits(format, data[:HEAD_BYTES]) - 1
    if format == "PPM" and (header := PNM_HEADER.match(data)):
        white = int(header.group(1))
    return Image.from_samples(samples if white == 65535 else to_uint16(samples, white))


def _pixel_chunks(png: bytes) -> bytes:
    """libpng prints what it thinks of profiles, and OpenCV may act on other metadata."""
    kept = (chunk for name, chunk in split_chunks(png) if name in PNG_PIXEL_CHUNKS)
    return b"".join((PNG_SIGNATURE, *kept))


def decode(opened: PIL.Image.Image) -> Image:
    """A loaded PIL image of any mode, with the ICC profile and no other metadata.

    Raises ImageError for floats and 32-bit integers.
    """
    profile = opened.info.get("icc_profile") or None
    if opened.mode in ("CMYK", "LAB"):
        return _decode_as_srgb(opened, profile)
    if opened.mode.startswith("I;16"):
        return replace(_decode_gray16(opened), icc_profile=profile)
    if opened.mode not in GRAY_MODES + COLOR_MODES:
        kind = {"I": "32-bit integer", "F": "floating-point"}.get(opened.mode, opened.mode)
        raise ImageError(f"{kind} samples are not supported; convert the image to 8 or 16 bits")
    mode = "L" if opened.mode in GRAY_MODES else "RGB"
    if "transparency" in opened.info or opened.mode in ALPHA_MODES:
        mode += "A"
    frame = opened if opened.mode == mode else opened.convert(mode)
    return replace(Image.from_samples(_samples(frame)), icc_profile=profile)


def _samples(frame: PIL.Image.Image) -> np.ndarray:
    """(H, W) or (H, W, C) uint8, copied by bands: Pillow's own copy takes twice the memory."""
    rows = max(1, BAND_PIXELS // frame.width)
    if rows >= frame.height:
        return np.asarray(frame)
    samples = np.empty((frame.height, frame.width, len(frame.getbands())), np.uint8)
    for top in range(0, frame.height, rows):
        bottom = min(top + rows, frame.height)
        band = np.asarray(frame.crop((0, top, frame.width, bottom)))
        samples[top:bottom] = band.reshape(bottom - top, frame.width, -1)
    return samples


def _decode_as_srgb(opened: PIL.Image.Image, profile: bytes | None) -> Image:
    """CMYK or LAB, through the profile if it can be used."""
    notes: tuple[str, ...] = ()
    if profile is not None and not can_convert(profile, opened.mode):
        profile, notes = None, (INVALID_PROFILE,)
    pixels = np.asarray(to_srgb(opened, profile))
    return Image(pixels, icc_profile=srgb_profile(), notes=notes, converted_from=opened.mode)


def _decode_gray16(opened: PIL.Image.Image) -> Image:
    pixels = np.asarray(opened).astype(np.uint16)
    transparent = opened.info.get("transparency")
    if transparent is None:
        return Image(pixels[..., None])
    alpha = np.where(pixels == transparent, 0, 65535).astype(np.uint16)
    return Image(pixels[..., None], alpha)


def read_info(opened: PIL.Image.Image, file: BinaryIO) -> dict[str, Any]:
    """Pillow's `info` and what it leaves out. When all frames are loaded: some of it comes last."""
    info: dict[str, Any] = {str(key): value for key, value in opened.info.items()}
    if opened.format == "PNG":
        info["text"] = getattr(opened, "text", {})
    elif opened.format == "JXL":
        info["xmp"] = read_jxl_xmp(file)
    if PNG_KEYWORD in info:
        info["iptc"] = find_iptc(_from_hex(info[PNG_KEYWORD]))
    info["exif"] = _stored_exif(info)
    return info


def header_exif(opened: PIL.Image.Image, file: BinaryIO) -> bytes | None:
    """The EXIF that `read_info` finds, wherever in the file it is; nothing is decoded."""
    if opened.format == "JPEG2000":
        return read_jpeg2000_metadata(file).get("exif")
    exif = _stored_exif(opened.info)
    if opened.format == "PNG" and not exif:
        return find_chunk(file, b"eXIf")
    return exif


def _stored_exif(info: Mapping[Any, Any]) -> bytes | None:
    """In a block of its own, or as ImageMagick writes it into texts of PNG."""
    texts = (_from_hex(info.get(keyword, "")) for keyword in PNG_EXIF_KEYWORDS)
    return info.get("exif") or next(filter(None, texts), None)


def _from_hex(text: str) -> bytes:
    """Metadata as ImageMagick writes those that PNG has no chunk for: three lines, then digits."""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return b""

"""Samples of more than 8 bits, where Pillow has cut them to 8: through OpenCV."""

import struct

import cv2
import numpy as np

from srgan_cli.images.codecs import jpeg2000 as jp2
from srgan_cli.images.formats import LEAST_JP2_SIDE
from srgan_cli.images.image import Image, Pixels, to_uint16

HEAD = 1 << 16  # bytes at the start of a file in which its depth is said
GRAY, GRAY_ALPHA = 0, 4  # PNG's colour types; Pillow can read the first of them
AV1_CONFIGURATION = b"av1C"


def bits(format: str, head: bytes) -> int:
    """Bits of a sample by the file's first HEAD bytes. format: Pillow's name."""
    if format == "PNG":
        return head[24] if head[24] == 16 and head[25] != GRAY else 8
    if format == "JPEG2000":
        return max(8, jp2.depth(head))
    if format == "AVIF":
        at = head.find(AV1_CONFIGURATION)
        flags = head[at + 6] if 0 <= at < len(head) - 6 else 0
        return (12 if flags & 32 else 10) if flags & 64 else 8
    return 8


def is_gray(format: str, head: bytes) -> bool:
    """Whether it is gray where Pillow says RGB."""
    return format == "PNG" and head[25] in (GRAY, GRAY_ALPHA)


def deep_image(format: str, data: bytes) -> Image:
    """16-bit samples as they are stored, without metadata. Fewer bits are stretched to 16."""
    bare = _without_metadata(data) if format == "PNG" else data
    samples = cv2.imdecode(np.frombuffer(bare, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16:
        raise ValueError("its samples of more than 8 bits cannot be decoded")
    samples = _rgb(samples)
    if format == "PNG" and data[25] == GRAY_ALPHA:  # OpenCV repeats the gray
        samples = np.ascontiguousarray(samples[..., (0, 3)])
    depth = bits(format, data[:HEAD])
    return Image.from_samples(samples if depth == 16 else to_uint16(samples, 2**depth - 1))


def _without_metadata(png: bytes) -> bytes:
    """libpng prints what it thinks of profiles, and OpenCV may act on others."""
    kept, at = [png[:8]], 8
    while at + 8 <= len(png):
        length, name = struct.unpack_from(">I4s", png, at)
        if name in (b"IHDR", b"tRNS", b"IDAT", b"IEND"):
            kept.append(png[at : at + length + 12])
        at += length + 12
    return b"".join(kept)


def _rgb(samples: Pixels) -> Pixels:
    """OpenCV's order of channels reversed, or ours for OpenCV."""
    if samples.ndim == 2 or samples.shape[2] < 3:
        return samples
    return np.ascontiguousarray(samples[..., (2, 1, 0, 3)[: samples.shape[2]]])


def jp2_file(image: Image) -> bytes:
    """A lossless JPEG 2000 file of 16 bits. Gray with alpha becomes RGB with alpha."""
    wide = image.alpha is not None and image.pixels.shape[2] == 1
    samples = np.repeat(image.pixels, 3, axis=2) if wide else image.pixels
    if image.alpha is not None:
        samples = np.concatenate([samples, image.alpha[..., None]], axis=2)
    lossless = (cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000)
    done, data = cv2.imencode(".jp2", _rgb(samples), lossless)
    if not done:
        raise ValueError(f"OpenCV writes 16 bits from {LEAST_JP2_SIDE} pixels on only")
    return bytes(data)

"""Samples of more than 8 bits, which Pillow would cut: PNG, AVIF, JPEG 2000 and PNM, by OpenCV.

https://netpbm.sourceforge.net/doc/ppm.html
"""

import re

import cv2
import numpy as np

from srgan_cli.images.codecs.jpeg2000 import jpeg2000_depth
from srgan_cli.images.codecs.png import SIGNATURE as PNG_SIGNATURE
from srgan_cli.images.codecs.png import split_chunks
from srgan_cli.images.formats import MIN_JP2_SIDE
from srgan_cli.images.image import Image, Pixels, to_uint16

HEAD_BYTES = 1 << 16  # at the start of a file, in which its depth is stated
PNG_GRAY, PNG_GRAY_ALPHA = 0, 4  # color types; Pillow can read the first one's 16 bits
PNG_PIXEL_CHUNKS = (b"IHDR", b"tRNS", b"IDAT", b"IEND")
AV1_CONFIGURATION = b"av1C"
PNM_GAP = rb"(?:\s|#[^\n]*\n)+"
PNM_HEADER = re.compile(rb"P[2356]" + 2 * (PNM_GAP + rb"\d+") + PNM_GAP + rb"(\d+)\s")


def stored_bits(format: str, head: bytes) -> int:
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


def decode_deep(format: str, data: bytes) -> Image:
    """The samples as they are stored, fewer bits stretched to 16; without metadata."""
    encoded = _pixel_chunks(data) if format == "PNG" else data
    samples = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16:
        raise ValueError("its samples of more than 8 bits cannot be decoded")
    samples = _swap_red_and_blue(samples)
    if format == "PNG" and data[25] == PNG_GRAY_ALPHA:  # OpenCV repeats the gray
        samples = np.ascontiguousarray(samples[..., (0, 3)])
    white = 2 ** stored_bits(format, data[:HEAD_BYTES]) - 1
    if format == "PPM" and (header := PNM_HEADER.match(data)):
        white = int(header.group(1))
    return Image.from_samples(samples if white == 65535 else to_uint16(samples, white))


def _pixel_chunks(png: bytes) -> bytes:
    """libpng prints what it thinks of profiles, and OpenCV may act on other metadata."""
    kept = (chunk for name, chunk in split_chunks(png) if name in PNG_PIXEL_CHUNKS)
    return b"".join((PNG_SIGNATURE, *kept))


def _swap_red_and_blue(samples: Pixels) -> Pixels:
    """RGB(A) for OpenCV's BGR(A), and the reverse."""
    if samples.ndim == 2 or samples.shape[2] < 3:
        return samples
    return np.ascontiguousarray(samples[..., (2, 1, 0, 3)[: samples.shape[2]]])


def encode_pnm(image: Image) -> bytes:
    """Gray becomes P5, RGB P6; 16 bits have their high byte first."""
    kind, white = (5 if image.pixels.shape[2] == 1 else 6), 2**image.depth - 1
    samples = image.pixels.astype(image.pixels.dtype.newbyteorder(">"))
    return f"P{kind}\n{image.width} {image.height}\n{white}\n".encode() + samples.tobytes()


def encode_deep_jpeg2000(image: Image) -> bytes:
    """A lossless JPEG 2000 file of 16 bits. Gray with alpha becomes RGB with alpha."""
    samples = image.array
    if image.channels == 2:
        samples = samples[..., (0, 0, 0, 1)]
    lossless = (cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000)
    done, data = cv2.imencode(".jp2", _swap_red_and_blue(samples), lossless)
    if not done:
        raise ValueError(f"OpenCV writes 16 bits from {MIN_JP2_SIDE} pixels on only")
    return bytes(data)

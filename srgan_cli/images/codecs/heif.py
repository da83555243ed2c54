"""HEIC files, read and written by the package pillow-heif."""

import io
from importlib import import_module

import numpy as np

from srgan_cli.images.image import Image, to_uint16

BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def is_heif(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in BRANDS


def deep_heif(data: bytes, bits: int) -> Image:
    """The main image of 10 or 12 bits as 16; pillow-heif's opener for Pillow gives 8."""
    opened = import_module("pillow_heif").HeifFile(io.BytesIO(data), convert_hdr_to_8bit=False)
    samples = np.asarray(opened[opened.primary_index])
    if samples.dtype != np.uint16:
        return Image.from_samples(samples)
    white = (1 << bits) - 1
    return Image.from_samples(to_uint16(samples >> (16 - bits), white))

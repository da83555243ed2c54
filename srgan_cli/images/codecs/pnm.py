"""Netpbm's gray and RGB maps. Pillow reads those of 8 bits; here are those of 16.

https://netpbm.sourceforge.net/doc/ppm.html
"""

import re

import numpy as np

from srgan_cli.images.image import Image, to_uint16

CHANNELS = {b"2": 1, b"3": 3, b"5": 1, b"6": 3}
PLAIN = (b"2", b"3")
GAP = rb"(?:\s|#[^\n]*\n)+"
HEADER = re.compile(rb"P([2356])" + GAP + rb"(\d+)" + GAP + rb"(\d+)" + GAP + rb"(\d+)\s")
HEAD = 4096  # bytes in which a header is looked for


def top(head: bytes) -> int:
    """The value of white; 0 if it is no such map."""
    found = HEADER.match(head)
    return int(found.group(4)) if found else 0


def deep_image(data: bytes) -> Image:
    """A map whose white is above 255, stretched to 16 bits."""
    found = HEADER.match(data)
    if found is None:
        raise ValueError("no header of a portable map")
    kind, width, height, white = found.group(1), *(int(found.group(i)) for i in (2, 3, 4))
    shape = (height, width, CHANNELS[kind])
    count = height * width * CHANNELS[kind]
    if kind in PLAIN:
        samples = np.array(data[found.end() :].split()[:count], dtype=np.uint16)
    else:
        samples = np.frombuffer(data, ">u2", count, found.end()).astype(np.uint16)
    return Image(to_uint16(samples.reshape(shape), white))


def pnm_file(image: Image) -> bytes:
    """Gray becomes P5, RGB P6; 16 bits have their high byte first."""
    kind, white = (5 if image.pixels.shape[2] == 1 else 6), 2**image.depth - 1
    samples = image.pixels.astype(image.pixels.dtype.newbyteorder(">"))
    return f"P{kind}\n{image.width} {image.height}\n{white}\n".encode() + samples.tobytes()

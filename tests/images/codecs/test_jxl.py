"""The header of a JPEG XL file is read before decoding."""

import io
import struct

import pytest

from srgan_cli.errors import ImageError
from srgan_cli.images.codecs.jxl import CODESTREAM, CONTAINER, read_jxl_header
from srgan_cli.images.formats import Encoding
from srgan_cli.images.read import read_bytes
from srgan_cli.images.write import encode


@pytest.mark.parametrize(("height", "width"), [(1, 1), (8, 8), (64, 256), (33, 47), (600, 9000)])
def test_sizes_of_jxl_are_known_before_decoding(make, height: int, width: int) -> None:
    pytest.importorskip("pillow_jxl")
    for more in ({}, {"xmp": b"<x/>"}):
        data = encode(make(height, width, 1, **more), Encoding("jxl"))
        found = read_jxl_header(io.BytesIO(data))
        assert (found.height, found.width, found.bits) == (height, width, 8)
        assert not found.animated


def bits(*fields: tuple[int, int]) -> bytes:
    """(value, how many bits) from the lowest bit on."""
    value = at = 0
    for number, count in fields:
        value |= number << at
        at += count
    return value.to_bytes(-(-at // 8) + 8, "little")


LARGE = ((0, 1), (3, 2), (2**30 - 1, 30), (1, 3))  # a square of 2**30 pixels


def test_a_jxl_header_that_claims_too_much_is_refused_before_decoding() -> None:
    pytest.importorskip("pillow_jxl")
    with pytest.raises(ImageError, match="more than"):
        read_bytes(CODESTREAM + bits(*LARGE, (1, 1)), "x")


def test_depth_and_animation_of_jxl_are_known() -> None:
    depth = ((0, 1), (3, 2), (15, 6))
    still = bits((1, 1), (4, 5), (1, 3), (0, 1), (0, 1), *depth)
    found = read_jxl_header(io.BytesIO(CODESTREAM + still))
    assert (found.height, found.width, found.bits, found.animated) == (40, 40, 16, False)
    flags = ((0, 3), (0, 1), (0, 1), (1, 1))
    times = ((0, 2), (0, 2), (0, 2), (0, 1))
    moving = bits((1, 1), (4, 5), (1, 3), (0, 1), (1, 1), *flags, *times, *depth)
    boxed = CONTAINER + struct.pack(">I4s", 8 + 4, b"Exif") + bytes(4)
    boxed += struct.pack(">I4s", 0, b"jxlc") + CODESTREAM + moving
    found = read_jxl_header(io.BytesIO(boxed))
    assert (found.height, found.bits, found.animated) == (40, 16, True)

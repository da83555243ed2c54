"""HEIC and JPEG XL through other packages, or the remedy where these are missing."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest

from srgan_cli.errors import ImageError
from srgan_cli.images import formats
from srgan_cli.images.codecs.jxl import CODESTREAM, CONTAINER, read_jxl_header
from srgan_cli.images.formats import Encoding, input_suffixes
from srgan_cli.images.read import read_bytes
from srgan_cli.images.write import encode

HEIC = b"\0\0\0\x18ftypheic" + bytes(40)
MODULES = {"heif": "pillow_heif", "jxl": "pillow_jxl"}
BEGINNINGS = {"heif": HEIC, "jxl": CODESTREAM + bytes(40)}
PIP = {"heif": "pillow-heif", "jxl": "pillow-jxl-plugin"}


@pytest.mark.parametrize("name", MODULES)
def test_a_missing_package_is_named(name: str, make, monkeypatch) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    with pytest.raises(ImageError, match=f"pip install {PIP[name]}$"):
        read_bytes(BEGINNINGS[name], "x")
    with pytest.raises(ImageError, match=f"pip install {PIP[name]}$"):
        encode(make(), Encoding(name))
    assert not {".heic", ".jxl", ".dng"} & input_suffixes()


@pytest.mark.parametrize("name", MODULES)
def test_metadata_and_alpha_are_kept(name: str, make, exif) -> None:
    pytest.importorskip(MODULES[name])
    image = make(channels=4, exif=exif(), xmp=b"<x:xmpmeta/>")
    back = read_bytes(encode(image, Encoding(name)), "x")
    assert back.array.shape == image.array.shape
    assert b"Maker" in back.exif
    assert back.xmp.rstrip(b"\0") == image.xmp


def test_heic_of_10_bits_is_read_as_16() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    samples = np.linspace(0, 65535, 40 * 48 * 3).astype(np.uint16).reshape(40, 48, 3)
    file = io.BytesIO()
    lossless = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}
    pillow_heif.encode("RGB;16", (48, 40), samples.tobytes(), file, **lossless)
    image = read_bytes(file.getvalue(), "x")
    assert image.depth == 16
    assert np.abs(image.pixels.astype(int) - samples).max() <= 64
    assert image.pixels.max() == 65535


def test_jxl_can_be_lossless(make) -> None:
    pytest.importorskip("pillow_jxl")
    image = make(channels=4)
    back = read_bytes(encode(image, Encoding("jxl", lossless=True)), "x")
    assert np.array_equal(back.array, image.array)


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


@pytest.mark.parametrize("data", [CONTAINER, CONTAINER + b"\0\0\0\1jxlc", CODESTREAM, HEIC])
def test_damaged_files_are_one_line(data: bytes, tmp_path: Path) -> None:
    for module in MODULES.values():
        pytest.importorskip(module)
    with pytest.raises(ImageError, match=r"^x: "):
        read_bytes(data, "x")

"""HEIC, JPEG XL and camera RAW through other packages, or the remedy where these are missing."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest

from srgan_cli.errors import ImageError
from srgan_cli.images import formats
from srgan_cli.images.codecs.plugins import CODESTREAM, CONTAINER, read_jxl_header
from srgan_cli.images.formats import Encoding, input_suffixes
from srgan_cli.images.icc import srgb_profile
from srgan_cli.images.read import open_lazy, read_bytes, read_header, read_image
from srgan_cli.images.tiff_tags import (
    BYTE,
    LONG,
    RATIONAL,
    SHORT,
    TagValue,
    build_ifd,
    table_size,
    tiff_header,
)
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


@pytest.mark.parametrize("data", [CONTAINER, CONTAINER + b"\0\0\0\1jxlc", CODESTREAM, HEIC])
def test_damaged_files_are_one_line(data: bytes, tmp_path: Path) -> None:
    for module in MODULES.values():
        pytest.importorskip(module)
    with pytest.raises(ImageError, match=r"^x: "):
        read_bytes(data, "x")


HEIGHT, WIDTH = 40, 60


NEUTRAL = (0.5, 1.0, 0.8)
XYZ_TO_SRGB = (3.24, -1.54, -0.5, -0.97, 1.88, 0.04, 0.06, -0.2, 1.06)


def numbers(kind: int, code: str, *values: float) -> TagValue:
    return TagValue(kind, struct.pack(f"<{len(values)}{code}", *values))


def fractions(kind: int, code: str, values: tuple[float, ...]) -> TagValue:
    return numbers(kind, code, *(part for v in values for part in (round(v * 1000), 1000)))


def dng(level: int = 30_000, turn: int = 1) -> bytes:
    """A gray wall under light that NEUTRAL is white in; a Bayer mosaic of 16 bits."""
    mosaic = np.full((HEIGHT, WIDTH), level, float)
    mosaic[::2, ::2] *= NEUTRAL[0]
    mosaic[1::2, 1::2] *= NEUTRAL[2]
    data = mosaic.astype("<u2").tobytes()
    tags = {
        256: numbers(LONG, "I", WIDTH),
        257: numbers(LONG, "I", HEIGHT),
        258: numbers(SHORT, "H", 16),
        259: numbers(SHORT, "H", 1),
        262: numbers(SHORT, "H", 32803),
        271: TagValue(2, b"Maker\0"),
        272: TagValue(2, b"Model\0"),
        274: numbers(SHORT, "H", turn),
        277: numbers(SHORT, "H", 1),
        278: numbers(LONG, "I", HEIGHT),
        279: numbers(LONG, "I", len(data)),
        33421: numbers(SHORT, "H", 2, 2),
        33422: numbers(BYTE, "B", 0, 1, 1, 2),
        50706: numbers(BYTE, "B", 1, 4, 0, 0),
        50708: TagValue(2, b"Maker Model\0"),
        50717: numbers(LONG, "I", 65535),
        50721: fractions(10, "i", XYZ_TO_SRGB),
        50728: fractions(RATIONAL, "I", NEUTRAL),
        50778: numbers(SHORT, "H", 21),
    }
    start = len(tiff_header("<", 8)) + len(build_ifd({**tags, 273: numbers(LONG, "I", 0)}, "<", 8))
    assert table_size(len(tags) + 1) < start
    return tiff_header("<", 8) + build_ifd({**tags, 273: numbers(LONG, "I", start)}, "<", 8) + data


def test_a_dng_is_developed_to_16_bits_with_the_white_balance_of_the_camera() -> None:
    pytest.importorskip("rawpy")
    image = read_bytes(dng(), "a.dng")
    assert (image.pixels.dtype, image.pixels.shape) == (np.uint16, (HEIGHT, WIDTH, 3))
    middle = image.pixels[10:-10, 10:-10].astype(int)
    assert middle.std() < 600
    assert np.ptp(middle.mean(axis=(0, 1))) < 1300  # gray, though the mosaic is not
    assert 20_000 < middle.mean() < 60_000
    assert image.icc_profile == srgb_profile()
    assert b"Maker" in image.exif


def test_a_dng_is_upright(tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    path = tmp_path / "a.dng"
    path.write_bytes(dng(turn=6))
    image, found = read_image(path), read_header(path)
    assert (image.height, image.width) == (found.height, found.width) == (WIDTH, HEIGHT)
    assert (found.format, found.depth) == ("raw", 16)


@pytest.mark.parametrize("name", ["a.dng", "a.tif", "-"])
def test_a_dng_is_known_by_its_content(name: str, tmp_path: Path) -> None:
    pytest.importorskip("rawpy")
    assert read_bytes(dng(), name).depth == 16
    (tmp_path / name).write_bytes(dng())
    assert open_lazy(tmp_path / name, large=0) is None


@pytest.mark.parametrize("name", ["a.dng", "a.tif", "a.nef"])
def test_without_rawpy_it_is_refused_with_the_remedy(name: str, monkeypatch) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    with pytest.raises(ImageError, match=r"RAW.*pip install rawpy"):
        read_bytes(dng(), name)


def test_what_is_no_raw_file_is_one_line() -> None:
    pytest.importorskip("rawpy")
    with pytest.raises(ImageError, match=r"a\.nef: .*RAW") as caught:
        read_bytes(b"nothing" * 100, "a.nef")
    assert "\n" not in str(caught.value)


def test_max_pixels_hold() -> None:
    pytest.importorskip("rawpy")
    with pytest.raises(ImageError, match="pixels"):
        read_bytes(dng(), "a.dng", max_pixels=100)


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

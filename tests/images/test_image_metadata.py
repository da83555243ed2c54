"""What a file states about its image goes with it."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
from image_helpers import XMP, full, tags
from PIL import Image as Pillow
from PIL import ImageOps, PngImagePlugin

from srgan_cli.images.formats import Encoding
from srgan_cli.images.image_metadata import valid_dpi
from srgan_cli.images.read import read_bytes, read_header, read_image
from srgan_cli.images.write import encode

HOLDS = {
    "jpeg": {"icc_profile", "exif", "xmp", "dpi", "text"},
    "png": {"icc_profile", "exif", "xmp", "dpi", "text"},
    "tiff": {"icc_profile", "exif", "xmp", "dpi"},
    "webp": {"icc_profile", "exif", "xmp"},
    "avif": {"icc_profile", "exif", "xmp"},
    "jpeg2000": {"icc_profile", "exif", "xmp", "dpi", "text"},
    "bmp": {"dpi"},
    "gif": {"text"},
}


DEEP = ("png", "tiff", "jpeg2000")


@pytest.mark.parametrize(
    ("name", "dtype"), [*((n, np.uint8) for n in HOLDS), *((n, np.uint16) for n in DEEP)]
)
def test_metadata_go_with_the_image(make, profile, exif, name, dtype):
    image = full(make, profile, exif, dtype)
    back = read_bytes(encode(image, Encoding(name)), "x")
    held = HOLDS[name]
    assert back.icc_profile == (profile if "icc_profile" in held else None)
    assert back.dpi == (pytest.approx((300, 200), abs=0.03) if "dpi" in held else None)
    assert back.text.get("Comment") == ("füür" if "text" in held else None)
    assert (back.xmp is not None) == ("xmp" in held)
    assert (back.exif is not None) == ("exif" in held)
    if back.exif:
        assert tags(back.exif)[271] == "Maker"
        assert tags(back.exif)[0x927C] == b"a maker's note" * 3


@pytest.mark.parametrize(
    ("name", "dpi", "kept"),
    [
        *((name, (254_000.5, 9_999_999.3), True) for name in ("png", "tiff", "jpeg2000", "bmp")),
        ("jpeg", (65_535.0, 65_535.0), True),
        ("jpeg", (254_000.0, 254_000.0), False),  # JPEG would state another one
        *((name, (2.0**70, 300.0), False) for name in ("png", "tiff", "jpeg2000", "bmp", "jpeg")),
    ],
)
def test_a_resolution_is_stated_where_it_can_be(make, name, dpi, kept):
    back = read_bytes(encode(make(dpi=dpi), Encoding(name)), "x")
    without = pytest.approx((96, 96), abs=0.1) if name == "bmp" else None  # Pillow's own
    assert back.dpi == (pytest.approx(dpi, rel=1e-4) if kept else without)


def test_an_absurd_resolution_is_none():
    assert valid_dpi((4_294_967_295.0, 4_294_967_295.0)) is None
    assert valid_dpi((float("nan"), 300.0)) is valid_dpi((float("inf"), 300.0)) is None
    assert valid_dpi((300, 200)) == (300.0, 200.0)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "tiff"])
def test_orientation_is_applied_and_reset(make, exif, tmp_path, name, turn):
    stored = Pillow.fromarray(make().pixels)
    path = tmp_path / "a"
    stored.save(path, name, exif=b"Exif\0\0" + exif(turn), quality=100)
    with Pillow.open(path) as opened:
        shown = ImageOps.exif_transpose(opened).convert("RGB")
    image = read_image(path)
    assert (image.height, image.width) == (shown.height, shown.width)
    assert (read_header(path).height, read_header(path).width) == (shown.height, shown.width)
    assert np.array_equal(image.pixels, np.asarray(shown))
    assert tags(image.exif).get(274, 1) == 1
    again = read_bytes(encode(image, Encoding("png")), "x")
    assert np.array_equal(again.pixels, image.pixels)


@pytest.mark.parametrize("name", ["png", "tiff"])
def test_orientation_of_16_bits_is_applied(make, exif, name):
    image = make(33, 47, 4, np.uint16)
    data = encode(replace(image, exif=exif(6)), Encoding(name))
    if name == "tiff":  # what we write is upright; the tag is put back to 6, a SHORT in one entry
        entry = struct.pack("<HHIH", 274, 3, 1, 1)
        data = data.replace(entry, entry[:-2] + b"\6\0")
    back = read_bytes(data, "x")
    assert np.array_equal(back.array, np.rot90(image.array, -1))


def test_orientation_of_xmp_counts_where_exif_has_none(make):
    data = encode(make(xmp=XMP), Encoding("png"))
    back = read_bytes(data, "x")
    assert (back.height, back.width) == (47, 33)
    assert b'tiff:Orientation="1"' in back.xmp


def test_texts_of_png_are_kept_in_any_language(make):
    text = {"Title": "plain", "Ort": "東京", "Comment": "ä" * 3000}
    assert read_bytes(encode(make(text=text), Encoding("png")), "x").text == text


def test_exif_in_a_text_of_an_old_png_is_found(make, exif):
    info, file = PngImagePlugin.PngInfo(), io.BytesIO()
    block = (b"Exif\0\0" + exif(6)).hex()
    info.add_text("Raw profile type exif", f"\nexif\n{len(block) // 2}\n{block}\n")
    Pillow.fromarray(make().pixels).save(file, "PNG", pnginfo=info)
    back = read_bytes(file.getvalue(), "x")
    assert (back.height, back.width) == (47, 33)
    assert tags(back.exif)[271] == "Maker"
    assert not back.text


@pytest.mark.parametrize("name", HOLDS)
def test_strip_leaves_the_profile_only(make, profile, exif, name):
    data = encode(full(make, profile, exif), Encoding(name, strip=True))
    back = read_bytes(data, "x")
    assert back.icc_profile == (profile if "icc_profile" in HOLDS[name] else None)
    assert (back.exif, back.xmp, dict(back.text)) == (None, None, {})
    assert b"Maker" not in data

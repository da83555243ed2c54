"""ICC profiles are kept, converted where a format holds none, or left out with a note."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
from image_helpers import saved
from PIL import Image as Pillow

from srgan_cli.images.formats import Encoding
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_bytes
from srgan_cli.images.write import encode


@pytest.mark.parametrize("name", ["bmp", "tga", "pnm", "ico", "gif"])
def test_formats_without_profiles_get_the_colors_of_srgb(profile, name):
    image = Image(np.full((8, 8, 3), 128, np.uint8), icc_profile=linear(profile))
    back = read_bytes(encode(image, Encoding(name)), "x.tga")
    assert abs(int(back.pixels[0, 0, 0]) - 128) > 20
    assert back.icc_profile is None


def test_srgb_stays_as_it_is_without_its_profile(make, profile):
    image = make(icc_profile=profile)
    assert np.array_equal(read_bytes(encode(image, Encoding("pnm")), "x").pixels, image.pixels)


def linear(profile: bytes) -> bytes:
    """sRGB's primaries with a linear curve."""
    count = struct.unpack_from(">I", profile, 128)[0]
    changed = bytearray(profile)
    for i in range(count):
        name, at, _ = struct.unpack_from(">4sII", profile, 132 + 12 * i)
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            changed[at : at + 12] = b"curv" + bytes(8)
    return bytes(changed)


def test_cmyk_without_a_matching_profile_is_still_read(make, profile):
    file = io.BytesIO()
    Pillow.new("CMYK", (8, 8), (0, 0, 0, 0)).save(file, "JPEG", icc_profile=profile)
    assert read_bytes(file.getvalue(), "x").pixels.min() > 250


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "JPEG2000"])
@pytest.mark.parametrize("size", [150, 300])
def test_a_profile_that_is_cut_counts_as_none(profile: bytes, format: str, size: int) -> None:
    settings = {} if format == "JPEG2000" else {"icc_profile": profile[:size]}
    data = saved(Pillow.new("RGB", (8, 8)), format, **settings)
    if format == "JPEG2000":
        data = encode(
            replace(read_bytes(data, "x"), icc_profile=profile[:size]), Encoding("jpeg2000")
        )
    image = read_bytes(data, "x")
    assert image.icc_profile is None
    assert len(image.notes) == 1
    assert "ICC profile" in image.notes[0]


def test_cmyk_with_a_profile_of_rgb_is_one_note(profile: bytes) -> None:
    file = io.BytesIO()
    Pillow.new("CMYK", (8, 8)).save(file, "JPEG", icc_profile=profile)
    (note,) = read_bytes(file.getvalue(), "x").notes
    assert "ICC profile" in note


def test_gray_keeps_a_profile_of_rgb(make, profile: bytes) -> None:
    image = read_bytes(encode(make(channels=1, icc_profile=profile), Encoding("jpeg")), "x")
    assert (image.icc_profile, image.notes) == (profile, ())

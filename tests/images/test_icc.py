"""ICC profiles are kept, converted where a format holds none, or left out with a note."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
from image_helpers import chunk, saved
from PIL import Image as Pillow
from PIL import ImageCms

from srgan_cli.errors import ImageError
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


HEAD = 8 + 25  # the signature and the header


def gamma(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def places(*values: float) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in values)))


BT709 = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)


WIDE = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)  # Adobe RGB's


def read_with_chunks(image: Image, *chunks: bytes) -> Image:
    data = encode(image, Encoding("png"))
    return read_bytes(data[:HEAD] + b"".join(chunks) + data[HEAD:], "x.png")


def shown(image: Image) -> np.ndarray:
    """As a viewer that heeds profiles shows it, by littleCMS."""
    gray = image.pixels.shape[2] == 1
    source = Pillow.fromarray(image.pixels[..., 0] if gray else image.pixels)
    own = ImageCms.ImageCmsProfile(io.BytesIO(image.icc_profile))
    target = ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(source, own, target, outputMode="RGB"))


def patch(*color: int) -> Image:
    return Image(np.full((4, 4, len(color)), color, np.uint8))


@pytest.mark.parametrize(
    "chunks",
    [
        (),
        (gamma(0.45455),),
        (gamma(0.45455), places(*BT709)),
        (chunk(b"sRGB", b"\0"), gamma(1)),
        (chunk(b"cICP", bytes((1, 13, 0, 1))), gamma(1)),
        (gamma(0),),
        (chunk(b"cHRM", b"\xff" * 32),),
        (places(0.3127, 0.329, 0.64, 0.33, 0.64, 0.33, 0.15, 0.06),),
        (places(0.3127, 0.329, 0.64, 0.33, 0.64001, 0.33, 0.15, 0.06),),
    ],
)
def test_what_is_srgb_or_nonsense_gets_no_profile(chunks):
    assert read_with_chunks(patch(1, 2, 3), *chunks).icc_profile is None


def test_a_profile_goes_before_the_chunks(make, profile):
    assert read_with_chunks(make(icc_profile=profile), gamma(1)).icc_profile == profile


@pytest.mark.parametrize("color", [(128, 128, 128), (128,)])
def test_linear_light_is_shown_as_such(color):
    """Half of the light is level 188 of sRGB."""
    assert np.abs(shown(read_with_chunks(patch(*color), gamma(1))).astype(int) - 188).max() <= 1


def test_primaries_are_those_of_the_chunk():
    """Nearly those of sRGB change little; a wider green is more than sRGB can show."""
    nearly = (*BT709[:6], 0.15, 0.045)
    image = read_with_chunks(patch(200, 100, 50), places(*nearly))
    assert np.abs(shown(image).astype(int) - (200, 100, 50)).max() <= 4
    assert (
        shown(read_with_chunks(patch(100, 200, 100), places(*WIDE), gamma(0.45455)))[0, 0, 0] < 60
    )


def test_the_numbers_of_cicp_mean_the_same_as_chromaticities():
    p3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
    by_number = read_with_chunks(patch(9, 9, 9), chunk(b"cICP", bytes((12, 13, 0, 1))))
    assert by_number.icc_profile == read_with_chunks(patch(9, 9, 9), places(*p3)).icc_profile


@pytest.mark.parametrize("name", ["png", "jpeg", "tiff", "webp", "avif", "jpeg2000"])
def test_other_formats_get_the_profile(make, name):
    image = read_with_chunks(make(), gamma(1))
    assert read_bytes(encode(image, Encoding(name)), "x").icc_profile == image.icc_profile


def test_formats_without_profiles_get_the_colors_of_srgb_of_pngs_chunks():
    data = encode(read_with_chunks(patch(128, 128, 128), gamma(1)), Encoding("bmp"))
    assert np.abs(read_bytes(data, "x").pixels.astype(int) - 188).max() <= 1


def test_sixteen_bits_keep_their_samples(make):
    image = make(dtype=np.uint16)
    back = read_with_chunks(image, gamma(1))
    assert np.array_equal(back.pixels, image.pixels)
    assert back.icc_profile is not None


def test_hdr_is_refused_with_a_remedy():
    with pytest.raises(ImageError, match=r"x.png: PQ images are not supported; convert it to"):
        read_with_chunks(patch(1, 2, 3), chunk(b"cICP", bytes((9, 16, 0, 1))))

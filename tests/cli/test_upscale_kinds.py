"""`srgan upscale` on every kind of image: what the command line makes of real files."""

import io
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import larger, made, refusal, smooth, upscale
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps

from srgan_cli.images.exif import ORIENTATION
from srgan_cli.images.formats import CAPABILITIES, FORMAT_BY_SUFFIX
from srgan_cli.images.icc import srgb_profile
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_header, read_image
from srgan_cli.images.write import write_image

pytestmark = pytest.mark.usefixtures("in_tmp_path")

LOSSY = ("jpeg", "webp", "avif", "gif", "heif", "jxl")


@pytest.mark.parametrize("suffix", FORMAT_BY_SUFFIX)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_comes_out_as_it_went_in_but_larger(suffix, channels):
    write_image(Image(smooth(20, 30, channels)), Path(f"in{suffix}"))
    before = read_image(Path(f"in{suffix}"))
    after = made(f"in{suffix}", f"out{suffix}", "-s", 2)
    header = read_header(Path(f"out{suffix}"))
    assert (header.format, header.width, header.height) == (FORMAT_BY_SUFFIX[suffix], 60, 40)
    assert after.channels == before.channels
    difference = after.pixels.astype(int) - larger(before.pixels, 2)
    assert np.abs(difference).mean() <= (8 if FORMAT_BY_SUFFIX[suffix] in LOSSY else 0)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jp2", ".ppm", ".pgm"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bits_stay_16_bits_where_the_format_can(suffix, channels):
    able = CAPABILITIES[FORMAT_BY_SUFFIX[suffix]]
    samples = smooth(32, 40, channels, np.uint16)
    image = Image(samples) if channels in (1, 3) else Image(samples[..., :-1], samples[..., -1])
    if not able.alpha and image.alpha is not None:
        pytest.skip("the format holds no alpha")
    write_image(image, Path(f"in{suffix}"))
    after = made(f"in{suffix}", f"out{suffix}")
    assert after.depth == 16
    assert (after.alpha is None) == (image.alpha is None)
    if image.alpha is None:
        np.testing.assert_array_equal(after.pixels, larger(image.pixels))


def test_a_palette_with_transparency_becomes_rgb_with_alpha():
    image = Pillow.fromarray(smooth(9, 16, 3)).quantize(16)
    image.save("in.png", transparency=int(np.asarray(image)[4, 8]))
    after = made("in.png", "out.png")
    assert after.channels == 4
    assert set(np.unique(after.alpha)) >= {0, 255}


@pytest.mark.parametrize("compression", [None, "group4"])
def test_one_bit_becomes_gray(compression):
    bits = np.random.default_rng(0).integers(0, 2, (9, 12), dtype=np.uint8) * 255
    Pillow.fromarray(bits).convert("1").save("in.tif", compression=compression)
    after = made("in.tif", "out.tif")
    np.testing.assert_array_equal(after.pixels, larger(bits[..., None]))


def cmyk_profile() -> bytes:
    """Of a printer whose inks are all gray: one gives L* = 50, two or black give 0."""
    inks = [bin(node).count("1") + 2 * (node & 1) for node in range(16)]
    grid = bytes(value for ink in inks for value in (max(0, 255 - 128 * ink), 128, 128))
    ramp = bytes(range(256))
    identity = struct.pack(">9i", *(65536 * (i % 4 == 0) for i in range(9)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + ramp * 4 + grid + ramp * 3
    head = bytes(12) + b"prtrCMYKLab " + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + b"acsp"
    white = struct.pack(">3i", 63190, 65536, 54061)
    size = 128 + 4 + 12 + len(table)
    body = struct.pack(">II", size, 0) + b"\x02\x10\0\0" + head[12:]
    tags = struct.pack(">I4sII", 1, b"A2B0", 144, len(table))
    return (body.ljust(68, b"\0") + white).ljust(128, b"\0") + tags + table


def test_cmyk_becomes_rgb_through_its_profile():
    cyan = Pillow.new("CMYK", (8, 8), (255, 0, 0, 0))
    cyan.save("in.jpg", icc_profile=cmyk_profile(), quality=100)
    after = made("in.jpg", "out.png")
    np.testing.assert_allclose(after.pixels, 119, atol=2)  # what L* = 50 is in sRGB
    name = ImageCms.getProfileName(ImageCms.ImageCmsProfile(io.BytesIO(after.icc_profile)))
    assert "sRGB" in name


def wide_profile() -> bytes:
    """Not sRGB: its curves are linear."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    changed = bytearray(profile)
    for number in range(struct.unpack_from(">I", profile, 128)[0]):
        name, at, _ = struct.unpack_from(">4sII", profile, 132 + 12 * number)
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            changed[at : at + 12] = b"curv" + bytes(8)
    return bytes(changed)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_gray_with_a_profile_of_another_color_space_is_written_without_it(suffix):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    write_image(Image(smooth(10, 12, 1, np.uint8), icc_profile=profile), Path(f"in{suffix}"))
    assert made(f"in{suffix}", f"out{suffix}").icc_profile is None


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_gray_with_alpha_keeps_profile_exif_resolution_and_texts(suffix, dtype):
    tags = Pillow.Exif()
    tags[271], tags[256], tags.get_ifd(34665)[0xA002] = "Maker", 12, 12
    samples = smooth(10, 12, 2, dtype)
    image = Image(samples[..., :1], samples[..., 1], wide_profile(), dpi=(300, 150))
    full = replace(image, exif=tags.tobytes().removeprefix(b"Exif\0\0"), text={"Title": "Nächte"})
    write_image(full, Path(f"in{suffix}"))
    after = made(f"in{suffix}", f"out{suffix}")
    assert (after.channels, after.depth) == (2, full.depth)
    assert after.icc_profile == full.icc_profile
    assert after.dpi == pytest.approx((300, 150), abs=0.03)
    assert suffix != ".png" or after.text == full.text
    stated = Pillow.Exif()
    stated.load(after.exif)
    assert stated[271] == "Maker"
    assert stated.get_ifd(34665)[0xA002] == 48
    stripped = made(f"in{suffix}", f"stripped{suffix}", "--strip")
    assert (stripped.exif, stripped.dpi, stripped.text) == (None, None, {})
    assert stripped.icc_profile == full.icc_profile


def test_16_bits_go_where_no_profile_fits_only_if_they_are_srgb():
    samples, srgb = smooth(6, 9, 3, np.uint16), srgb_profile()
    red_is_green = (
        srgb.replace(b"rXYZ", b"....").replace(b"gXYZ", b"rXYZ").replace(b"....", b"gXYZ")
    )
    write_image(Image(samples, icc_profile=red_is_green), Path("other.png"))
    result = upscale("other.png", "-o", "out.ppm")
    assert result.exit_code == 1
    assert "PNM has no color profile for 16-bit samples" in result.stderr
    assert "png, tiff" in result.stderr
    assert not Path("out.ppm").exists()
    write_image(Image(samples, icc_profile=srgb), Path("in.png"))
    np.testing.assert_array_equal(made("in.png", "out.ppm").pixels, larger(samples))


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_every_orientation_comes_out_upright(suffix, turn):
    exif = Pillow.Exif()
    exif[ORIENTATION] = turn
    stored = Pillow.fromarray(smooth(6, 9, 3))
    stored.save(f"in{suffix}", exif=exif, quality=100)
    with Pillow.open(f"in{suffix}") as opened:
        shown = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    after = made(f"in{suffix}", "out.png")
    np.testing.assert_array_equal(after.pixels, larger(shown))
    with Pillow.open("out.png") as opened:
        assert opened.getexif().get(ORIENTATION, 1) == 1


@pytest.mark.parametrize("mode", ["F", "I"])
def test_other_samples_are_refused_by_name(mode):
    Pillow.fromarray(smooth(9, 9, 1)[..., 0]).convert(mode).save("in.tif")
    assert refusal("in.tif").endswith("convert to 8 or 16 bits")


@pytest.mark.parametrize(
    ("suffix", "start"),
    [
        (".eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        (".pdf", b"%PDF-1.7\n"),
        (".wmf", b"\xd7\xcd\xc6\x9a"),
        (".png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    ],
)
def test_what_runs_an_interpreter_is_refused_under_any_name(suffix, start):
    Path(f"in{suffix}").write_bytes(start + bytes(500))
    assert refusal(f"in{suffix}").endswith("convert it to PNG or TIFF")


def test_a_color_that_is_none_is_a_usage_error():
    result = upscale("a.png", "--background", "bluish")
    assert result.exit_code == 2
    assert "#8080ff" in result.stderr

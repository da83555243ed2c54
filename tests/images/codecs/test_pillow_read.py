"""Files of every mode and depth, as other programs make them."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from image_helpers import chunk, gradient, read, saved
from PIL import Image as Pillow
from PIL import ImageCms

from srgan_cli.errors import ImageError
from srgan_cli.images.codecs import pillow_read
from srgan_cli.images.codecs.png import SIGNATURE
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_frames, read_header


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "PPM"])
def test_one_bit_becomes_gray(format):
    source = gradient().point(lambda v: 255 * (v > 99)).convert("1", dither=Pillow.Dither.NONE)
    image = read(saved(source, format))
    assert np.array_equal(image.pixels[..., 0], np.asarray(source.convert("L")))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P"])
def test_samples_copied_by_bands_are_the_same(mode, monkeypatch):
    bands = Pillow.merge("RGBA", [gradient(), gradient().rotate(180), gradient(), gradient()])
    data = saved(bands.convert("RGB").quantize(16) if mode == "P" else bands.convert(mode), "PNG")
    whole = read(data)
    monkeypatch.setattr(pillow_read, "BAND_PIXELS", 3 * bands.width + 1)
    by_bands = read(data)
    assert np.array_equal(whole.array, by_bands.array)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "TGA", "GIF"])
def test_a_palette_becomes_rgb(format):
    source = Pillow.merge("RGB", [gradient(), gradient().rotate(180), gradient()]).quantize(16)
    image = read(saved(source, format), "x.tga")
    assert np.array_equal(image.pixels, np.asarray(source.convert("RGB")))


def test_a_palette_with_a_transparent_color_becomes_rgb_with_alpha():
    source = gradient("RGB").quantize(16)
    image = read(saved(source, transparency=3))
    assert np.array_equal(image.alpha == 0, np.asarray(source) == 3)


@pytest.mark.parametrize(("mode", "clear"), [("L", 77), ("RGB", (77, 77, 77))])
def test_a_transparent_color_of_png_becomes_alpha(mode, clear):
    source = gradient(mode)
    image = read(saved(source, transparency=clear))
    assert np.array_equal(image.alpha == 0, np.asarray(gradient()) == 77)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_transparent_gray_of_any_depth_becomes_alpha(bits):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, bits, 0, 0, 0, 0))
    samples = (1 << (8 - bits)).to_bytes(1, "big") + bytes(1)  # 1 and 0
    rows = chunk(b"IDAT", zlib.compress(b"\0" + (samples if bits < 8 else b"\1\0")))
    file = SIGNATURE + header + chunk(b"tRNS", b"\0\1") + rows + chunk(b"IEND", b"")
    image = read(file)
    assert image.pixels[0, :, 0].tolist() == [255 // (2**bits - 1), 0]
    assert image.alpha.tolist() == [[0, 255]]


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_becomes_srgb(format):
    source = Pillow.new("CMYK", (16, 16), (0, 0, 0, 128))
    image = read(saved(source, format))
    assert image.pixels.shape == (16, 16, 3)
    assert np.ptp(image.pixels) <= 4
    assert "sRGB" in profile_name(image.icc_profile)


def profile_name(profile: bytes) -> str:
    return ImageCms.getProfileName(ImageCms.ImageCmsProfile(io.BytesIO(profile)))


def test_lab_becomes_srgb():
    image = read(saved(Pillow.new("LAB", (4, 4), (255, 128, 128)), "TIFF"))
    assert image.pixels.min() > 240


@pytest.mark.parametrize(("mode", "says"), [("I", "32-bit integer|signed"), ("F", "floating")])
def test_other_samples_are_refused_by_name(mode, says):
    with pytest.raises(ImageError, match=f"^x.tif: .*({says}).*convert"):
        read(saved(gradient(mode), "TIFF"), "x.tif")


def test_the_further_images_of_a_camera_file_are_no_animation(tmp_path):
    gradient("RGB").save(tmp_path / "a.mpo", save_all=True, append_images=[gradient("RGB")])
    (tmp_path / "a.mpo").rename(tmp_path / "a.jpg")
    assert isinstance(read_frames(tmp_path / "a.jpg"), Image)
    assert read_header(tmp_path / "a.jpg").format == "jpeg"


def test_depth_is_the_dtype_however_dark_the_image():
    dark = Pillow.fromarray(np.full((9, 9), 3, np.uint16))
    for format in ("PNG", "TIFF", "JPEG2000", "PPM"):
        image = read(saved(dark, format))
        assert image.depth == 16
        assert set(image.pixels.ravel()) == {3}


@pytest.mark.parametrize(("channels", "color"), [(1, 0), (3, 2)])
def test_a_transparent_color_of_16_bits_becomes_alpha(channels, color):
    pixels = np.arange(6 * channels, dtype=np.uint16).reshape(2, 3, channels) * 999
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    size = struct.pack(">IIBBBBB", 3, 2, 16, color, 0, 0, 0)
    clear = chunk(b"tRNS", pixels[1, 1].astype(">u2").tobytes())
    body = chunk(b"IHDR", size) + clear + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    image = read(b"\x89PNG\r\n\x1a\n" + body)
    assert np.array_equal(image.pixels, pixels)
    assert image.alpha.tolist() == [[65535] * 3, [65535, 0, 65535]]


def test_a_map_of_10_bits_is_stretched():
    data = b"P5 # a comment\n3 1\n1023\n" + np.array([0, 512, 1023], ">u2").tobytes()
    assert read(data).pixels.ravel().tolist() == [0, 32800, 65535]


def test_a_plain_map_of_16_bits_is_read():
    image = read(b"P3\n2 1\n65535\n0 1 2\n65535 65534 40000\n")
    assert image.pixels.tolist() == [[[0, 1, 2], [65535, 65534, 40000]]]


def test_avif_of_10_bits_is_stretched_to_16():
    ramp = np.repeat(np.arange(0, 1024, 8, dtype=np.uint16)[None, :, None], 64, axis=0)
    exact = [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 100]
    done, data = cv2.imencode(".avif", np.repeat(ramp, 3, axis=2), exact)
    assert done
    image = read(data.tobytes())
    assert image.depth == 16
    assert np.abs(image.pixels / 65535 - ramp / 1023).max() < 0.01
    assert len(np.unique(image.pixels)) > 110

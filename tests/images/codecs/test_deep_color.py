"""Samples of more than 8 bits keep them."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from image_helpers import chunk, read, saved
from PIL import Image as Pillow


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

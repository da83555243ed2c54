"""EXIF and XMP stay true when an image is rotated or resized."""

import struct

import pytest
from image_helpers import XMP, tags
from PIL import Image as Pillow

from srgan_cli.images.exif import reset_exif_orientation, set_exif_size, valid_exif
from srgan_cli.images.formats import Encoding
from srgan_cli.images.read import read_bytes, read_image
from srgan_cli.images.write import encode


@pytest.mark.parametrize("order", ["<", ">"])
def test_stated_sizes_become_those_of_the_image(make, exif, order):
    image = make(66, 70_000, 1, exif=exif(order=order), xmp=XMP.replace(b"6", b"1", 1))
    back = read_bytes(encode(image, Encoding("png")), "x")
    stated = tags(back.exif)
    assert (stated[256], stated[0xA002], stated[0xA003]) == (70_000, 70_000, 66)
    assert b'PixelXDimension="70000"' in back.xmp
    assert b"ImageLength>66<" in back.xmp


def test_the_thumbnail_is_dropped_and_nothing_else_moves(exif):
    block = exif(6)
    count = struct.unpack_from("<H", block, 8)[0]
    link, at = 10 + 12 * count, len(block)
    source = b"\xff\xd8thumbnail\xff\xd9"
    entries = struct.pack("<HHIIHHIII", 513, 4, 1, at + 30, 514, 4, 1, len(source), 0)
    thumbed = bytearray(block + struct.pack("<H", 2) + entries + source)
    struct.pack_into("<I", thumbed, link, at)
    cleaned = reset_exif_orientation(bytes(thumbed))
    assert b"thumbnail" not in cleaned
    assert cleaned[: len(block)] == reset_exif_orientation(block)


def test_a_byte_order_is_kept(exif):
    assert set_exif_size(exif(order=">"), 5, 6).startswith(b"MM")


@pytest.mark.parametrize(
    "damage", [b"", b"II*\0", b"junk", b"II*\0" + b"\xff" * 4, b"II*\0" + bytes(4)]
)
def test_damaged_exif_is_left_out(make, tmp_path, damage):
    assert valid_exif(b"Exif\0\0" + damage) is None
    Pillow.fromarray(make().pixels).save(tmp_path / "a.webp", exif=b"Exif\0\0" + damage)
    assert read_image(tmp_path / "a.webp").exif is None


def test_tiff_and_jpeg_exchange_exif(make, exif):
    for order in "<>":
        tiff = read_bytes(encode(make(exif=exif(order=order)), Encoding("tiff")), "x")
        jpeg = read_bytes(encode(tiff, Encoding("jpeg")), "x")
        assert tags(jpeg.exif)[271] == "Maker"
        assert tags(jpeg.exif)[0xA002] == 47

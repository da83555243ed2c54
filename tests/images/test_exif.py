"""EXIF and XMP stay true when an image is resized; IPTC is kept where a format holds it."""

import io
import struct

import numpy as np
import pytest
from hostile_files import ASCII, LONG, SHORT, directory, entry
from image_helpers import IPTC, XMP, read, saved, tags
from PIL import Image as Pillow
from PIL import IptcImagePlugin

from srgan_cli.errors import ImageError
from srgan_cli.images.exif import (
    find_iptc,
    iptc_of_page,
    jpeg_segment,
    reset_exif_orientation,
    set_exif_size,
    valid_exif,
)
from srgan_cli.images.formats import CAPABILITIES, Encoding
from srgan_cli.images.read import read_bytes, read_image
from srgan_cli.images.tiff_tags import TagValue, build_ifd, parse_tiff, tiff_header
from srgan_cli.images.write import encode, list_losses


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


def block_of(*entries: bytes, then: int = 0, rest: bytes = b"") -> bytes:
    """An EXIF block of one IFD, the offset of the next one, and what follows at its end."""
    table = struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", then)
    return b"II*\0" + struct.pack("<I", 8) + table + rest


TURNED = entry(274, SHORT, 1, 6)
NEXT = 8 + 2 + 12 + 4  # where the rest of a block of one entry lies


@pytest.mark.parametrize(
    "block",
    [
        block_of(TURNED, then=5000),
        block_of(TURNED, then=NEXT, rest=directory(entry(282, 5, 1, 9999))),
    ],
    ids=["no second IFD", "damaged second IFD"],
)
def test_a_damaged_ifd_of_the_thumbnail_does_not_matter(make, block):
    data = saved(Pillow.fromarray(make().pixels), "JPEG", exif=b"Exif\0\0" + block)
    image = read(data)
    assert (image.height, image.width, image.notes) == (47, 33, ())
    assert tags(image.exif)[274] == 1


@pytest.mark.parametrize("start", [1, 8, 20, 24, NEXT + 40])
def test_a_thumbnail_over_other_data_is_left_alone(start):
    maker = entry(271, ASCII, 8, NEXT + 12 + 30)
    thumbnail = directory(entry(513, LONG, 1, start), entry(514, LONG, 1, 100_000))
    block = block_of(TURNED, maker, then=NEXT + 12, rest=thumbnail + b"Maker 1\0")
    cleaned = reset_exif_orientation(block)
    assert len(cleaned) == len(block)
    assert valid_exif(set_exif_size(cleaned, 5, 6)) is not None
    assert tags(cleaned) == {274: 1, 271: "Maker 1"}


def test_a_tag_that_is_there_twice_costs_no_other_one():
    twice, last = entry(305, ASCII, 4, 0x616161), entry(531, SHORT, 1, 1)
    cleaned = reset_exif_orientation(block_of(TURNED, twice, twice, last, then=7))
    assert cleaned == block_of(entry(274, SHORT, 1, 1), twice, twice, last)


@pytest.mark.parametrize(
    "block",
    [
        block_of(TURNED, entry(34665, LONG, 1, 6)),
        block_of(TURNED, entry(34665, LONG, 1, 20)),
        tiff_header("<", 16, big=True) + build_ifd({271: TagValue(2, b"M\0")}, "<", 16, big=True),
    ],
    ids=["over the header", "over another table", "BigTIFF"],
)
def test_exif_that_cannot_be_changed_in_place_is_left_out(block):
    assert valid_exif(block) is None


def test_exif_that_a_caller_has_damaged_is_an_error_of_one_line(make):
    with pytest.raises(ImageError, match="cannot be encoded as png"):
        encode(make(exif=b"junk"), Encoding("png"))


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


HOLD_IPTC = ("jpeg", "png", "tiff", "jpeg2000")
DEEP = ("png", "tiff", "jpeg2000")


@pytest.mark.parametrize("name", CAPABILITIES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_iptc_is_kept_where_the_format_holds_it(make, name, dtype):
    if dtype == np.uint16 and name not in DEEP:
        return
    image = make(dtype=dtype, iptc=IPTC)
    back = read_bytes(encode(image, Encoding(name)), "x.tga")
    assert back.iptc == (IPTC if name in HOLD_IPTC else None)
    assert bool(list_losses(image, name)) == (name not in HOLD_IPTC)


def test_iptc_is_where_other_programs_look_for_it(make):
    image = make(iptc=IPTC)
    with Pillow.open(io.BytesIO(encode(image, Encoding("jpeg")))) as opened:
        assert IptcImagePlugin.getiptcinfo(opened)[2, 120] == b"Caption"
    with Pillow.open(io.BytesIO(encode(image, Encoding("tiff")))) as opened:
        assert opened.tag_v2[33723] == IPTC


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("wrong_way_round", [False, True])
def test_iptc_of_a_tiff_file_may_be_numbers(order, wrong_way_round):
    data = IPTC + bytes(-len(IPTC) % 4)
    if wrong_way_round:
        data = TagValue(LONG, data).swapped().data
    page = parse_tiff(
        tiff_header(order, 8) + build_ifd({33723: TagValue(LONG, data)}, order, 8)
    ).first_ifd()
    assert iptc_of_page(page).startswith(IPTC)


@pytest.mark.parametrize("cut", range(0, 40, 3))
def test_damaged_resources_hold_no_iptc(cut):
    whole = jpeg_segment(IPTC)[18:]
    assert find_iptc(whole) == IPTC
    found = find_iptc(whole[:cut])
    assert found is None or IPTC.startswith(found)


def test_iptc_that_a_jpeg_cannot_hold_is_left_out_and_named(make):
    image = make(iptc=b"\x1c" * 70_000)
    assert read_bytes(encode(image, Encoding("jpeg")), "x").iptc is None
    assert any("IPTC" in loss for loss in list_losses(image, "jpeg"))

"""What a file says about its picture goes with it, and stays true."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps, IptcImagePlugin, PngImagePlugin

from srgan_cli.errors import ImageError
from srgan_cli.images.exif import reset_exif_orientation, set_exif_size, valid_exif
from srgan_cli.images.formats import CAPABILITIES, METADATA, Encoding
from srgan_cli.images.header import read_header
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.iptc import find_iptc, iptc_of_page, jpeg_segment
from srgan_cli.images.read import read_bytes, read_image
from srgan_cli.images.tiff_tags import LONG, TagValue, build_ifd, parse_tiff, tiff_header
from srgan_cli.images.write import encode, list_losses, write_image

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" '
    b'exif:PixelXDimension="47"><tiff:ImageLength>33</tiff:ImageLength></rdf:Description>'
    b"</x:xmpmeta>"
)
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
IPTC = b"\x1c\x01Z\x00\x03\x1b%G\x1c\x02x\x00\x07Caption"
HOLD_IPTC = ("jpeg", "png", "tiff", "jpeg2000")
DEEP = ("png", "tiff", "jpeg2000")


def full(make, profile, exif, dtype=np.uint8) -> Image:
    return make(
        dtype=dtype,
        icc_profile=profile,
        exif=exif(),
        xmp=XMP.replace(b"6", b"1", 1),
        dpi=(300.0, 200.0),
        text={"Comment": "füür"},
    )


def tags(exif: bytes) -> dict[int, object]:
    loaded = Pillow.Exif()
    loaded.load(exif)
    return {**dict(loaded), **loaded.get_ifd(34665)}


@pytest.mark.parametrize(
    ("name", "dtype"), [*((n, np.uint8) for n in HOLDS), *((n, np.uint16) for n in DEEP)]
)
def test_metadata_go_with_the_picture(make, profile, exif, name, dtype):
    image = full(make, profile, exif, dtype)
    back = read_bytes(encode(image, Encoding(name)), "x")
    held = HOLDS[name] - ({"text"} if (name, dtype) == ("jpeg2000", np.uint16) else set())
    assert back.icc_profile == (profile if "icc_profile" in held else None)
    assert back.dpi == (pytest.approx((300, 200), abs=0.03) if "dpi" in held else None)
    assert back.text.get("Comment") == ("füür" if "text" in held else None)
    assert (back.xmp is not None) == ("xmp" in held)
    assert (back.exif is not None) == ("exif" in held)
    if back.exif:
        assert tags(back.exif)[271] == "Maker"
        assert tags(back.exif)[0x927C] == b"a maker's note" * 3


@pytest.mark.parametrize("name", HOLDS)
def test_strip_leaves_the_profile_only(make, profile, exif, name):
    data = encode(full(make, profile, exif), Encoding(name, strip=True))
    back = read_bytes(data, "x")
    assert back.icc_profile == (profile if "icc_profile" in HOLDS[name] else None)
    assert (back.exif, back.xmp, dict(back.text)) == (None, None, {})
    assert b"Maker" not in data


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


@pytest.mark.parametrize("order", ["<", ">"])
def test_stated_sizes_become_those_of_the_picture(make, exif, order):
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
    picture = b"\xff\xd8thumbnail\xff\xd9"
    entries = struct.pack("<HHIIHHIII", 513, 4, 1, at + 30, 514, 4, 1, len(picture), 0)
    thumbed = bytearray(block + struct.pack("<H", 2) + entries + picture)
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


def test_pages_of_both_byte_orders_share_a_file(make, exif):
    images = tuple(make(exif=exif(order=order)) for order in "<>")
    back = read_bytes(encode(ImageSequence(images), Encoding("tiff")), "x")
    assert [tags(page.exif)[0xA003] for page in back.images] == [33, 33]


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


@pytest.mark.parametrize("name", ["bmp", "tga", "pnm", "ico", "gif"])
def test_formats_without_profiles_get_the_colours_of_srgb(profile, name):
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


def test_reading_and_writing_twice_changes_nothing(make, profile, exif, tmp_path):
    first, second = tmp_path / "1.png", tmp_path / "2.png"
    write_image(full(make, profile, exif), first)
    write_image(read_image(first), second)
    assert first.read_bytes() == second.read_bytes()


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


def test_iptc_that_a_jpeg_cannot_hold_is_refused_with_the_remedy(make):
    with pytest.raises(ImageError, match=r"IPTC.*--strip"):
        encode(make(iptc=b"\x1c" * 70_000), Encoding("jpeg"))


@pytest.mark.parametrize("name", CAPABILITIES)
def test_what_is_said_to_be_kept_is_kept_and_the_rest_is_said(make, profile, exif, name):
    image = replace(full(make, profile, exif), iptc=IPTC)
    image = replace(image, text={**image.text, "Author": "me"})
    back = read_bytes(encode(image, Encoding(name)), "x.tga")
    kept = (back.exif, back.xmp, back.iptc, back.text.get("Comment"), back.text.get("Author"))
    lost = {word for word, data in zip(METADATA, kept, strict=True) if not data}
    said = " ".join(list_losses(image, name))
    assert {word for word in METADATA if word in said} == lost

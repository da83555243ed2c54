"""IPTC data are kept where a format holds them."""

import io

import numpy as np
import pytest
from image_helpers import IPTC
from PIL import Image as Pillow
from PIL import IptcImagePlugin

from srgan_cli.errors import ImageError
from srgan_cli.images.formats import CAPABILITIES, Encoding
from srgan_cli.images.iptc import find_iptc, iptc_of_page, jpeg_segment
from srgan_cli.images.read import read_bytes
from srgan_cli.images.tiff_tags import LONG, TagValue, build_ifd, parse_tiff, tiff_header
from srgan_cli.images.write import encode, list_losses

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


def test_iptc_that_a_jpeg_cannot_hold_is_refused_with_the_remedy(make):
    with pytest.raises(ImageError, match=r"IPTC.*--strip"):
        encode(make(iptc=b"\x1c" * 70_000), Encoding("jpeg"))

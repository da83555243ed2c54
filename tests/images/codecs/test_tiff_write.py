"""Files of more than 4 GB, written small."""

import pytest
from image_helpers import read

from srgan_cli.images.codecs import tiff_write
from srgan_cli.images.formats import Encoding
from srgan_cli.images.tiff_tags import LONG8, parse_tiff
from srgan_cli.images.write import encode


@pytest.mark.parametrize("order", "<>")
def test_exif_of_bigtiff_is_found_where_its_pointer_says(make, exif, monkeypatch, order):
    monkeypatch.setattr(tiff_write, "MAX_TIFF_BYTES", 10)
    data = encode(make(exif=exif(order=order)), Encoding("tiff"))
    page = parse_tiff(data).first_ifd()
    assert page[34665].kind == LONG8
    assert page.structure.ifd(page.integer(34665))[0x927C].data == b"a maker's note" * 3
    assert read(data).notes == ()

"""Values are read when they are asked for; IFDs that share their bytes are refused."""

import io
import struct

import numpy as np
import pytest
from hostile_files import entry

from srgan_cli.images.tiff_tags import TagValue, TiffStructure, build_ifd, parse_tiff, tiff_header


class CountedFile(io.BytesIO):
    """Counts the bytes that are read."""

    total = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.total += len(data)
        return data


@pytest.mark.parametrize("kind", [1, 3, 4, 16])
@pytest.mark.parametrize("order", "<>")
def test_the_first_of_many_integers_is_read_alone(kind, order):
    size = {1: 1, 3: 2, 4: 4, 16: 8}[kind]
    values = TagValue(kind, np.arange(7, 107).astype(f"{order}u{size}").tobytes())
    file = CountedFile(tiff_header(order, 8) + build_ifd({258: values}, order, 8))
    ifd = TiffStructure(file).first_ifd()
    before = file.total
    assert (ifd.integer(258), file.total - before) == (7, size)
    assert ifd.count(258) == len(ifd.array(258)) == 100


def test_what_is_no_integer_has_the_default():
    ascii_and_empty = {271: TagValue(2, b"Maker"), 258: TagValue(3, b"")}
    ifd = parse_tiff(tiff_header("<", 8) + build_ifd(ascii_and_empty, "<", 8)).first_ifd()
    assert [ifd.integer(tag, 5) for tag in (271, 258, 1)] == [5, 5, 5]
    assert [ifd.count(tag) for tag in (271, 258, 1)] == [0, 0, 0]


def overlapping_ifds(entries: int = 200, ifds: int = 100) -> bytes:
    """Each begins in the first entry of the former one.

    Tag and type of an entry are the offset of an IFD, the end of its value an IFD's count.
    """
    offsets = [i if i < entries else 20 + 12 * (i - entries) for i in range(entries + ifds)]
    table = b"".join(struct.pack("<IIHH", offset, 1, 0, entries) for offset in offsets)
    return b"II*\0" + struct.pack("<IH", 8, entries) + table + bytes(60)


def test_ifds_that_overlap_are_refused():
    with pytest.raises(ValueError, match="share their bytes"):
        list(parse_tiff(overlapping_ifds()).ifds())


def test_a_damaged_ifd_stays_damaged():
    data = tiff_header("<", 8) + struct.pack("<H", 1) + entry(258, 3, 1000, 8) + bytes(4)
    structure = parse_tiff(data)
    for _ in range(2):
        with pytest.raises(ValueError, match="TIFF"):
            structure.first_ifd()

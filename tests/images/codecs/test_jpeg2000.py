"""JPEG 2000's boxes are read up to the first damaged one, and never without end."""

import io
import struct

import numpy as np
import pytest
from image_helpers import read

from srgan_cli.images.codecs.jpeg2000 import MAX_BOXES, jpeg2000_depth, read_boxes
from srgan_cli.images.formats import Encoding
from srgan_cli.images.write import encode


def box(name: bytes, content: bytes, size: int | None = None) -> bytes:
    return struct.pack(">I4s", len(content) + 8 if size is None else size, name) + content


def contents(data: bytes) -> list[tuple[bytes, bytes]]:
    file = io.BytesIO(data)
    return [(name, file.read(size)) for name, size in read_boxes(file)]


def test_boxes_may_be_long_or_extend_to_the_end() -> None:
    long = struct.pack(">I4sQ", 1, b"long", 16 + 3) + b"abc"
    assert contents(box(b"once", b"12") + long + box(b"last", b"rest", size=0)) == [
        (b"once", b"12"),
        (b"long", b"abc"),
        (b"last", b"rest"),
    ]


@pytest.mark.parametrize("damaged", [box(b"tiny", b"", size=7), b"\0\0\0\1long", b"cut"])
def test_boxes_end_at_the_first_damaged_one(damaged: bytes) -> None:
    assert contents(box(b"once", b"12") + damaged) == [(b"once", b"12")]


def test_a_box_that_is_cut_off_has_what_is_there() -> None:
    assert contents(box(b"uuid", b"123", size=100)) == [(b"uuid", b"123")]


def test_empty_boxes_are_not_read_without_end() -> None:
    assert len(contents(box(b"free", b"") * (MAX_BOXES + 5))) == MAX_BOXES


@pytest.mark.parametrize(("dtype", "depth"), [(np.uint8, 8), (np.uint16, 16)])
def test_the_depth_is_that_of_the_codestream(make, dtype: type, depth: int) -> None:
    assert jpeg2000_depth(encode(make(dtype=dtype), Encoding("jpeg2000"))) == depth
    assert jpeg2000_depth(b"nothing of the kind") == 8


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_comment_is_kept_at_either_depth(make, dtype: type) -> None:
    image = make(dtype=dtype, text={"Comment": "füür"})
    back = read(encode(image, Encoding("jpeg2000")))
    assert back.text == {"Comment": "füür"}
    assert np.array_equal(back.pixels, image.pixels)

"""TIFF files of every layout, read whole and by parts."""

import zlib

import numpy as np
import pytest
from image_helpers import gradient, read, saved

from srgan_cli.errors import ImageError
from srgan_cli.images.codecs import tiff_read
from srgan_cli.images.read import open_lazy, read_bytes, read_header
from srgan_cli.images.tiff_tags import TagValue, build_ifd, tiff_header


class Tiff:
    """A TIFF file by hand, in layouts that Pillow cannot write."""

    def __init__(self, samples: np.ndarray, order: str, big: bool, tile: int, planes: bool) -> None:
        self.order, self.big, self.tile = order, big, tile
        self.body, self.starts, self.lengths = b"", [], []
        self.parts = np.split(samples, samples.shape[2], axis=2) if planes else [samples]
        self.samples, self.planes = samples, planes

    def pieces(self, part: np.ndarray):
        if not self.tile:
            yield from (piece for piece in (part[:8], part[8:]) if len(piece))
            return
        side = self.tile
        padded = np.pad(part, [(0, -part.shape[0] % side), (0, -part.shape[1] % side), (0, 0)])
        for top in range(0, len(padded), side):
            for left in range(0, padded.shape[1], side):
                yield padded[top : top + side, left : left + side]

    def tags(self, extra: dict[int, list[int]]) -> dict[int, TagValue]:
        height, width, channels = self.samples.shape
        numbers = {
            256: [width],
            257: [height],
            258: [self.samples.itemsize * 8] * channels,
            259: [8],
            262: [2 if channels > 2 else 1],
            277: [channels],
            284: [2 if self.planes else 1],
            317: [2],
            **({338: [2]} if channels in (2, 4) else {}),
            **({322: [self.tile], 323: [self.tile]} if self.tile else {278: [8]}),
            (324 if self.tile else 273): self.starts,
            (325 if self.tile else 279): self.lengths,
            **extra,
        }
        code = f"{self.order}u4"
        return {tag: TagValue(4, np.array(v, code).tobytes()) for tag, v in numbers.items() if v}

    def file(self, **extra: list[int]) -> bytes:
        head = 16 if self.big else 8
        for part in self.parts:
            for piece in self.pieces(part):
                steps = piece.copy()
                steps[:, 1:] -= piece[:, :-1]
                ordered = steps.astype(steps.dtype.newbyteorder(self.order))
                data = zlib.compress(ordered.tobytes())
                self.starts.append(head + len(self.body))
                self.lengths.append(len(data))
                self.body += data + b"\0" * (len(data) % 2)
        at = head + len(self.body)
        tags = self.tags({int(tag[1:]): value for tag, value in extra.items()})
        return (
            tiff_header(self.order, at, self.big)
            + self.body
            + build_ifd(tags, self.order, at, self.big)
        )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("tile", [0, 16])
@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True), (">", True)])
def test_every_layout_of_tiff_is_read(dtype, channels, planes, tile, order, big):
    top = np.iinfo(dtype).max
    samples = np.random.default_rng(2).integers(0, top, (15, 37, channels), dtype, endpoint=True)
    data = Tiff(samples, order, big, tile, planes).file()
    assert np.array_equal(read(data).array, samples)


def test_white_may_be_zero_in_tiff():
    samples = np.arange(12, dtype=np.uint16).reshape(3, 4, 1)
    image = read(Tiff(samples, "<", False, 0, False).file(_262=[0]))
    assert np.array_equal(image.pixels, 65535 - samples)


def test_premultiplied_alpha_is_divided_out():
    samples = np.array([[[100, 50, 0, 128], [0, 0, 0, 0]]], np.uint8)
    image = read(Tiff(samples, "<", False, 0, False).file(_338=[1]))
    assert image.pixels.tolist() == [[[199, 100, 0], [0, 0, 0]]]
    assert image.alpha.tolist() == [[128, 0]]


@pytest.mark.parametrize("format", ["tiff_lzw", "packbits", "jpeg", "tiff_adobe_deflate"])
def test_compressions_of_tiff_are_read(format):
    image = read(saved(gradient("RGB"), "TIFF", compression=format))
    assert np.abs(image.pixels.astype(int) - np.asarray(gradient("RGB"))).max() <= 4


LAYOUTS = {
    "one strip": {},
    "strips": {"rowsperstrip": 7, "compression": "zlib", "predictor": True},
    "tiles": {"tile": (16, 32), "compression": "zlib", "predictor": True},
    "plain tiles": {"tile": (32, 16)},
    "planes": {"planarconfig": "separate", "rowsperstrip": 5},
    "other order": {"byteorder": ">", "rowsperstrip": 9},
    "BigTIFF": {"bigtiff": True},
}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_parts_of_a_tiff_are_what_the_whole_has_there(tmp_path, dtype, layout):
    tifffile = pytest.importorskip("tifffile")
    path, layout = tmp_path / "a.tif", dict(layout)
    samples = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (70, 50, 3)).astype(dtype)
    with tifffile.TiffWriter(
        path, bigtiff=layout.pop("bigtiff", False), byteorder=layout.pop("byteorder", "<")
    ) as file:
        planes = layout.get("planarconfig") == "separate"
        file.write(np.moveaxis(samples, 2, 0) if planes else samples, photometric="rgb", **layout)
    source = open_lazy(path, large=0)
    assert source is not None
    for top, bottom in ((0, 70), (0, 1), (69, 70), (13, 40), (16, 32)):
        np.testing.assert_array_equal(source.rows(top, bottom), samples[top:bottom])


@pytest.mark.parametrize("side", [322, 323])
def test_tiles_without_width_or_height_are_refused(side):
    tiles = Tiff(np.zeros((16, 16, 1), np.uint8), "<", False, 16, False)
    data = tiles.file(**{f"_{side}": [0]})
    with pytest.raises(ImageError, match="damaged: tiles without width or height"):
        read(data)


def test_what_tiles_hold_beyond_the_image_counts_as_its_pixels():
    data = Tiff(np.full((16, 4096, 1), 9, np.uint8), "<", False, 2048, False).file()
    assert read(data).pixels.shape == (16, 4096, 1)
    with pytest.raises(ImageError, match="8,388,608 pixels, more than 5,000,000"):
        read_bytes(data, "x", max_pixels=5_000_000)


@pytest.mark.parametrize(("photometric", "depth"), [(2, 16), (5, 8)], ids=["RGB", "CMYK"])
def test_a_header_and_a_note_tell_where_16_bits_are_cut(tmp_path, photometric, depth):
    samples = np.full((9, 5, 4), 40_000, np.uint16)
    extra = {"_338": []} if photometric == 5 else {}
    data = Tiff(samples, "<", False, 0, False).file(_262=[photometric], **extra)
    (tmp_path / "a.tif").write_bytes(data)
    image = read(data)
    assert read_header(tmp_path / "a.tif").depth == image.depth == depth
    assert len(image.notes) == (depth == 8)
    assert all("16 bits per sample are read as 8" in note for note in image.notes)


def test_files_of_too_many_pages_are_refused(monkeypatch):
    page = gradient()
    data = saved(page, "TIFF", save_all=True, append_images=[page] * 3)
    assert len(read_bytes(data, "x").images) == 4
    monkeypatch.setattr(tiff_read, "MAX_PAGES", 3)
    with pytest.raises(ImageError, match="more than 3 pages"):
        read_bytes(data, "x")

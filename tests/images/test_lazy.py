"""Pictures that are read from their files by parts."""

import numpy as np
import pytest

from srgan_cli.errors import ImageError
from srgan_cli.images.codecs import tiff_read
from srgan_cli.images.formats import Encoding
from srgan_cli.images.read import LARGE, open_lazy, read_image
from srgan_cli.images.write import write_image

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
    picture = open_lazy(path, large=0)
    assert picture is not None
    for top, bottom in ((0, 70), (0, 1), (69, 70), (13, 40), (16, 32)):
        np.testing.assert_array_equal(picture.rows(top, bottom), samples[top:bottom])


def test_all_but_the_samples_is_as_when_it_is_read_whole(make, profile, exif, tmp_path):
    image = make(channels=1, dtype=np.uint16, icc_profile=profile, exif=exif(), dpi=(72.0, 72.0))
    write_image(image, tmp_path / "a.tif")
    whole, part = read_image(tmp_path / "a.tif"), open_lazy(tmp_path / "a.tif", large=0)
    assert part is not None
    assert part.image.pixels.shape == whole.pixels.shape
    assert part.image.pixels.dtype == whole.pixels.dtype
    for name in ("icc_profile", "exif", "xmp", "dpi", "text", "alpha"):
        assert getattr(part.image, name) == getattr(whole, name), name
    np.testing.assert_array_equal(part.rows(0, whole.height), whole.pixels)


def test_what_is_small_or_hidden_or_another_format_is_read_whole(make, tmp_path):
    write_image(make(), tmp_path / "a.tif")
    write_image(make(channels=4), tmp_path / "b.tif")
    write_image(make(), tmp_path / "c.png")
    assert make().pixels.nbytes < LARGE
    assert open_lazy(tmp_path / "a.tif") is None
    assert open_lazy(tmp_path / "b.tif", large=0) is None
    assert open_lazy(tmp_path / "c.png", large=0) is None


def test_a_file_that_is_cut_off_names_itself(make, tmp_path):
    path = tmp_path / "a.tif"
    write_image(make(), path, Encoding(compression=0))
    picture = open_lazy(path, large=0)
    assert picture is not None
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ImageError, match=r"a\.tif: "):
        picture.rows(20, 33)


@pytest.mark.parametrize("at_once", [True, False], ids=["before", "while"])
def test_a_file_that_changes_between_its_rows_is_an_error(make, tmp_path, monkeypatch, at_once):
    path = tmp_path / "a.tif"
    write_image(make(), path, Encoding(compression=0))
    picture = open_lazy(path, large=0)
    assert picture is not None
    picture.rows(0, 10)

    def change() -> None:
        other = bytearray(path.read_bytes())
        other[-1] ^= 1
        path.write_bytes(other + b"longer")

    def read_and_change(*arguments):
        pixels = read_rows(*arguments)
        change()
        return pixels

    read_rows = tiff_read.read_rows
    if at_once:
        change()
    else:
        monkeypatch.setattr(tiff_read, "read_rows", read_and_change)
    with pytest.raises(ImageError, match=r"a\.tif: has changed"):
        picture.rows(10, 20)

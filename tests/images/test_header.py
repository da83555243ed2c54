"""Small hostile files are read, or refused in one line, within bounds of memory and CPU time."""

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from srgan_cli.errors import ImageError
from srgan_cli.images.formats import Encoding
from srgan_cli.images.image import Image
from srgan_cli.images.read import open_lazy, read_bytes, read_image
from srgan_cli.images.write import encode, write_image

resource = pytest.importorskip("resource")

LONG, SHORT, ASCII, BYTE = 4, 3, 2, 1
READ_AND_WRITE = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from srgan_cli.errors import ImageError
from srgan_cli.images.formats import Encoding
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_frames
from srgan_cli.images.write import encode
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
try:
    picture = read_frames(Path(sys.argv[1]))
    for name in ("tiff", "jpeg"):
        if not hasattr(picture, "images"):
            encode(picture, Encoding(name))
except ImageError as error:
    sys.exit(f"ImageError: {error}")
"""


def entry(tag: int, kind: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, kind, count, value)


def directory(*entries: bytes) -> bytes:
    return struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)


def tiff(extra: tuple[bytes, ...] = (), starts: int = LONG, before: bytes = b"") -> bytes:
    """8x8 gray. starts: the type of StripOffsets. before: lies at 8."""
    strip = 8 + len(before)
    sizes = [entry(256, LONG, 1, 8), entry(257, LONG, 1, 8), entry(258, SHORT, 1, 8)]
    layout = [entry(259, SHORT, 1, 1), entry(262, SHORT, 1, 1), entry(273, starts, 1, strip)]
    rest = [entry(277, SHORT, 1, 1), entry(278, LONG, 1, 8), entry(279, LONG, 1, 64)]
    head = b"II*\0" + struct.pack("<I", strip + 64) + before + bytes(64)
    return head + directory(*sizes, *layout, *rest, *extra)


def graph(start: int, depth: int) -> bytes:
    """Directories whose three pointers all lead to the next one, the last to itself."""
    size = 2 + 3 * 12 + 4
    places = [start + min(i + 1, depth - 1) * size for i in range(depth)]
    return b"".join(
        directory(*(entry(tag, LONG, 1, at) for tag in (34665, 34853, 40965))) for at in places
    )


def tiff_graph() -> bytes:
    at = len(tiff((entry(34665, LONG, 1, 0),)))
    return tiff((entry(34665, LONG, 1, at),)) + graph(at, 20)


def exif_graph() -> bytes:
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + graph(8, 20)


def sharing() -> tuple[bytes, ...]:
    """4,000 tags of the same MiB, which lies at 8."""
    return tuple(entry(50000 + i, BYTE, 1 << 20, 8) for i in range(4000))


def shared_tags() -> bytes:
    return b"II*\0" + struct.pack("<I", 8 + (1 << 20)) + bytes(1 << 20) + directory(*sharing())


def huge_tile(side: int = 32768) -> bytes:
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(side)) for _ in range(side)) + packer.flush()
    tags = {256: 8, 257: 8, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 8}
    tags[325] = len(data)
    table = directory(*(entry(tag, LONG, 1, value) for tag, value in tags.items()))
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + table


def saved(format: str, **settings: object) -> bytes:
    file = io.BytesIO()
    Pillow.new("RGB", (8, 8)).save(file, format, **settings)
    return file.getvalue()


def jpeg_header() -> bytes:
    data = bytearray(saved("JPEG"))
    at = data.find(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 14_000, 14_000)
    return bytes(data)


def gif_header() -> bytes:
    frame = b"," + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\x02\x02\x44\x01\0;"
    return b"GIF89a" + struct.pack("<HH", 14_000, 14_000) + b"\x80\0\0" + bytes(6) + frame


def palette_pages() -> bytes:
    file = io.BytesIO()
    pages = [Pillow.new("P", (4, 4)) for _ in range(1000)]
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    return file.getvalue()


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "exif-graph.tif": (tiff_graph, ""),
    "exif-graph.jpg": (lambda: saved("JPEG", exif=exif_graph()), ""),
    "exif-graph.png": (lambda: saved("PNG", exif=exif_graph()), ""),
    "exif-graph.webp": (lambda: saved("WEBP", exif=exif_graph()), ""),
    "shared-tags.tif": (lambda: tiff(sharing(), before=bytes(1 << 20)), "share"),
    "shared-tags.png": (lambda: saved("PNG", exif=shared_tags()), ""),
    "shared-tags.webp": (lambda: saved("WEBP", exif=shared_tags()), ""),
    "offsets-of-ascii.tif": (lambda: tiff(starts=ASCII), "damaged"),
    "offsets-of-floats.tif": (lambda: tiff(starts=11), "damaged"),
    "numeric-xmp.tif": (lambda: tiff((entry(700, LONG, 1, 7),)), ""),
    "numeric-icc.tif": (lambda: tiff((entry(34675, LONG, 1, 7),)), ""),
    "tile.tif": (huge_tile, "larger than the picture"),
    "header.jpg": (jpeg_header, "damaged"),
    "header.gif": (gif_header, "damaged"),
    "pages.tif": (palette_pages, ""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_read_or_refused_within_bounds(tmp_path: Path, name: str) -> None:
    make, refusal = HOSTILE[name]
    (tmp_path / name).write_bytes(make())
    command = [sys.executable, "-c", READ_AND_WRITE, str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stderr.strip().splitlines()
    assert done.returncode == (1 if refusal else 0), said
    assert not refusal or (len(said) == 1 and name in said[0] and refusal in said[0])


def test_tags_of_another_type_are_no_metadata() -> None:
    data = tiff((entry(700, LONG, 1, 7), entry(34675, LONG, 1, 7)))
    image = read_bytes(data, "x")
    assert (image.xmp, image.icc_profile) == (None, None)


def test_a_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("/dev/zero")
    with pytest.raises(ImageError, match=r"a\.png: .*regular file"):
        read_image(tmp_path / "a.png")


def test_a_file_that_changes_while_it_is_read_by_parts_is_refused(make, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_image(make(), path)
    picture = open_lazy(path, large=0)
    assert picture is not None
    assert np.array_equal(picture.rows(0, 5), make().pixels[:5])
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(ImageError, match=r"a\.tif: has changed"):
        picture.rows(5, 9)


@pytest.mark.parametrize(
    ("make_file", "damaged"),
    [
        (tiff_graph, True),
        (lambda: saved("JPEG", exif=exif_graph()), True),
        (lambda: saved("PNG", exif=exif_graph()), True),
        (lambda: saved("WEBP", exif=exif_graph()), True),
        (lambda: saved("JPEG"), False),
        (tiff, False),
        (lambda: tiff((entry(34665, LONG, 1, 1 << 30),)), True),
    ],
)
def test_exif_that_is_ignored_is_one_remark(make_file: Callable[[], bytes], damaged: bool) -> None:
    notes = read_bytes(make_file(), "x").notes
    assert len(notes) == damaged
    assert all("EXIF" in remark for remark in notes)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "JPEG2000"])
@pytest.mark.parametrize("size", [150, 300])
def test_a_profile_that_is_cut_counts_as_none(profile: bytes, format: str, size: int) -> None:
    settings = {} if format == "JPEG2000" else {"icc_profile": profile[:size]}
    data = saved(format, **settings)
    if format == "JPEG2000":
        data = encode(
            replace(read_bytes(data, "x"), icc_profile=profile[:size]), Encoding("jpeg2000")
        )
    image = read_bytes(data, "x")
    assert image.icc_profile is None
    assert len(image.notes) == 1
    assert "ICC profile" in image.notes[0]


def test_cmyk_with_a_profile_of_rgb_is_one_remark(profile: bytes) -> None:
    file = io.BytesIO()
    Pillow.new("CMYK", (8, 8)).save(file, "JPEG", icc_profile=profile)
    (remark,) = read_bytes(file.getvalue(), "x").notes
    assert "ICC profile" in remark


def test_gray_keeps_a_profile_of_rgb(make, profile: bytes) -> None:
    image = read_bytes(encode(make(channels=1, icc_profile=profile), Encoding("jpeg")), "x")
    assert (image.icc_profile, image.notes) == (profile, ())


def test_an_avif_that_claims_too_much_for_its_bytes_is_refused() -> None:
    data = saved("AVIF")
    at = data.index(b"ispe") + 8
    data = data[:at] + struct.pack(">II", 14_000, 14_000) + data[at + 8 :]
    with pytest.raises(ImageError, match="damaged: 196,000,000 pixels"):
        read_bytes(data, "a.avif")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("WEBP", {"lossless": True, "method": 0}),
        ("WEBP", {"quality": 1, "method": 0}),
        ("AVIF", {"quality": 1, "speed": 10}),
        ("JPEG2000", {}),
        ("JPEG", {"quality": 1}),
        ("GIF", {}),
    ],
)
def test_blank_images_are_small_and_readable(kind: str, options: dict[str, object]) -> None:
    blank = io.BytesIO()
    Pillow.new("RGB", (3000, 3000), (9, 9, 9)).save(blank, kind, **options)
    picture = read_bytes(blank.getvalue(), f"a.{kind.lower()}")
    assert isinstance(picture, Image)
    assert (picture.height, picture.width) == (3000, 3000)

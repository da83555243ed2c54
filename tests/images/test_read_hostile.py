"""Small hostile files are read, or refused in one line, within bounds of memory and CPU time."""

import io
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_files import EMPTY, HOSTILE, LONG, entry, exif_graph, tiff, tiff_graph
from image_helpers import saved
from PIL import Image as Pillow

from srgan_cli.errors import ImageError
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_bytes

resource = pytest.importorskip("resource")


READ_AND_WRITE = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from srgan_cli.errors import ImageError
from srgan_cli.images.formats import Encoding
from srgan_cli.images.read import read_frames
from srgan_cli.images.write import encode
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
try:
    image = read_frames(Path(sys.argv[1]))
    for name in ("tiff", "jpeg"):
        if not hasattr(image, "images"):
            encode(image, Encoding(name))
except ImageError as error:
    sys.exit(f"ImageError: {error}")
"""


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


@pytest.mark.parametrize(
    ("make_file", "damaged"),
    [
        (tiff_graph, True),
        (lambda: saved(EMPTY, "JPEG", exif=exif_graph()), True),
        (lambda: saved(EMPTY, "PNG", exif=exif_graph()), True),
        (lambda: saved(EMPTY, "WEBP", exif=exif_graph()), True),
        (lambda: saved(EMPTY, "JPEG"), False),
        (tiff, False),
        (lambda: tiff((entry(34665, LONG, 1, 1 << 30),)), True),
    ],
)
def test_exif_that_is_ignored_is_one_note(make_file: Callable[[], bytes], damaged: bool) -> None:
    notes = read_bytes(make_file(), "x").notes
    assert len(notes) == damaged
    assert all("EXIF" in note for note in notes)


def test_an_avif_that_claims_too_much_for_its_bytes_is_refused() -> None:
    data = saved(EMPTY, "AVIF")
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
    image = read_bytes(blank.getvalue(), f"a.{kind.lower()}")
    assert isinstance(image, Image)
    assert (image.height, image.width) == (3000, 3000)

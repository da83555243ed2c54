"""Broken files end in one clear line, and the host program's settings stay."""

import io
import os
import random
import struct
import subprocess
import sys
import threading
import warnings
import zlib

import cv2
import numpy as np
import pytest
from image_helpers import chunk
from PIL import Image as Pillow
from PIL import ImageFile

from srgan_cli.errors import ImageError, SrganError
from srgan_cli.images.codec_errors import read_errors
from srgan_cli.images.formats import FORMAT_NAMES, Encoding
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.read import read_bytes, read_frames, read_header, read_image
from srgan_cli.images.write import encode, write_image

DEEP = ("png", "tiff", "jpeg2000", "pnm")


def one_line(error: pytest.ExceptionInfo[ImageError], name: str) -> bool:
    return str(error.value).startswith(f"{name}: ") and str(error.value).isprintable()


@pytest.mark.parametrize(
    ("name", "says"),
    [("missing.png", "no such file"), (".", "is a folder"), ("text.jpg", "not an image")],
)
def test_what_is_no_image_is_said(tmp_path, name, says):
    (tmp_path / "text.jpg").write_text("This is a text, whatever its name is.\n" * 50)
    for reader in (read_image, read_frames, read_header):
        with pytest.raises(ImageError, match=says) as error:
            reader(tmp_path / name)
        assert one_line(error, str(tmp_path / name))


def outcome(data: bytes) -> Image | ImageSequence | ImageError:
    try:
        return read_bytes(data, "broken.tga", max_pixels=10**6)
    except ImageError as error:
        return error


@pytest.mark.parametrize("name", FORMAT_NAMES)
@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_cut_off_file_is_an_image_error_or_a_image(make, name, share):
    data = encode(make(40, 50), Encoding(name))
    read = outcome(data[: int(len(data) * share)])
    if isinstance(read, Image):
        assert (read.height, read.width) == (40, 50)
    else:
        assert str(read).startswith("broken.tga: ")


@pytest.mark.parametrize(
    ("name", "dtype"), [*((n, np.uint8) for n in FORMAT_NAMES), *((n, np.uint16) for n in DEEP)]
)
def test_mutated_files_raise_nothing_but_image_errors(make, name, dtype):
    chance = random.Random(name)
    sound = encode(make(40, 50, 3, dtype), Encoding(name))
    for _ in range(25):
        data = bytearray(sound)
        for _ in range(chance.choice((1, 3, 20))):
            place = chance.choice((64, len(data)))
            data[chance.randrange(min(place, len(data)))] = chance.randrange(256)
        read = outcome(bytes(data))
        assert not isinstance(read, ImageError) or str(read).isprintable()


def huge_png(depth: int) -> bytes:
    size = struct.pack(">IIBBBBB", 40_000, 40_000, depth, 2, 0, 0, 0)
    body = chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("depth", [8, 16])
def test_a_bomb_is_refused_by_its_size(depth):
    with pytest.raises(ImageError, match=r"more than 200,000,000; raise"):
        read_bytes(huge_png(depth), "bomb.png")


def test_the_limit_is_the_callers(make, tmp_path):
    write_image(make(20, 30), tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", max_pixels=600)
    with pytest.raises(ImageError, match=r"more than 599; .*max-pixels"):
        read_image(tmp_path / "a.png", max_pixels=599)


def test_more_pixels_than_deflate_can_hold_are_damage():
    with pytest.raises(ImageError, match="damaged: 1,600,000,000 pixels"):
        read_bytes(huge_png(8), "bomb.png", max_pixels=2 * 10**9)


def test_limits_and_logs_of_the_host_program_stay(make, tmp_path, monkeypatch):
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 50)
    monkeypatch.setattr(ImageFile, "MAXBLOCK", 1 << 16)
    level = cv2.utils.logging.getLogLevel()
    write_image(make(20, 30), tmp_path / "a.jpg")
    assert read_image(tmp_path / "a.jpg", max_pixels=600)
    with pytest.raises(ImageError):
        read_image(tmp_path / "a.jpg", max_pixels=5)
    assert (Pillow.MAX_IMAGE_PIXELS, ImageFile.MAXBLOCK) == (50, 1 << 16)
    assert cv2.utils.logging.getLogLevel() == level


def test_threads_share_the_largest_limit(make, tmp_path, monkeypatch):
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 50)
    with read_errors("a", 600):
        with read_errors("b", 70):
            assert Pillow.MAX_IMAGE_PIXELS == 600
        assert Pillow.MAX_IMAGE_PIXELS == 600
    assert Pillow.MAX_IMAGE_PIXELS == 50


def test_an_import_changes_no_settings():
    code = "import cv2, os; before = dict(os.environ); import srgan_cli.images.read;"
    code += "import PIL.Image as p; assert dict(os.environ) == before;"
    code += "assert p.MAX_IMAGE_PIXELS == 89478485"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_image_inside_an_icon_is_limited_too():
    inside = huge_png(8)
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inside), 22)
    with pytest.raises(ImageError):
        read_bytes(b"\0\0\1\0\1\0" + entry + inside, "bomb.ico", max_pixels=10**9)


@pytest.mark.parametrize(
    "opening", [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"%PDF-1.7\n", b"\xd7\xcd\xc6\x9a"]
)
def test_formats_that_run_an_interpreter_are_not_opened(opening):
    with pytest.raises(ImageError, match="not an image of a kind"):
        read_bytes(opening + bytes(500), "a.eps")


def test_warnings_of_threads_do_not_leak(make):
    data = encode(make(), Encoding("png"))
    filters = list(warnings.filters)
    threads = [threading.Thread(target=read_bytes, args=(data, "x")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == filters


def test_a_name_of_more_than_one_line_is_shown_in_one(tmp_path):
    with pytest.raises(ImageError) as error:
        read_image(tmp_path / "new\nline.png")
    assert str(error.value).isprintable()


def test_image_errors_are_shown_without_a_traceback():
    assert issubclass(ImageError, SrganError)


def test_what_pillow_itself_warns_of_is_silent():
    file = io.BytesIO()
    Pillow.new("P", (9, 9)).save(file, "PNG", transparency=b"\0\1\2")
    assert read_bytes(file.getvalue(), "x").alpha is not None


def test_a_host_programs_stderr_stays_as_it_is() -> None:
    before = os.fstat(2)
    with read_errors("x.png"):
        assert os.path.samestat(os.fstat(2), before)

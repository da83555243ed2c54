"""Broken files, odd names and unwilling disks end in one clear line, and leave nothing behind."""

import io
import os
import random
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageFile

from srgan_cli.errors import ImageError, SrganError
from srgan_cli.images.codec_errors import reading
from srgan_cli.images.formats import FORMAT_NAMES, Encoding
from srgan_cli.images.header import read_header
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.read import read_bytes, read_frames, read_image
from srgan_cli.images.write import encode, write_image

DEEP = ("png", "tiff", "jpeg2000", "pnm")


def one_line(error: pytest.ExceptionInfo[ImageError], name: str) -> bool:
    return str(error.value).startswith(f"{name}: ") and str(error.value).isprintable()


@pytest.mark.parametrize(
    ("name", "says"),
    [("missing.png", "no such file"), (".", "is a folder"), ("text.jpg", "not a picture")],
)
def test_what_is_no_picture_is_said(tmp_path, name, says):
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
def test_a_cut_off_file_is_an_image_error_or_a_picture(make, name, share):
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


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


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
    with reading("a", 600):
        with reading("b", 70):
            assert Pillow.MAX_IMAGE_PIXELS == 600
        assert Pillow.MAX_IMAGE_PIXELS == 600
    assert Pillow.MAX_IMAGE_PIXELS == 50


def test_an_import_changes_no_settings():
    code = "import cv2, os; before = dict(os.environ); import srgan_cli.images.read;"
    code += "import PIL.Image as p; assert dict(os.environ) == before;"
    code += "assert p.MAX_IMAGE_PIXELS == 89478485"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_picture_inside_an_icon_is_limited_too():
    inside = huge_png(8)
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inside), 22)
    with pytest.raises(ImageError):
        read_bytes(b"\0\0\1\0\1\0" + entry + inside, "bomb.ico", max_pixels=10**9)


@pytest.mark.parametrize(
    "opening", [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"%PDF-1.7\n", b"\xd7\xcd\xc6\x9a"]
)
def test_formats_that_run_an_interpreter_are_not_opened(opening):
    with pytest.raises(ImageError, match="not a picture of a kind"):
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


NAMES_OF_FILES = ["a b.png", "quote'\".png", "new\nline.png", "emoji 🙂.png", "ü" * 120 + ".png"]


@pytest.mark.parametrize("name", NAMES_OF_FILES)
def test_any_name_is_written_and_read(make, tmp_path, name):
    write_image(make(), tmp_path / name)
    assert read_image(tmp_path / name).width == 47
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208


def test_a_name_of_more_than_one_line_is_shown_in_one(tmp_path):
    with pytest.raises(ImageError) as error:
        read_image(tmp_path / "new\nline.png")
    assert str(error.value).isprintable()


def test_a_missing_folder_is_named(make, tmp_path):
    with pytest.raises(ImageError, match=r"there is no folder .*nowhere; make it first"):
        write_image(make(), tmp_path / "nowhere" / "a.png")


def test_a_folder_or_a_device_is_no_target(make, tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(ImageError, match="is a folder; name a file"):
        write_image(make(), tmp_path / "a.png")
    with pytest.raises(ImageError, match="not a regular file"):
        write_image(make(), Path("/dev/null"), Encoding("png"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_without_rights_is_said(make, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ImageError, match=r"cannot be written .Permission denied"):
        write_image(make(), tmp_path / "a.png")
    tmp_path.chmod(0o700)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_write_protected_file_is_not_replaced(make, tmp_path):
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    target.chmod(0o400)
    with pytest.raises(ImageError, match="is write-protected; name another file"):
        write_image(make(), target)
    assert target.read_bytes() == b"old"


def test_a_link_is_written_through(make, tmp_path):
    (tmp_path / "folder").mkdir()
    real, link = tmp_path / "folder" / "real.png", tmp_path / "link.png"
    real.write_bytes(b"old")
    link.symlink_to(real)
    write_image(make(), link)
    assert link.is_symlink()
    assert read_image(real).width == 47


def test_a_refused_picture_leaves_the_old_file(make, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    with pytest.raises(ImageError, match="no alpha"):
        write_image(make(channels=4), path)
    assert path.read_bytes() == b"old"


def test_exif_too_long_for_jpeg_says_what_to_do(make, exif, tmp_path):
    image = make(exif=exif() + bytes(70_000))
    with pytest.raises(ImageError, match=r"a.jpg: .*--strip"):
        write_image(image, tmp_path / "a.jpg")
    write_image(image, tmp_path / "a.jpg", Encoding(strip=True))


def test_standard_output_needs_a_format(make):
    with pytest.raises(ImageError, match="needs --format"):
        encode(make(), Encoding())


@pytest.mark.parametrize(
    ("pixels", "alpha"),
    [
        (np.zeros((2, 2), np.uint8), None),
        (np.zeros((2, 2, 4), np.uint8), None),
        (np.zeros((0, 2, 3), np.uint8), None),
        (np.zeros((2, 2, 3), np.float32), None),
        (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint16)),
        (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3), np.uint8)),
    ],
)
def test_an_image_checks_its_arrays(pixels, alpha):
    with pytest.raises(ValueError, match=r"pixels are|alpha is"):
        Image(pixels, alpha)


def test_gray_is_equal_channels():
    gray = np.repeat(np.arange(12, dtype=np.uint8).reshape(3, 4, 1), 3, axis=2)
    assert Image(gray).gray
    assert not Image(gray + np.array([0, 0, 1], np.uint8)).gray


def test_a_sequence_checks_its_durations(make):
    with pytest.raises(ValueError, match="a duration for each"):
        ImageSequence((make(),), (1, 2))


def test_every_error_of_the_room_is_shown_without_a_traceback():
    assert issubclass(ImageError, SrganError)


def test_what_pillow_itself_warns_of_is_silent():
    file = io.BytesIO()
    Pillow.new("P", (9, 9)).save(file, "PNG", transparency=b"\0\1\2")
    assert read_bytes(file.getvalue(), "x").alpha is not None


def test_a_host_programs_stderr_stays_as_it_is() -> None:
    before = os.fstat(2)
    with reading("x.png"):
        assert os.path.samestat(os.fstat(2), before)

"""Headers tell what is read; animations and pages keep their looks; large files come by parts."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from image_helpers import chunk, fits, gradient
from PIL import Image as Pillow

from srgan_cli.errors import ImageError
from srgan_cli.images.codecs import tiff_read
from srgan_cli.images.codecs.jpeg2000 import add_jpeg2000_metadata
from srgan_cli.images.formats import FORMAT_BY_SUFFIX, Encoding
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.read import LARGE, open_lazy, read_bytes, read_frames, read_header, read_image
from srgan_cli.images.write import encode, write_image

TIMES = (40, 120, 1000)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", sorted(FORMAT_BY_SUFFIX))
def test_a_header_tells_what_reading_finds(make, tmp_path, suffix, channels, dtype):
    path = tmp_path / f"a{suffix}"
    if not fits(FORMAT_BY_SUFFIX[suffix], 33, 47, channels, dtype):
        pytest.skip("the format holds no such image")
    write_image(make(33, 47, channels, dtype), path)
    found, image = read_header(path), read_image(path)
    assert (found.format, found.width, found.height) == (FORMAT_BY_SUFFIX[suffix], 47, 33)
    assert (found.depth, found.alpha) == (image.depth, image.alpha is not None)
    assert (found.frames, found.animated) == (1, False)


MODES = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB"}
SAVED = ("png", "tif", "gif", "webp", "bmp", "jpg", "jp2", "tga", "ico", "ppm")


@pytest.mark.parametrize("mode", sorted(MODES))
def test_a_header_tells_what_reading_finds_in_files_of_pillow(tmp_path, mode):
    source = gradient("RGB")
    source = source.convert("RGBA" if mode == "RGBa" else "LA" if mode in ("La", "PA") else mode)
    for suffix in SAVED:
        path = tmp_path / f"a.{suffix}"
        try:
            source.convert(mode).save(path)
        except (OSError, ValueError):  # not in this format
            continue
        found, image = read_header(path), read_image(path)
        shape = (image.height, image.width, image.depth, image.alpha is not None)
        assert (found.height, found.width, found.depth, found.alpha) == shape, suffix


ROTATED = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0x112, 3, 1, 6) + bytes(4)
PNG_TEXT = f"\nexif\n{len(ROTATED):8d}\n{ROTATED.hex()}\n".encode()


@pytest.mark.parametrize("kind", ["jpeg2000", "late", "text"])
def test_a_header_knows_the_orientation_wherever_it_is(make, tmp_path, kind):
    path = tmp_path / "a"
    if kind == "jpeg2000":
        data = encode(make(), Encoding(kind))
        path.write_bytes(add_jpeg2000_metadata(data, make(exif=ROTATED)))
    else:
        data = encode(make(), Encoding("png"))
        place = data.index(b"IDAT" if kind == "text" else b"IEND") - 4
        text = chunk(b"tEXt", b"Raw profile type exif\0" + PNG_TEXT)
        own = text if kind == "text" else chunk(b"eXIf", ROTATED)
        path.write_bytes(data[:place] + own + data[place:])
    found, image = read_header(path), read_image(path)
    assert (found.height, found.width) == (image.height, image.width) == (47, 33)


def moving(channels: int = 3, frames: int = 3) -> tuple[Image, ...]:
    """A square that wanders over a plain ground, transparent if there is alpha."""
    images = []
    for i in range(frames):
        samples = np.full((20, 30, channels), 0 if channels == 4 else 200, np.uint8)
        samples[4:9, 5 * i + 2 : 5 * i + 8] = [250, 10, 60, 255][:channels]
        pixels, alpha = samples[..., :3], samples[..., 3] if channels == 4 else None
        images.append(Image(np.ascontiguousarray(pixels), alpha))
    return tuple(images)


def seen(image: Image) -> np.ndarray:
    """As over black."""
    shown = image.pixels.astype(float)
    return shown if image.alpha is None else shown * (image.alpha[..., None] / 255)


@pytest.mark.parametrize("name", ["gif", "png", "webp"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("loop", [0, 1, 5])
def test_an_animation_looks_and_lasts_the_same(name, channels, loop):
    sequence = ImageSequence(moving(channels), TIMES, loop)
    back = read_bytes(encode(sequence, Encoding(name, lossless=name == "webp")), "x")
    assert isinstance(back, ImageSequence)
    assert (back.durations, back.loop) == (TIMES, loop)
    for before, after in zip(sequence.images, back.images, strict=True):
        assert np.array_equal(seen(before), seen(after))


def test_animated_avif_is_read_and_written():
    back = read_bytes(encode(ImageSequence(moving(), TIMES, 0), Encoding("avif")), "x")
    assert (len(back.images), back.durations) == (3, TIMES)


def test_equal_frames_of_gif_last_as_long_together():
    frame, other = moving()[:2]
    data = encode(ImageSequence((frame, frame, other), TIMES, 0), Encoding("gif"))
    assert sum(read_bytes(data, "x").durations) == sum(TIMES)


def test_frames_that_only_change_a_part_are_composited():
    file = io.BytesIO()
    sources = [Pillow.fromarray(image.pixels) for image in moving()]
    sources[0].save(file, "GIF", save_all=True, append_images=sources[1:], duration=50)
    back = read_bytes(file.getvalue(), "x")
    assert {image.pixels.shape for image in back.images} == {(20, 30, 3)}
    for before, after in zip(moving(), back.images, strict=True):
        assert np.array_equal(before.pixels, after.pixels)


def test_the_image_for_old_programs_is_no_frame_of_an_apng():
    file = io.BytesIO()
    sources = [Pillow.fromarray(image.pixels) for image in moving()]
    old = Pillow.new("RGB", (30, 20))
    old.save(file, "PNG", save_all=True, default_image=True, append_images=sources, duration=50)
    back = read_bytes(file.getvalue(), "x")
    assert len(back.images) == 3
    assert np.array_equal(back.images[0].pixels, moving()[0].pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pages_may_differ_in_size_and_color(make, dtype):
    pages = (make(9, 8, 3, dtype), make(20, 30, 1, dtype), make(5, 6, 4, dtype))
    back = read_bytes(encode(ImageSequence(pages), Encoding("tiff")), "x")
    assert (back.durations, back.loop) == ((), None)
    for before, after in zip(pages, back.images, strict=True):
        assert np.array_equal(before.array, after.array)


def test_a_page_of_8_bits_may_follow_one_of_16(make):
    pages = (make(9, 8, 3, np.uint16), make(9, 8, 3))
    back = read_bytes(encode(ImageSequence(pages), Encoding("tiff")), "x")
    assert [page.depth for page in back.images] == [16, 8]


def test_pages_of_another_program_are_read(tmp_path):
    sources = [Pillow.fromarray(image.pixels) for image in moving()]
    path = tmp_path / "a.tif"
    sources[0].save(path, save_all=True, append_images=sources[1:], compression="jpeg")
    assert len(read_frames(path).images) == 3
    assert read_header(path).frames == 3


def test_reading_one_image_gives_the_first(tmp_path):
    for name in ("a.gif", "a.png"):
        write_image(ImageSequence(moving(), TIMES, 0), tmp_path / name)
        assert np.array_equal(read_image(tmp_path / name).pixels, moving()[0].pixels)
        found = read_header(tmp_path / name)
        assert (found.frames, found.animated) == (3, True)


def test_a_still_image_is_no_sequence(make, tmp_path):
    for name in ("a.gif", "a.webp", "a.tif"):
        write_image(make(), tmp_path / name)
        assert isinstance(read_frames(tmp_path / name), Image)


def test_an_animation_does_not_become_a_still_image(tmp_path):
    with pytest.raises(ImageError, match="no animation"):
        write_image(ImageSequence(moving(), TIMES, 0), tmp_path / "a.jpg")


def test_the_limit_counts_all_frames(tmp_path):
    path = tmp_path / "a.gif"
    write_image(ImageSequence(moving(), TIMES, 0), path)
    assert read_image(path, max_pixels=600)
    with pytest.raises(ImageError, match=r"in 3 frames are more than 1,799; raise"):
        read_frames(path, max_pixels=1799)


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
    source = open_lazy(path, large=0)
    assert source is not None
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ImageError, match=r"a\.tif: "):
        source.rows(20, 33)


def test_a_file_that_changes_while_it_is_read_by_parts_is_refused(make, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_image(make(), path)
    source = open_lazy(path, large=0)
    assert source is not None
    assert np.array_equal(source.rows(0, 5), make().pixels[:5])
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(ImageError, match=r"a\.tif: has changed"):
        source.rows(5, 9)


def test_a_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("/dev/zero")
    with pytest.raises(ImageError, match=r"a\.png: .*regular file"):
        read_image(tmp_path / "a.png")


def test_equal_frames_of_apng_stay_frames():
    frame = moving()[0]
    back = read_bytes(encode(ImageSequence((frame,) * 3, TIMES, 0), Encoding("png")), "x")
    assert back.durations == TIMES


@pytest.mark.parametrize("at_once", [True, False], ids=["before", "while"])
def test_a_file_that_changes_between_its_rows_is_an_error(make, tmp_path, monkeypatch, at_once):
    path = tmp_path / "a.tif"
    write_image(make(), path, Encoding(compression=0))
    lazy = open_lazy(path, large=0)
    assert lazy is not None
    lazy.rows(0, 10)

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
        lazy.rows(10, 20)

"""Files are written whole or not at all, and what is written is read again."""

import os
import struct
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_helpers import IPTC, XMP, fits, full, tags

from srgan_cli.errors import ImageError
from srgan_cli.images.formats import CAPABILITIES, FORMAT_NAMES, METADATA, Encoding
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.read import read_bytes, read_image
from srgan_cli.images.write import encode, list_losses, write_animation, write_image

LOSSY = {
    "jpeg": 2,
    "webp": 3,
    "avif": 3,
    "gif": 8,
    "heif": 3,
    "jxl": 3,
}  # levels of a gradient, on average


TO_RGB = ("webp", "avif", "gif")  # they have no gray
FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@FEW
@given(
    name=st.sampled_from(FORMAT_NAMES),
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    channels=st.integers(1, 4),
    dtype=st.sampled_from([np.uint8, np.uint16]),
)
def test_what_is_written_is_read_again(make, name, height, width, channels, dtype):
    image = make(height, width, channels, dtype)
    if not fits(name, height, width, channels, dtype):
        with pytest.raises(ImageError, match="or --format"):
            encode(image, Encoding(name))
        return
    back = read_bytes(encode(image, Encoding(name)), "-.tga")
    assert back.pixels.dtype == dtype
    assert back.pixels.shape[:2] == (height, width)
    assert (back.alpha is not None) == (image.alpha is not None)
    to_rgb = [("heif", 2, np.uint8), ("jpeg2000", 2, np.uint16)]
    if name not in TO_RGB and (name, channels, dtype) not in to_rgb:
        assert back.pixels.shape == image.pixels.shape
    if name == "gif" and image.alpha is not None:
        assert np.array_equal(back.alpha, np.where(image.alpha < 128, 0, 255))
        return
    difference = back.pixels.astype(int) - image.pixels
    if name not in LOSSY:
        assert not difference.any()
    elif min(height, width) >= 8:  # where neighbors differ little
        assert np.abs(difference).mean() <= LOSSY[name]
        assert np.abs(difference.mean(axis=(0, 1))).max() <= 2


@pytest.mark.parametrize("name", ["png", "tiff"])
@pytest.mark.parametrize("compression", [None, 0, 1, 6, 9])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_compression_changes_the_size_only(make, name, compression, dtype):
    image = make(200, 300, 4, dtype)
    data = encode(image, Encoding(name, compression=compression))
    assert np.array_equal(read_bytes(data, "x").array, image.array)
    assert (len(data) > image.array.nbytes) == (compression == 0)


def test_reading_and_writing_twice_changes_nothing(make, profile, exif, tmp_path):
    first, second = tmp_path / "1.png", tmp_path / "2.png"
    write_image(full(make, profile, exif), first)
    write_image(read_image(first), second)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", CAPABILITIES)
def test_what_is_said_to_be_kept_is_kept_and_the_rest_is_said(make, profile, exif, name):
    image = replace(full(make, profile, exif), iptc=IPTC)
    image = replace(image, text={**image.text, "Author": "me"})
    back = read_bytes(encode(image, Encoding(name)), "x.tga")
    kept = (back.exif, back.xmp, back.iptc, back.text.get("Comment"), back.text.get("Author"))
    lost = {word for word, data in zip(METADATA, kept, strict=True) if not data}
    said = " ".join(list_losses(image, name))
    assert {word for word in METADATA if word in said} == lost


def test_pages_of_both_byte_orders_share_a_file(make, exif):
    images = tuple(make(exif=exif(order=order)) for order in "<>")
    back = read_bytes(encode(ImageSequence(images), Encoding("tiff")), "x")
    assert [tags(page.exif)[0xA003] for page in back.images] == [33, 33]


NAMES_OF_FILES = ["a b.png", "quote'\".png", "new\nline.png", "emoji 🙂.png", "ü" * 120 + ".png"]


@pytest.mark.parametrize("name", NAMES_OF_FILES)
def test_any_name_is_written_and_read(make, tmp_path, name):
    write_image(make(), tmp_path / name)
    assert read_image(tmp_path / name).width == 47
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208


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


def test_a_refused_image_leaves_the_old_file(make, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    with pytest.raises(ImageError, match="no alpha"):
        write_image(make(channels=4), path)
    assert path.read_bytes() == b"old"


LONG = b"\x1c" + bytes(70_000)


@pytest.mark.parametrize(
    ("format", "name", "block"),
    [
        ("jpeg", "EXIF", {"exif": bytes(70_000)}),
        ("jpeg", "XMP", {"xmp": XMP + LONG}),
        ("jpeg", "IPTC", {"iptc": LONG}),
        ("jpeg", "the comment", {"text": {"Comment": 40_000 * "ü"}}),
        ("jpeg2000", "the comment", {"text": {"Comment": 40_000 * "ü"}}),
    ],
)
def test_metadata_too_long_for_the_format_is_left_out_and_said(make, exif, format, name, block):
    block = {**block, "exif": exif() + block["exif"]} if "exif" in block else block
    image = make(xmp=XMP) if name == "IPTC" else make(iptc=IPTC)
    back = read_bytes(encode(replace(image, **block), Encoding(format)), "-")
    assert (back.exif, back.text) == (None, {})
    assert (back.xmp is None, back.iptc is None) == (name != "IPTC", name == "IPTC")
    (said,) = list_losses(replace(image, **block), format)
    assert f"{name} of more than " in said


@pytest.mark.parametrize("format", ["jpeg", "jpeg2000"])
def test_metadata_of_the_greatest_length_is_kept(make, format):
    limits = CAPABILITIES[format].metadata_limits
    text = {"Comment": "c" * limits["the comment"]}
    image = make(text=text)
    if format == "jpeg":
        exif = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0x112, 3, 1, 1) + bytes(4)
        image = replace(
            image,
            exif=exif.ljust(limits["EXIF"], b"\0"),
            xmp=XMP.replace(b'"6"', b'"1"').ljust(limits["XMP"]),
            iptc=IPTC.ljust(limits["IPTC"], b"\x1c"),
        )
    back = read_bytes(encode(image, Encoding(format)), "-")
    assert list_losses(image, format) == ()
    assert [*back.text.values()] == [*text.values()]
    assert (back.exif, back.xmp, back.iptc) == (image.exif, image.xmp, image.iptc)


def test_standard_output_needs_a_format(make):
    with pytest.raises(ImageError, match="needs --format"):
        encode(make(), Encoding())


ANIMATED = ("png", "gif", "webp", "avif")


def animation(channels: int, frames: int = 5) -> ImageSequence:
    """Moving squares over gray; the last two frames are equal."""
    samples = np.full((frames, 24, 32, channels), 90, np.uint8)
    for number in range(frames):
        at = 4 * min(number, frames - 2)
        samples[number, at : at + 6, at : at + 8] = np.arange(channels) * 60 + 70
    durations = tuple(range(40, 40 + 10 * frames, 10))
    return ImageSequence(tuple(map(Image.from_samples, samples)), durations, 3)


def without_samples(sequence: ImageSequence) -> ImageSequence:
    images = tuple(image.with_size(image.height, image.width) for image in sequence.images)
    return replace(sequence, images=images)


@pytest.mark.parametrize("name", ANIMATED)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_animation_written_frame_by_frame_is_the_same(
    name: str, channels: int, tmp_path: Path
) -> None:
    sequence, path = animation(channels), tmp_path / f"a.{name}"
    write_animation(path, without_samples(sequence), iter(sequence.images), Encoding())
    whole = encode(sequence, Encoding(name))
    streamed, expected = read_bytes(path.read_bytes(), "a"), read_bytes(whole, "a")
    assert isinstance(streamed, ImageSequence)
    assert isinstance(expected, ImageSequence)
    assert (streamed.durations, streamed.loop) == (expected.durations, expected.loop)
    for a, b in zip(streamed.images, expected.images, strict=True):
        assert np.array_equal(*np.broadcast_arrays(a.pixels, b.pixels))
        assert (a.alpha is None) == (b.alpha is None) == (channels < 4)
        assert a.alpha is None or np.array_equal(a.alpha, b.alpha)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("name", ANIMATED)
def test_few_frames_are_in_memory_at_a_time(name: str, tmp_path: Path) -> None:
    sequence = animation(3, frames=40)
    alive = []

    def frames() -> Iterator[Image]:
        taken: list[weakref.ref[np.ndarray]] = []
        for image in sequence.images:
            pixels = image.pixels.copy()
            taken.append(weakref.ref(pixels))
            yield Image(pixels)
            del pixels
            alive.append(sum(one() is not None for one in taken))

    write_animation(tmp_path / f"a.{name}", without_samples(sequence), frames(), Encoding())
    assert len(alive) >= 39
    assert max(alive) <= 2


@pytest.mark.parametrize("name", ANIMATED)
def test_an_animation_that_fails_half_way_leaves_nothing(name: str, tmp_path: Path) -> None:
    sequence = animation(3)

    def frames() -> Iterator[Image]:
        yield from sequence.images[:2]
        raise RuntimeError("of a network")

    with pytest.raises(RuntimeError, match="of a network"):
        write_animation(tmp_path / f"a.{name}", without_samples(sequence), frames(), Encoding())
    assert not list(tmp_path.iterdir())

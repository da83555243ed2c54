"""Every format holds what it promises, and refuses the rest before any work."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from srgan_cli.errors import ImageError, OptionError
from srgan_cli.images.formats import (
    CAPABILITIES,
    FORMAT_BY_SUFFIX,
    FORMAT_NAMES,
    Encoding,
    check_target,
    format_note,
    format_of,
)
from srgan_cli.images.header import read_header
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_bytes, read_image
from srgan_cli.images.write import encode, write_image

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


def fits(name, height, width, channels, dtype) -> bool:
    try:
        check_target(
            Path("x"),
            Encoding(name),
            height=height,
            width=width,
            depth=np.dtype(dtype).itemsize * 8,
            alpha=channels in (2, 4),
        )
    except ImageError:
        return False
    return True


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
        with pytest.raises(ImageError, match="give --format"):
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
    elif min(height, width) >= 8:  # where neighbours differ little
        assert np.abs(difference).mean() <= LOSSY[name]
        assert np.abs(difference.mean(axis=(0, 1))).max() <= 2


@pytest.mark.parametrize("name", ["webp", "png", "tiff", "jpeg2000", "tga"])
def test_lossless_returns_the_very_samples(name):
    noise = np.random.default_rng(1).integers(0, 256, (40, 50, 4), dtype=np.uint8)
    image = Image(noise[..., :3], noise[..., 3])
    back = read_bytes(encode(image, Encoding(name, lossless=True)), "-.tga")
    assert np.array_equal(back.array, noise)


@pytest.mark.parametrize("name", ["png", "tiff"])
@pytest.mark.parametrize("compression", [None, 0, 1, 6, 9])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_compression_changes_the_size_only(make, name, compression, dtype):
    image = make(200, 300, 4, dtype)
    data = encode(image, Encoding(name, compression=compression))
    assert np.array_equal(read_bytes(data, "x").array, image.array)
    assert (len(data) > image.array.nbytes) == (compression == 0)


def test_bands_of_a_large_png_join(make):
    image = make(700, 801, 3, np.uint16)
    assert np.array_equal(read_bytes(encode(image, Encoding("png")), "x").pixels, image.pixels)


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "jpeg2000"])
def test_quality_decides_the_size(name):
    noise = Image(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    sizes = [len(encode(noise, Encoding(name, quality=quality))) for quality in (20, 60, 95)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2] / 1.5


def test_jpeg_keeps_the_chroma_of_every_pixel(make, tmp_path):
    write_image(make(), tmp_path / "a.jpg")
    with Pillow.open(tmp_path / "a.jpg") as opened:
        assert {component[1:3] for component in opened.layer} == {(1, 1)}


def test_a_large_noisy_jpeg_does_not_fail():
    noise = np.random.default_rng(1).integers(0, 256, (900, 900, 3), dtype=np.uint8)
    assert read_bytes(encode(Image(noise), Encoding("jpeg", quality=100)), "x").height == 900


@pytest.mark.parametrize(
    ("name", "asked", "says"),
    [
        ("a.jpg", {"alpha": True}, "JPEG holds no alpha; .*png"),
        ("a.jpg", {"depth": 16}, "no 16 bits a sample; .*png, tiff"),
        ("a.jpg", {"width": 65_501}, "no side of 65,501 pixels; .*png"),
        ("a.webp", {"height": 16_384}, "no side of 16,384 pixels"),
        ("a.ico", {"height": 257}, "no side of 257"),
        ("a.gif", {"depth": 16}, "GIF holds no 16 bits"),
        ("a.jp2", {"depth": 16, "height": 31}, "no side of 31 pixels at 16 bits"),
        ("a.jpg", {"frames": 3, "animated": True}, "no animation; .*png, webp, gif"),
        ("a.png", {"frames": 3}, "no pages; .*tiff"),
        ("a.tif", {"frames": 3, "animated": True}, "no animation"),
    ],
)
def test_what_a_format_cannot_hold_is_said_before_the_work(name, asked, says):
    plain = {"height": 100, "width": 100, "depth": 8, "alpha": False}
    with pytest.raises(ImageError, match=says):
        check_target(Path(name), Encoding(), **{**plain, **asked})


def test_lossless_jpeg_is_refused():
    with pytest.raises(ImageError, match="nothing lossless"):
        check_target(
            Path("a.jpg"), Encoding(lossless=True), height=1, width=1, depth=8, alpha=False
        )


def test_an_unknown_suffix_lists_the_known_ones():
    with pytest.raises(ImageError, match=r"\.jpg .*\.png"):
        format_of(Path("a.xyz"), Encoding())


@pytest.mark.parametrize(
    "wrong", [{"format": "xyz"}, {"quality": 0}, {"quality": 101}, {"compression": 10}]
)
def test_an_encoding_checks_its_values(wrong):
    with pytest.raises(OptionError):
        Encoding(**wrong)


def test_every_format_has_abilities_and_only_gif_a_loss():
    assert set(FORMAT_BY_SUFFIX.values()) == set(CAPABILITIES) == set(FORMAT_NAMES)
    assert [name for name in FORMAT_NAMES if format_note(name)] == ["gif"]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", sorted(FORMAT_BY_SUFFIX))
def test_probe_knows_without_decoding_what_reading_finds(make, tmp_path, suffix, channels, dtype):
    path = tmp_path / f"a{suffix}"
    if not fits(FORMAT_BY_SUFFIX[suffix], 33, 47, channels, dtype):
        pytest.skip("the format holds no such picture")
    write_image(make(33, 47, channels, dtype), path)
    found, image = read_header(path), read_image(path)
    assert (found.format, found.width, found.height) == (FORMAT_BY_SUFFIX[suffix], 47, 33)
    assert (found.depth, found.alpha) == (image.depth, image.alpha is not None)
    assert found.gray == (image.pixels.shape[2] == 1)
    assert (found.frames, found.animated) == (1, False)

"""What each format can hold."""

from pathlib import Path

import pytest

from srgan_cli.errors import ImageError, OptionError
from srgan_cli.images.formats import (
    CAPABILITIES,
    FORMAT_BY_SUFFIX,
    FORMAT_NAMES,
    Encoding,
    ImageProperties,
    check_target,
    format_note,
    format_of,
)


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
        check_target(Path(name), Encoding(), ImageProperties(**{**plain, **asked}))


def test_lossless_jpeg_is_refused():
    needs = ImageProperties(1, 1, depth=8, alpha=False)
    with pytest.raises(ImageError, match="nothing lossless"):
        check_target(Path("a.jpg"), Encoding(lossless=True), needs)


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

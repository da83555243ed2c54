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
        ("a.jpg", {"alpha": True}, "JPEG has no alpha channel; .*--format: .*png"),
        ("a.jpg", {"depth": 16}, "JPEG is limited to 8 bits per sample; .*png, tiff"),
        ("a.jpg", {"width": 65_501}, "JPEG is limited to 65,500 pixels per side; .*png"),
        ("a.webp", {"height": 16_384}, "limited to 16,383 pixels per side"),
        ("a.ico", {"height": 257}, "limited to 256 pixels per side"),
        ("a.gif", {"depth": 16}, "GIF is limited to 8 bits"),
        ("a.jp2", {"depth": 16, "height": 31}, "needs 32 pixels per side at 16 bits"),
        ("a.jpg", {"frames": 3, "animated": True}, "no animations; .*png, webp, gif"),
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
    with pytest.raises(ImageError, match="no lossless mode"):
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

"""`srgan upscale SOURCE -o FILE`: what a name, a link or a folder in the way makes of it."""

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from helpers import ODD_NAMES, upscale

from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.images.write import write_image


@pytest.fixture(autouse=True)
def source(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_image(Image(np.zeros((3, 4, 3), np.uint8)), Path("in.png"))
    return Path("in.png")


def check_refused(result: Result, code: int, message: str) -> None:
    assert result.exit_code == code
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert message in line


@pytest.mark.parametrize(
    "name",
    [
        *ODD_NAMES,
        "\N{GRINNING FACE}" * 61 + "xx.png",  # 250 bytes
    ],
)
def test_a_name_of_any_kind_for_both(source, name):
    Path("from").mkdir()
    os.replace(source, Path("from") / name)  # noqa: PTH105
    result = upscale(Path("from") / name, "-o", name)
    assert result.exit_code == 0, result.output
    assert result.stderr.count("\n") == 1
    assert read_image(Path(name)).width == 16
    assert sorted(path.name for path in Path().iterdir()) == sorted(["from", name])


def test_links_are_followed_on_both_sides(source):
    Path("link.png").symlink_to(source)
    Path("out.png").symlink_to("not there yet.png")
    assert upscale("link.png", "-o", "out.png").exit_code == 0
    assert Path("out.png").is_symlink()
    assert read_image(Path("not there yet.png")).width == 16


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_an_output_that_is_the_input_by_another_name_is_refused(source, link):
    link(source, "same.png")
    before = source.read_bytes()
    check_refused(upscale(source, "-o", "same.png"), 2, "is an input")
    assert source.read_bytes() == before


def test_a_name_that_is_too_long_is_an_error_line(source):
    check_refused(upscale(source, "-o", "x" * 252 + ".png"), 1, "256 bytes, more than 255")


def test_a_source_that_is_gone_is_an_error_line(source):
    Path("out.png").write_bytes(b"old")
    source.unlink()
    check_refused(upscale(source, "-o", "out.png"), 1, "in.png: no such file")
    assert Path("out.png").read_bytes() == b"old"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_without_rights_keeps_its_file(source):
    Path("shut").mkdir()
    Path("shut/out.png").write_bytes(b"old")
    Path("shut").chmod(0o500)
    check_refused(upscale(source, "-o", "shut/out.png"), 1, "cannot be written (Permission denied)")
    assert Path("shut/out.png").read_bytes() == b"old"
    Path("shut").chmod(0o700)

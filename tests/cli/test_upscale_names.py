"""`srgan upscale`: names of all kinds, links, and what is in the way of a result."""

import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from helpers import ODD_NAMES, enlarged, files, noise_file, pixels, upscale
from image_helpers import chunk

from srgan_cli.images.codecs.png import SIGNATURE

pytestmark = pytest.mark.usefixtures("in_tmp_path")


@pytest.mark.parametrize(
    "name",
    [
        *ODD_NAMES,
        "-dash.png",
        "[bracket]*.png",
        "{brace}.png",
        "100%.png",
        "x" * 246 + ".png",
        "UPPER.PNG",
    ],
)
def test_names_of_all_kinds_work(name):
    source = noise_file(Path("in") / name)
    result = upscale("in", "-o", "out")
    assert result.exit_code == 0, result.output
    made = Path("out") / f"{source.stem}_x4{source.suffix}"
    np.testing.assert_array_equal(pixels(made), enlarged(source))
    assert result.stderr.count("\n") == 1
    assert upscale("--dry-run", "-o", "out", "--", str(source)).exit_code == 0


def test_the_size_in_a_name_is_known_of_images_that_max_pixels_permits():
    header = struct.pack(">IIBBBBB", 15_000, 14_000, 8, 0, 0, 0, 0)
    rows = chunk(b"IDAT", bytes(30_000))  # enough for so many pixels, and not decoded
    Path("huge.png").write_bytes(SIGNATURE + chunk(b"IHDR", header) + rows)
    options = ("--width", 100, "--max-pixels", 400_000_000, "--dry-run")
    result = upscale("huge.png", *options, "--name", "{stem}_{width}x{height}")
    assert result.exit_code == 0
    assert "huge_100x93.png" in result.output


def test_a_result_whose_name_would_be_too_long_fails_alone():
    noise_file(Path("in") / ("x" * 251 + ".png"))
    noise_file(Path("in/a.png"))
    result = upscale("in", "-o", "out")
    assert result.exit_code == 1
    assert "--name" in result.stderr
    assert files(Path("out")) == ["a_x4.png"]


def test_outputs_that_are_inputs_through_links_are_refused():
    noise_file(Path("a.png"))
    before = Path("a.png").read_bytes()
    Path("soft.png").symlink_to("a.png")
    os.link("a.png", "hard.png")
    for out in ("a.png", "soft.png", "hard.png", "./a.png"):
        result = upscale("a.png", "-o", out)
        assert result.exit_code == 2
        assert "is an input" in result.stderr
    assert upscale("soft.png", "-o", "a.png").exit_code == 2
    assert Path("a.png").read_bytes() == before


def test_a_target_that_is_a_link_is_followed():
    noise_file(Path("a.png"))
    noise_file(Path("real/old.png"))
    Path("out.png").symlink_to("real/old.png")
    assert upscale("a.png", "-o", "out.png").exit_code == 0
    assert Path("out.png").is_symlink()
    np.testing.assert_array_equal(pixels(Path("real/old.png")), enlarged(Path("a.png")))


def test_two_inputs_for_one_output_touch_nothing():
    noise_file(Path("1/a.png"))
    noise_file(Path("2/a.png"))
    result = upscale("1/a.png", "2/a.png", "-o", "out")
    assert result.exit_code == 2
    assert "would both become" in result.stderr
    assert not Path("out").exists()


def test_a_target_that_is_a_folder_or_lies_in_a_file_fails():
    noise_file(Path("a.png"))
    Path("out/a_x4.png").mkdir(parents=True)
    for out, message in (("out/", "is a folder"), ("a.png/b.png", "a.png")):
        result = upscale("a.png", "-o", out)
        assert result.exit_code == 1
        assert message in result.stderr
        assert result.stderr.startswith("Error: ")


def test_a_file_where_a_folder_is_wanted_is_a_usage_error():
    noise_file(Path("a.png"))
    noise_file(Path("b.png"))
    noise_file(Path("c.png"))
    result = upscale("a.png", "b.png", "-o", "c.png")
    assert result.exit_code == 2
    assert "a folder for the results is wanted" in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_must_not_be_written_to_fails():
    noise_file(Path("a.png"))
    Path("out").mkdir(mode=0o500)
    result = upscale("a.png", "-o", "out")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_the_output_is_replaced_only_by_a_whole_one():
    noise_file(Path("a.png"))
    Path("out.png").write_bytes(b"old")
    Path("broken.png").write_bytes(Path("a.png").read_bytes()[:60])
    assert upscale("broken.png", "-o", "out.png").exit_code == 1
    assert Path("out.png").read_bytes() == b"old"
    assert upscale("a.png", "-o", "out.png").exit_code == 0
    shutil.copy("out.png", "copy.png")
    assert files(Path()) == ["a.png", "broken.png", "copy.png", "out.png"]

"""`srgan upscale` on many images: folders, failures, skipping, shards."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from helpers import enlarged, files, noise_file, pixels, upscale

from srgan_cli.batch.plan import Job
from srgan_cli.batch.run import JobOptions, run_jobs
from srgan_cli.cli.upscale import upscale_command
from srgan_cli.images import formats
from srgan_cli.images.formats import Encoding
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.settings import MAX_PIXELS

pytestmark = pytest.mark.usefixtures("in_tmp_path")


def test_a_folder_gives_a_folder_of_larger_images_with_its_tree():
    for number, name in enumerate(("a.png", "b/c.png", "b/d/e.png")):
        noise_file(Path("in") / name, 5 + number)
    result = upscale("in", "-o", "out", "--recursive")
    assert result.exit_code == 0
    assert "3 images done" in result.stderr
    assert files(Path("out")) == ["a_x4.png", "b/c_x4.png", "b/d/e_x4.png"]
    for name in ("a", "b/c", "b/d/e"):
        wanted = enlarged(Path("in") / f"{name}.png")
        np.testing.assert_array_equal(pixels(Path("out") / f"{name}_x4.png"), wanted)


def test_one_bad_file_is_reported_and_the_rest_goes_on():
    noise_file(Path("a.png"))
    Path("b.png").write_text("no image")
    noise_file(Path("d.png"))
    result = upscale("a.png", "b.png", "c.png", "d.png", "-o", "out")
    assert result.exit_code == 1
    assert files(Path("out")) == ["a_x4.png", "d_x4.png"]
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 2
    assert errors[0].startswith("Error: b.png: ")
    assert errors[1] == "Error: c.png: no such file"
    assert "2 of 4 images failed: b.png, c.png" in result.stderr


def test_an_output_whose_package_is_missing_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    noise_file(Path("a.png"))
    result = upscale("a.png", "-o", "a.heic")
    assert result.exit_code == 1
    assert "pip install pillow-heif" in result.stderr
    assert not Path("a.heic").exists()


def test_keep_time_gives_the_output_the_time_of_its_input():
    noise_file(Path("a.png"))
    os.utime("a.png", ns=(10**18, 10**18 + 10**9))
    assert upscale("a.png", "-o", "kept.png", "--keep-time").exit_code == 0
    assert upscale("a.png", "-o", "new.png").exit_code == 0
    assert Path("kept.png").stat().st_mtime_ns == 10**18 + 10**9
    assert Path("new.png").stat().st_mtime_ns != 10**18 + 10**9


def test_keep_time_is_for_files():
    assert upscale("-", "-o", "a.png", "--keep-time", input=b"").exit_code == 2


def test_skip_existing_leaves_finished_files_alone_and_clears_what_a_kill_left():
    for name in ("a.png", "b.png"):
        noise_file(Path("in") / name)
    Path("out").mkdir()
    Path("out/a_x4.png").write_bytes(b"mine")
    for stale in ("out/.a_x4.png.part", "out/.b_x4.png.part"):
        Path(stale).write_bytes(b"half")
    result = upscale("in", "-o", "out", "--skip-existing")
    assert result.exit_code == 0
    assert "1 image done, 1 skipped" in result.stderr
    assert Path("out/a_x4.png").read_bytes() == b"mine"
    assert files(Path("out")) == ["a_x4.png", "b_x4.png"]


def test_a_folder_can_be_gone_through_again_where_results_lie_beside_their_sources():
    noise_file(Path("in/a.png"))
    assert upscale("in").exit_code == 0
    noise_file(Path("in/b.png"))
    assert upscale("in", "--skip-existing").exit_code == 0
    assert files(Path("in")) == ["a.png", "a_x4.png", "b.png", "b_x4.png"]
    again = upscale("in")
    assert again.exit_code == 2
    assert "--skip-existing" in again.stderr


def test_dry_run_says_what_would_be_and_touches_nothing():
    noise_file(Path("in/a.png"))
    result = upscale("in", "-o", "out", "--dry-run", "--width", 10)
    assert result.stdout == "in/a.png -> out/a_10x8.png\n"
    assert not Path("out").exists()
    rows = upscale("in", "-o", "out", "--dry-run", "--json").stdout
    assert json.loads(rows)["output"] == "out/a_x4.png"


def test_shards_and_torchrun_do_all_once(monkeypatch):
    for number in range(5):
        noise_file(Path(f"in/{number}.png"))
    assert upscale("in", "-o", "out", "--shard", "2/2").exit_code == 0
    assert files(Path("out")) == ["1_x4.png", "3_x4.png"]
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    assert upscale("in", "-o", "out").exit_code == 0
    assert len(files(Path("out"))) == 5


@pytest.mark.parametrize("shard", ["0/2", "3/2", "x", "1/", "1/0", "²/3"])
def test_a_shard_that_makes_no_sense_is_a_usage_error(shard):
    noise_file(Path("a.png"))
    assert upscale("a.png", "--shard", shard).exit_code == 2


def test_a_source_that_vanishes_in_mid_run_fails_alone():
    jobs = [Job(noise_file(Path(f"{n}.png")), Path(f"{n}_x4.png")) for n in range(4)]
    outcomes = []
    for outcome in run_jobs(jobs, JobOptions(UpscalePipeline(), Encoding(), 1000)):
        Path("3.png").unlink(missing_ok=True)
        outcomes.append(outcome)
    assert [outcome.error for outcome in outcomes] == [None, None, None, "3.png: no such file"]


def test_the_limit_of_pixels_is_the_readers():
    option = next(each for each in upscale_command.params if each.name == "max_pixels")
    assert option.default == MAX_PIXELS


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        ("out.png", ["--quality", "90"], 2),
        ("out.jpg", ["--compression", "9"], 2),
        ("out.jpg", ["--quality", "90"], 0),
        ("out.tif", ["--compression", "9"], 0),
    ],
)
def test_an_option_that_the_format_has_no_use_for_is_a_usage_error(name, words, code):
    noise_file(Path("in.png"))
    result = upscale("in.png", "-o", name, *words)
    assert result.exit_code == code, result.output
    assert Path(name).exists() == (code == 0)
    assert code == 0 or f"{words[0]} does not apply" in result.stderr

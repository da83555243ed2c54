"""`srgan upscale` on many images: names, failures, streams, shards."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from helpers import noise_file
from PIL import Image as Pillow

from srgan_cli.batch.plan import Job
from srgan_cli.batch.run import JobOptions, run_jobs
from srgan_cli.cli import main
from srgan_cli.cli.upscale import upscale_command
from srgan_cli.images import formats
from srgan_cli.images.formats import Encoding
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.resample import resize_array
from srgan_cli.settings import MAX_PIXELS


def srgan(*words: object, model: str = "bicubic", **how: object) -> Result:
    result = CliRunner().invoke(main, ["upscale", "-m", model, *map(str, words)], **how)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result


def pixels(path: Path) -> np.ndarray:
    with Pillow.open(path) as opened:
        return np.asarray(opened)


def enlarged(path: Path) -> np.ndarray:
    low = pixels(path)
    return resize_array(low, 4 * low.shape[0], 4 * low.shape[1])


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_gives_a_folder_of_larger_images_with_its_tree():
    for number, name in enumerate(("a.png", "b/c.png", "b/d/e.png")):
        noise_file(Path("in") / name, 5 + number)
    result = srgan("in", "-o", "out", "--recursive")
    assert result.exit_code == 0
    assert "3 images done" in result.stderr
    assert files(Path("out")) == ["a_x4.png", "b/c_x4.png", "b/d/e_x4.png"]
    for name in ("a", "b/c", "b/d/e"):
        wanted = enlarged(Path("in") / f"{name}.png")
        np.testing.assert_array_equal(pixels(Path("out") / f"{name}_x4.png"), wanted)


def test_files_that_would_be_refused_are_named_before_the_work():
    for name in ("a.png", "c.png"):
        noise_file(Path("in") / name)
    Path("in/b.png").write_text("no image")
    result = srgan("in", "-o", "out", "--json")
    lines = result.stderr.splitlines()
    assert "1 of 3 images cannot be upscaled" in lines[0]
    assert lines[1].startswith("Error: in/b.png: ")
    assert lines[2].startswith("in/a.png -> ")
    assert "1 of 3 images failed: in/b.png" in lines[-1]
    assert result.stderr.count("Error: ") == 1
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["status"] for record in records] == ["done", "failed", "done"]
    assert result.exit_code == 1


def test_an_empty_standard_input_says_what_may_have_happened():
    result = srgan("-", "-o", "out.png", input=b"")
    assert result.exit_code == 1
    assert re.search("standard input is empty.*pipe", result.stderr)


def test_one_bad_file_is_reported_and_the_rest_goes_on():
    noise_file(Path("a.png"))
    Path("b.png").write_text("no image")
    noise_file(Path("d.png"))
    result = srgan("a.png", "b.png", "c.png", "d.png", "-o", "out")
    assert result.exit_code == 1
    assert files(Path("out")) == ["a_x4.png", "d_x4.png"]
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 2
    assert errors[0].startswith("Error: b.png: ")
    assert errors[1] == "Error: c.png: no such file"
    assert "2 of 4 images failed: b.png, c.png" in result.stderr


def documented_keys(title: str) -> list[str]:
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    return re.findall(r"^\| `(\w+)`", page.split(f"## {title}\n")[1].split("\n## ")[0], re.M)


def test_a_dry_run_plans_in_json():
    noise_file(Path("a.png"))
    (row,) = map(json.loads, srgan("a.png", "--json", "--dry-run").stdout.splitlines())
    assert (row["status"], row["output"]) == ("planned", "a_x4.png")


def test_json_lines_say_what_became_of_each_image():
    noise_file(Path("a.png"))
    noise_file(Path("old.png"))
    noise_file(Path("out/old_x4.png"))
    result = srgan("a.png", "nix.png", "old.png", "-o", "out", "--json", "--skip-existing", "-q")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(list(row) == documented_keys("srgan upscale --json") for row in rows)
    assert [row["status"] for row in rows] == ["done", "failed", "skipped"]
    assert [row["input"] for row in rows] == ["a.png", "nix.png", "old.png"]
    assert rows[0]["input_size"] == [6, 5]
    assert rows[0]["output_size"] == [24, 20]
    assert rows[0]["output"] == "out/a_x4.png"
    assert (rows[0]["model"], rows[0]["error"]) == ("bicubic", None)
    assert rows[1]["output"] is None
    assert "no such file" in rows[1]["error"]
    assert (rows[2]["output"], rows[2]["output_size"]) == ("out/old_x4.png", None)
    assert result.stderr.splitlines()[0] == "Error: nix.png: no such file"


def test_a_profile_that_cannot_be_used_is_a_note():
    Pillow.new("RGB", (4, 4)).save("a.png", icc_profile=b"no profile")
    noise_file(Path("b.png"))
    result = srgan("a.png", "b.png", "-o", "out", "--json")
    notes = [json.loads(line)["notes"] for line in result.stdout.splitlines()]
    assert [len(each) for each in notes] == [1, 0]
    assert "ICC profile" in notes[0][0]
    assert result.stderr.count("ICC profile") == 1


def test_what_the_format_cannot_hold_is_one_remark_per_run():
    exif = Pillow.Exif()
    exif[271] = "JobUpscaler"
    for name in ("a.jpg", "b.jpg"):
        Pillow.new("CMYK", (4, 4)).save(name, exif=exif)
    noise_file(Path("c.png"))
    result = srgan("a.jpg", "b.jpg", "c.png", "-o", "out", "--format", "bmp", "--json")
    assert result.exit_code == 0
    assert result.stderr.count("EXIF") == 1
    assert result.stderr.count("CMYK") == 1
    assert result.stderr.count("(2 of 3)") == 2
    notes = [" ".join(json.loads(line)["notes"]) for line in result.stdout.splitlines()]
    assert ["EXIF" in note and "CMYK" in note for note in notes] == [True, True, False]


def test_an_output_whose_package_is_missing_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    noise_file(Path("a.png"))
    result = srgan("a.png", "-o", "a.heic")
    assert result.exit_code == 1
    assert "pip install pillow-heif" in result.stderr
    assert not Path("a.heic").exists()


def test_strip_is_no_loss():
    exif = Pillow.Exif()
    exif[271] = "JobUpscaler"
    Pillow.new("RGB", (4, 4)).save("a.jpg", exif=exif)
    assert "EXIF" in srgan("a.jpg", "-o", "a.bmp").stderr
    assert "EXIF" not in srgan("a.jpg", "-o", "a.bmp", "--strip").stderr


def test_keep_time_gives_the_output_the_time_of_its_input():
    noise_file(Path("a.png"))
    os.utime("a.png", ns=(10**18, 10**18 + 10**9))
    assert srgan("a.png", "-o", "kept.png", "--keep-time").exit_code == 0
    assert srgan("a.png", "-o", "new.png").exit_code == 0
    assert Path("kept.png").stat().st_mtime_ns == 10**18 + 10**9
    assert Path("new.png").stat().st_mtime_ns != 10**18 + 10**9


def test_keep_time_is_for_files():
    assert srgan("-", "-o", "a.png", "--keep-time", input=b"").exit_code == 2


def test_an_image_from_stdin_to_stdout():
    source = noise_file(Path("a.png")).read_bytes()
    result = srgan("-", "-o", "-", "--format", "png", input=source)
    assert result.exit_code == 0
    made = np.asarray(Pillow.open(io.BytesIO(result.stdout_bytes)))
    np.testing.assert_array_equal(made, enlarged(Path("a.png")))


def test_standard_input_is_bounded_by_max_bytes():
    data = noise_file(Path("a.png"), 40).read_bytes()
    assert 1000 < len(data) < 10_000
    refused = srgan("-", "-o", "out.png", "--max-bytes", "0.001MB", input=data)
    assert (refused.exit_code, "more than 1,000 bytes" in refused.stderr) == (1, True)
    assert not Path("out.png").exists()
    assert srgan("-", "-o", "out.png", "--max-bytes", "0.01MB", input=data).exit_code == 0
    assert srgan("-", "-o", "out.png", "--max-bytes", "much", input=data).exit_code == 2


def test_stdin_that_is_no_image_is_an_error_line():
    result = srgan("-", "-o", "out.png", input=b"nothing")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: -: ")


def test_skip_existing_leaves_finished_files_alone_and_clears_what_a_kill_left():
    for name in ("a.png", "b.png"):
        noise_file(Path("in") / name)
    Path("out").mkdir()
    Path("out/a_x4.png").write_bytes(b"mine")
    for stale in ("out/.a_x4.png.part", "out/.b_x4.png.part"):
        Path(stale).write_bytes(b"half")
    result = srgan("in", "-o", "out", "--skip-existing")
    assert result.exit_code == 0
    assert "1 image done, 1 skipped" in result.stderr
    assert Path("out/a_x4.png").read_bytes() == b"mine"
    assert files(Path("out")) == ["a_x4.png", "b_x4.png"]


def test_a_folder_can_be_gone_through_again_where_results_lie_beside_their_sources():
    noise_file(Path("in/a.png"))
    assert srgan("in").exit_code == 0
    noise_file(Path("in/b.png"))
    assert srgan("in", "--skip-existing").exit_code == 0
    assert files(Path("in")) == ["a.png", "a_x4.png", "b.png", "b_x4.png"]
    again = srgan("in")
    assert again.exit_code == 2
    assert "--skip-existing" in again.stderr


def test_dry_run_says_what_would_be_and_touches_nothing():
    noise_file(Path("in/a.png"))
    result = srgan("in", "-o", "out", "--dry-run", "--width", 10)
    assert result.stdout == "in/a.png -> out/a_10x8.png\n"
    assert not Path("out").exists()
    rows = srgan("in", "-o", "out", "--dry-run", "--json").stdout
    assert json.loads(rows)["output"] == "out/a_x4.png"


def test_shards_and_torchrun_do_all_once(monkeypatch):
    for number in range(5):
        noise_file(Path(f"in/{number}.png"))
    assert srgan("in", "-o", "out", "--shard", "2/2").exit_code == 0
    assert files(Path("out")) == ["1_x4.png", "3_x4.png"]
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    assert srgan("in", "-o", "out").exit_code == 0
    assert len(files(Path("out"))) == 5


@pytest.mark.parametrize("shard", ["0/2", "3/2", "x", "1/", "1/0", "²/3"])
def test_a_shard_that_makes_no_sense_is_a_usage_error(shard):
    noise_file(Path("a.png"))
    assert srgan("a.png", "--shard", shard).exit_code == 2


@pytest.mark.parametrize(
    "name",
    [
        "two words.png",
        "quo'te\".png",
        "new\nline.png",
        "\N{SNOWMAN} \N{GRINNING FACE}.png",
        "-dash.png",
        "[bracket]*.png",
        "{brace}.png",
        "100%.png",
        os.fsdecode(b"not-utf8-\xff.png"),
        "x" * 246 + ".png",
        "UPPER.PNG",
    ],
)
def test_names_of_all_kinds_work(name):
    source = noise_file(Path("in") / name)
    result = srgan("in", "-o", "out")
    assert result.exit_code == 0, result.output
    made = Path("out") / f"{source.stem}_x4{source.suffix}"
    np.testing.assert_array_equal(pixels(made), enlarged(source))
    assert result.stderr.count("\n") == 1
    assert srgan("--dry-run", "-o", "out", "--", str(source)).exit_code == 0


def test_a_result_whose_name_would_be_too_long_fails_alone():
    noise_file(Path("in") / ("x" * 251 + ".png"))
    noise_file(Path("in/a.png"))
    result = srgan("in", "-o", "out")
    assert result.exit_code == 1
    assert "--name" in result.stderr
    assert files(Path("out")) == ["a_x4.png"]


def test_outputs_that_are_inputs_through_links_are_refused():
    noise_file(Path("a.png"))
    before = Path("a.png").read_bytes()
    Path("soft.png").symlink_to("a.png")
    os.link("a.png", "hard.png")
    for out in ("a.png", "soft.png", "hard.png", "./a.png"):
        result = srgan("a.png", "-o", out)
        assert result.exit_code == 2
        assert "is an input" in result.stderr
    assert srgan("soft.png", "-o", "a.png").exit_code == 2
    assert Path("a.png").read_bytes() == before


def test_a_target_that_is_a_link_is_followed():
    noise_file(Path("a.png"))
    noise_file(Path("real/old.png"))
    Path("out.png").symlink_to("real/old.png")
    assert srgan("a.png", "-o", "out.png").exit_code == 0
    assert Path("out.png").is_symlink()
    np.testing.assert_array_equal(pixels(Path("real/old.png")), enlarged(Path("a.png")))


def test_two_inputs_for_one_output_touch_nothing():
    noise_file(Path("1/a.png"))
    noise_file(Path("2/a.png"))
    result = srgan("1/a.png", "2/a.png", "-o", "out")
    assert result.exit_code == 2
    assert "would both become" in result.stderr
    assert not Path("out").exists()


def test_a_target_that_is_a_folder_or_lies_in_a_file_fails():
    noise_file(Path("a.png"))
    Path("out/a_x4.png").mkdir(parents=True)
    for out, message in (("out/", "is a folder"), ("a.png/b.png", "a.png")):
        result = srgan("a.png", "-o", out)
        assert result.exit_code == 1
        assert message in result.stderr
        assert result.stderr.startswith("Error: ")


def test_a_file_where_a_folder_is_wanted_is_a_usage_error():
    noise_file(Path("a.png"))
    noise_file(Path("b.png"))
    noise_file(Path("c.png"))
    result = srgan("a.png", "b.png", "-o", "c.png")
    assert result.exit_code == 2
    assert "a folder for the results is wanted" in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_must_not_be_written_to_fails():
    noise_file(Path("a.png"))
    Path("out").mkdir(mode=0o500)
    result = srgan("a.png", "-o", "out")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
def test_a_full_disk_on_stdout_is_an_error_line():
    noise_file(Path("a.png"))
    words = ["upscale", "a.png", "-o", "-", "--format", "png", "-m", "bicubic"]
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "srgan_cli", *words]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        ended = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: standard output cannot be written")
    assert "Traceback" not in ended.stderr


def test_a_source_that_vanishes_in_mid_run_fails_alone():
    jobs = [Job(noise_file(Path(f"{n}.png")), Path(f"{n}_x4.png")) for n in range(4)]
    outcomes = []
    for outcome in run_jobs(jobs, JobOptions(UpscalePipeline(), Encoding(), 1000)):
        Path("3.png").unlink(missing_ok=True)
        outcomes.append(outcome)
    assert [outcome.error for outcome in outcomes] == [None, None, None, "3.png: no such file"]


def test_the_output_is_replaced_only_by_a_whole_one():
    noise_file(Path("a.png"))
    Path("out.png").write_bytes(b"old")
    Path("broken.png").write_bytes(Path("a.png").read_bytes()[:60])
    assert srgan("broken.png", "-o", "out.png").exit_code == 1
    assert Path("out.png").read_bytes() == b"old"
    assert srgan("a.png", "-o", "out.png").exit_code == 0
    shutil.copy("out.png", "copy.png")
    assert files(Path()) == ["a.png", "broken.png", "copy.png", "out.png"]


def test_the_limit_of_pixels_is_the_readers():
    option = next(each for each in upscale_command.params if each.name == "max_pixels")
    assert option.default == MAX_PIXELS


def test_files_that_are_no_images_are_counted_by_kind(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.heic", "b.HEIC", "c.pdf", "d.cr2", ".hidden.txt"):
        (folder / name).touch()
    noise_file(folder / "e.png")
    words = ["upscale", str(folder), "-o", str(tmp_path / "out"), "-m", "bicubic"]
    for more in ([], ["--dry-run"]):
        result = CliRunner().invoke(main, [*words, *more])
        assert result.exit_code == 0, result.output
        assert "skipped 4 other files: 2 HEIC (pip install pillow-heif), 1 PDF" in result.stderr
        assert "1 CR2 (pip install rawpy)" in result.stderr
    assert "skipped" not in CliRunner().invoke(main, [*words, "-q"]).stderr
    single = CliRunner().invoke(main, ["upscale", str(folder / "e.png"), *words[2:]])
    assert "other" not in single.stderr


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        ("out.png", ["--quality", "90"], 2),
        ("out.jpg", ["--compression", "9"], 2),
        ("out.jpg", ["--quality", "90"], 0),
        ("out.tif", ["--compression", "9"], 0),
    ],
)
def test_an_option_that_the_format_has_no_use_for_is_a_usage_error(tmp_path, name, words, code):
    noise_file(tmp_path / "in.png")
    out = tmp_path / name
    line = ["upscale", str(tmp_path / "in.png"), "-o", str(out), "-m", "bicubic", *words]
    result = CliRunner().invoke(main, line)
    assert result.exit_code == code, result.output
    assert out.exists() == (code == 0)
    assert code == 0 or f"{words[0]} does not apply" in result.stderr

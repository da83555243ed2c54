"""What is said of the images of a batch: lines, notes, JSON."""

import json
import re
from pathlib import Path

import pytest
from helpers import noise_file, upscale
from PIL import Image as Pillow

from srgan_cli.images import formats

pytestmark = pytest.mark.usefixtures("in_tmp_path")


def documented_keys(title: str) -> list[str]:
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    return re.findall(r"^\| `(\w+)`", page.split(f"## {title}\n")[1].split("\n## ")[0], re.M)


def test_a_dry_run_plans_in_json():
    noise_file(Path("a.png"))
    (row,) = map(json.loads, upscale("a.png", "--json", "--dry-run").stdout.splitlines())
    assert (row["status"], row["output"]) == ("planned", "a_x4.png")


def test_json_lines_say_what_became_of_each_image():
    noise_file(Path("a.png"))
    noise_file(Path("old.png"))
    noise_file(Path("out/old_x4.png"))
    result = upscale("a.png", "nix.png", "old.png", "-o", "out", "--json", "--skip-existing", "-q")
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


def test_files_that_would_be_refused_are_named_before_the_work():
    for name in ("a.png", "c.png"):
        noise_file(Path("in") / name)
    Path("in/b.png").write_text("no image")
    result = upscale("in", "-o", "out", "--json")
    lines = result.stderr.splitlines()
    assert "1 of 3 images cannot be upscaled" in lines[0]
    assert lines[1].startswith("Error: in/b.png: ")
    assert lines[2].startswith("in/a.png -> ")
    assert "1 of 3 images failed: in/b.png" in lines[-1]
    assert result.stderr.count("Error: ") == 1
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["status"] for record in records] == ["done", "failed", "done"]
    assert result.exit_code == 1


def test_a_profile_that_cannot_be_used_is_a_note():
    Pillow.new("RGB", (4, 4)).save("a.png", icc_profile=b"no profile")
    noise_file(Path("b.png"))
    result = upscale("a.png", "b.png", "-o", "out", "--json")
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
    result = upscale("a.jpg", "b.jpg", "c.png", "-o", "out", "--format", "bmp", "--json")
    assert result.exit_code == 0
    assert result.stderr.count("EXIF") == 1
    assert result.stderr.count("CMYK") == 1
    assert result.stderr.count("(2 of 3)") == 2
    notes = [" ".join(json.loads(line)["notes"]) for line in result.stdout.splitlines()]
    assert ["EXIF" in note and "CMYK" in note for note in notes] == [True, True, False]


def test_every_page_is_asked_what_it_loses():
    gray, inks = Pillow.new("L", (4, 4)), Pillow.new("CMYK", (4, 4))
    gray.save("a.tif", save_all=True, append_images=[inks, inks])
    result = upscale("a.tif", "-o", "out.tif")
    assert result.exit_code == 0
    assert result.stderr.count("CMYK") == 1


def test_strip_is_no_loss():
    exif = Pillow.Exif()
    exif[271] = "JobUpscaler"
    Pillow.new("RGB", (4, 4)).save("a.jpg", exif=exif)
    assert "EXIF" in upscale("a.jpg", "-o", "a.bmp").stderr
    assert "EXIF" not in upscale("a.jpg", "-o", "a.bmp", "--strip").stderr


def test_files_that_are_no_images_are_counted_by_kind(monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    Path("in").mkdir()
    for name in ("a.heic", "b.HEIC", "c.pdf", "d.cr2", ".hidden.txt"):
        Path("in", name).touch()
    noise_file(Path("in/e.png"))
    for more in ([], ["--dry-run"]):
        result = upscale("in", "-o", "out", *more)
        assert result.exit_code == 0, result.output
        assert "skipped 4 other files: 2 HEIC (pip install pillow-heif), 1 PDF" in result.stderr
        assert "1 CR2 (pip install rawpy)" in result.stderr
    assert "skipped" not in upscale("in", "-o", "out", "-q").stderr
    assert "other" not in upscale("in/e.png", "-o", "out").stderr

"""The main job, end to end, as a user does it."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers import srgan
from PIL import Image

from srgan_cli import __version__
from srgan_cli.cli import main
from srgan_cli.images.read import read_image


def test_upscale_writes_an_image_four_times_larger(tmp_path, photo_file, tiny_file):
    output = tmp_path / "out.png"
    result = srgan("upscale", photo_file, "-o", output, "--weights", tiny_file)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert result.stderr.startswith(f"{photo_file} -> {output} (256x256 to 1024x1024, ")
    assert read_image(output).pixels.shape == (1024, 1024, 3)


def test_interp_writes_weights_that_upscale_reads(tmp_path, tiny_file, other_file):
    blended, source, output = (tmp_path / name for name in ("ab.safetensors", "in.png", "out.png"))
    Image.new("RGB", (8, 6)).save(source)
    assert srgan("interp", tiny_file, other_file, "-o", blended, "--alpha", 0.5).exit_code == 0
    assert srgan("upscale", source, "-o", output, "-w", blended).exit_code == 0


def test_a_blend_of_two_files_equals_the_blended_file(tmp_path, noise, tiny_file, other_file):
    source = tmp_path / "in.png"
    Image.fromarray(noise.pixels).save(source)
    srgan("interp", tiny_file, other_file, "-o", tmp_path / "ab.safetensors", "--alpha", 0.3)
    srgan("upscale", source, "-o", tmp_path / "1.png", "-w", tmp_path / "ab.safetensors")
    both = ("-w", tiny_file, "-w", other_file)
    srgan("upscale", source, "-o", tmp_path / "2.png", *both, "--blend", 0.3)
    first, second = (read_image(tmp_path / name).pixels for name in ("1.png", "2.png"))
    np.testing.assert_array_equal(first, second)


def test_training_makes_weights_that_upscale_reads(tmp_path, photo_file):
    folder, run = tmp_path / "photos", tmp_path / "run"
    folder.mkdir()
    image = Image.open(photo_file)
    for number in range(2):
        image.rotate(90 * number).save(folder / f"{number}.png")
    size = ("--blocks", 1, "--patch", 64, "--batch-size", 1, "--workers", 0)
    result = srgan("train", folder, "-o", run, "--stages", "psnr", "--steps", 2, *size)
    assert result.exit_code == 0, result.output
    output = tmp_path / "out.png"
    result = srgan("upscale", photo_file, "-o", output, "-w", run / "psnr.safetensors")
    assert result.exit_code == 0, result.output
    assert output.exists()


def test_the_same_image_gives_the_same_bytes(tmp_path, photo_file, tiny_file):
    for name in ("1.png", "2.png"):
        srgan("upscale", photo_file, "-o", tmp_path / name, "-w", tiny_file, "--width", 300)
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing.jpg"], 1, "missing.jpg: no such file"),
        (["text.jpg"], 1, "text.jpg: not an image"),
        (["empty"], 2, "there is no image in empty"),
        (["photo.jpg", "-o", "empty"], 0, ""),
        (["photo.jpg", "-o", "text.jpg/out.png"], 1, "text.jpg/out.png"),
        (["photo.jpg", "-w", "text.jpg"], 1, "text.jpg"),
        (["photo.jpg", "-s", "0"], 2, "0 is not between"),
        (["photo.jpg", "--blend", "0.5", "-m", "bicubic"], 2, "no vivid end"),
        (["photo.jpg", "--blend", "0.5", "-w", "tiny.safetensors"], 2, "needs two ends"),
        (["photo.jpg", "-m", "nix"], 2, "there is no model 'nix'"),
        (["photo.jpg", "-o", "photo.jpg"], 2, "is an input"),
        (["photo.jpg", "-o", "out.xyz"], 2, "does not say its format"),
        (["photo.jpg", "-o", "-", "--json"], 2, "both write to stdout"),
    ],
)
def test_mistakes_get_one_line(
    arguments, code, message, tmp_path, tiny_file, photo_file, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").write_bytes(photo_file.read_bytes())
    Path("text.jpg").write_text("not an image")
    Path("empty").mkdir()
    network = [] if {"-w", "-m"} & set(arguments) else ["-m", "bicubic"]
    result = srgan("upscale", *arguments, *network)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert len(re.findall("^Error: ", result.stderr, re.MULTILINE)) == (code != 0)
    assert "Traceback" not in result.output
    assert photo_file.read_bytes() == Path("photo.jpg").read_bytes()
    assert not list(tmp_path.rglob(".*.part"))


def test_models_lists_what_there_is(tiny_file, monkeypatch):
    monkeypatch.setenv("SRGAN_WEIGHTS", str(tiny_file.parent))
    result = srgan("models", "--json")
    rows = {row["model"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert rows["tiny"]["scale"] == 4
    assert rows["tiny"]["folder"] == "yours"
    assert "bicubic" in rows
    assert "tiny" in srgan("models").stdout


def test_version_and_help():
    assert srgan("--version").output == f"srgan, version {__version__}\n"
    for command in main.commands:
        result = srgan(command, "--help")
        assert result.exit_code == 0
        assert result.output.startswith("Usage:")


@pytest.mark.parametrize("words", [["-h"], ["upscale", "-h"]])
def test_the_short_help_option_as_a_module(words):
    command = [sys.executable, "-m", "srgan_cli", *words]
    assert subprocess.check_output(command, text=True).startswith("Usage: srgan ")


def test_help_needs_no_torch():
    code = "import sys, srgan_cli.cli; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_killed_process_leaves_no_half_file(tmp_path, tiny_file):
    source, output = tmp_path / "in.png", tmp_path / "out.png"
    Image.effect_noise((300, 300), 90).convert("RGB").save(source)
    output.write_bytes(b"old")
    command = [sys.executable, "-m", "srgan_cli", "upscale", source, "-o", output, "-w", tiny_file]
    for delay in (0.5, 1.5, 2.5):
        process = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.kill()
        process.wait()
        assert output.read_bytes() == b"old" or read_image(output).pixels.shape == (1200, 1200, 3)

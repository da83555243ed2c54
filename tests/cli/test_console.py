"""What comes from files and their names is shown as it is: no escape codes, no markup."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from helpers import srgan
from PIL import Image as Pillow

from srgan_cli.cli.console import Output, cell
from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image

ODD = "[bold]\x1b[31m\x07\n"
SHOWN = r"[bold]\x1b[31m\x07\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with images and weights of an odd name."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for name in (f"{ODD}.png", f"{ODD}/a.png", f"{ODD}/b.png", f"{ODD}2/a.png", f"{ODD}2/b.png"):
        Path(name).parent.mkdir(exist_ok=True)
        write_image(Image(pixels), Path(name))
    Path(f"{ODD}/broken.png").write_text("none")
    Path(f"{ODD}2/broken.png").write_text("none")
    return tmp_path


def run(*words: str | Path) -> Result:
    return srgan(*words, color=True)


def assert_is_plain(result: Result) -> None:
    assert SHOWN in result.output
    assert not {"\x1b", "\x07"} & {*result.output}


@pytest.mark.parametrize("form", [(), ("--csv",)])
def test_eval_escapes_names(form):
    result = run("eval", "-m", "bicubic", "-s", "2", f"{ODD}.png", *form)
    assert result.exit_code == 0
    assert_is_plain(result)


def test_eval_and_compare_escape_failures(tmp_path):
    Path(ODD, f"{ODD}.png").write_text("none")
    for command in (("eval", ODD), ("compare", f"{ODD}/{ODD}.png", "--shrink")):
        result = run(*command, "-m", "bicubic", "-s", "2")
        assert result.exit_code == 1
        assert_is_plain(result)


def test_eval_in_json_is_ascii():
    result = run("eval", "-m", "bicubic", "-s", "2", f"{ODD}.png", "--json")
    assert json.loads(result.stdout.splitlines()[0])["picture"] == f"{ODD}.png"
    assert "\x1b" not in result.output


def test_compare_escapes_its_target():
    result = run("compare", f"{ODD}.png", "-m", "bicubic", "-s", "2", "-o", f"{ODD}3.png")
    assert result.exit_code == 0, result.output
    assert_is_plain(result)


def test_interp_and_convert_escape_names(tiny_file, other_file):
    odd = tiny_file.rename(f"{ODD}.safetensors")
    for command in (
        ("interp", odd, other_file, "-o", "out.safetensors"),
        ("convert", odd, "-o", "out2.safetensors"),
        ("info", odd),
    ):
        result = run(*command)
        assert result.exit_code == 0, result.output
        assert_is_plain(result)


def test_rate_escapes_names(tmp_path):
    for name in (ODD, f"{ODD}2"):
        Path(name, "broken.png").unlink()
    result = run("rate", ODD, f"{ODD}2", "-o", f"{ODD}.html")
    assert result.exit_code == 0, result.output
    assert_is_plain(result)


def test_a_dry_run_of_a_training_escapes_names(tmp_path):
    words = ("--stages", "psnr", "--steps", "1", "--scale", "2", "--patch", "16", "--dry-run")
    result = run("train", ODD, "-o", "run", *words)
    assert result.exit_code == 0, result.output
    assert not {"\x1b", "\x07"} & {*result.output}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("words", [("models", "--json"), ("eval", "-m", "bicubic", f"{ODD}.png")])
def test_a_full_stdout_is_one_line_and_exit_code_one(words):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "srgan_cli", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: standard output cannot be written")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("completion", "bash"), ("models", "--json")])
def test_a_listing_that_head_cuts_off_ends_without_a_word(words):
    done = run_into_closed_pipe(*words)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize(
    "words",
    [
        ("check", ODD),
        ("train", ODD, "-o", "run", "--stages", "psnr", "--steps", "1", "--scale", "2",
         "--patch", "16", "--dry-run"),
    ],
)  # fmt: skip
def test_a_report_that_head_cuts_off_is_no_error(words):
    assert b"Error" not in run_into_closed_pipe(*words).stderr


def run_into_closed_pipe(*words: str) -> subprocess.CompletedProcess[bytes]:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "srgan_cli", *words],
        stdout=write,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    os.close(write)
    return done


def test_what_libraries_print_of_damaged_images_is_not_shown(folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (40, 48, 3), np.uint16)
    write_image(Image(pixels), Path("deep.png"))
    data = bytearray(Path("deep.png").read_bytes())
    at = data.rindex(b"IDAT")
    data[at + 30] ^= 255  # libpng: IDAT: CRC error
    Path("deep.png").write_bytes(data)
    Pillow.fromarray(pixels.astype(np.uint8)).save("packed.tif", compression="jpeg")
    data = bytearray(Path("packed.tif").read_bytes())
    data[data.rindex(b"\xff\xda") + 2] = 255  # libjpeg, by libtiff: Bogus marker length
    Path("packed.tif").write_bytes(data)
    tags = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 8, 277: 65535, 278: 8, 279: 64}
    ifd = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    samples = bytes(64) + struct.pack("<H", len(tags)) + ifd + bytes(4)
    Path("samples.tif").write_bytes(b"II*\0" + struct.pack("<I", 72) + samples)  # Pillow logs it
    command = [sys.executable, "-m", "srgan_cli", "upscale"]
    command += ["deep.png", "packed.tif", "samples.tif"]
    command += ["-o", "out", "-m", "bicubic", "--scale", "2", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    heads = [line.split(":")[0] for line in done.stderr.splitlines()]
    assert heads == ["Error", "Error", "Error", "3 of 3 images failed"]


def test_a_table_in_a_pipe_is_neither_wrapped_nor_padded(capsys):
    from rich.table import Table

    table = Table(box=None, show_header=False)
    table.add_row(cell("short"), cell("1"))
    table.add_row(cell("long"), cell("x" * 300))
    Output().table(table)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [" short  1", " long   " + "x" * 300]

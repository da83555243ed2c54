"""What a terminal shows while a command works."""

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from helpers import noise_file, srgan
from rich.console import Console
from terminal import ROOT, srgan_in_terminal

from srgan_cli.cli.console import Output
from srgan_cli.cli.progress_bars import (
    BatchProgress,
    TrainingBar,
    TrainingLog,
    _new_bar,
    clock,
    training_progress,
    truncate,
)
from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image
from srgan_cli.training.callbacks import Progress as TrainingProgress
from srgan_cli.training.validation import Score

BAR = "\N{BOX DRAWINGS HEAVY HORIZONTAL}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def terminal_output() -> Output:
    """Bars believe in a terminal."""
    output = Output()
    output.__dict__["console"] = Console(file=StringIO(), force_terminal=True, width=100)
    return output


def test_a_batch_shows_files_done_tiles_speed_and_time_left(tiny_file: Path) -> None:
    for name in ("a", "b", "c"):
        noise_file(Path("in") / f"{name}.png", 64)
    seen = srgan_in_terminal("upscale", "in", "-w", tiny_file, "-o", "out", "--tile", 16)

    assert seen.exit_code == 0, seen.text
    bars = [line for line in re.split("[\r\n]", seen.text) if BAR in line]
    assert any("2 of 3 b.png" in bar and "/16 tiles" in bar for bar in bars) or bars
    assert max(map(len, bars)) <= 80


def test_results_have_lines_of_their_own_and_no_bar_stays(tiny_file: Path) -> None:
    for name in ("a", "b"):
        noise_file(Path("in") / f"{name}.png", 64)
    seen = srgan_in_terminal("upscale", "in", "-w", tiny_file, "-o", "out", "--tile", 16)

    finals = [line.split("\r")[-1] for line in seen.text.split("\n")]
    results = [line for line in finals if " -> " in line]
    assert len(results) == 2
    assert not any(BAR in line for line in results)
    assert seen.raw.rstrip().endswith("\x1b[?25h") or "2 images done" in finals[-2] + finals[-1]


def test_a_dumb_terminal_gets_plain_lines(tiny_file: Path) -> None:
    noise_file(Path("in.png"))
    seen = srgan_in_terminal("upscale", "in.png", "-w", tiny_file, TERM="dumb")
    assert "\x1b" not in seen.raw
    assert "in.png -> in_x4.png" in seen.text


@pytest.mark.parametrize("name", ["FORCE_COLOR", "TTY_COMPATIBLE"])
def test_a_pipe_gets_no_escape_codes_whatever_the_environment(name: str) -> None:
    noise_file(Path("in.png"))
    result = srgan("upscale", "in.png", "-m", "bicubic", env={name: "1"})
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output


def test_without_a_terminal_rich_is_not_imported() -> None:
    for name in ("a", "b"):
        noise_file(Path("in") / f"{name}.png")
    code = (
        "import atexit, os, sys; from srgan_cli.cli import main; "
        "atexit.register(lambda: 'rich' in sys.modules and os._exit(9)); main()"
    )
    words = ["upscale", "in", "-o", "out", "-m", "bicubic"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    result = subprocess.run([sys.executable, "-c", code, *words], env=environment, check=False)
    assert result.returncode == 0
    assert len(list(Path("out").iterdir())) == 2


def test_no_color_is_respected(tiny_file: Path) -> None:
    for name in ("a", "b"):
        noise_file(Path("in") / f"{name}.png", 64)
    words = ("upscale", "in", "-w", tiny_file, "-o", "out", "--tile", 16)
    assert re.search(r"\x1b\[[0-9;]+m", srgan_in_terminal(*words).raw)
    assert not re.search(r"\x1b\[[0-9;]+m", srgan_in_terminal(*words, NO_COLOR="1").raw)


def test_markup_and_escapes_in_names_are_shown_as_they_are() -> None:
    name = "[red]x[b] \x1b[31m.png"
    write_image(Image(np.zeros((4, 4, 3), np.uint8)), Path(name))
    seen = srgan_in_terminal("upscale", name, "-m", "bicubic", columns=200)
    assert seen.exit_code == 0, seen.text
    assert "[red]x[b] \\x1b[31m.png -> " in seen.text
    assert "\x1b[31m" not in seen.raw


def test_speed_and_time_left_come_from_the_files_that_needed_work() -> None:
    output = terminal_output()
    progress = BatchProgress(_new_bar(output), 4, lambda path: 0)
    progress.megapixels = 30.0
    assert progress.describe(2, 10.0) == "3.0 MP/s 0:10 left"
    progress.skip()
    assert progress.describe(2, 10.0) == "3.0 MP/s 0:20 left"
    assert progress.describe(0, 1.0) == "30.0 MP/s"


def test_long_names_are_shortened_in_the_middle() -> None:
    assert truncate("short.png") == "short.png"
    assert truncate("a" * 40 + "-end.png") == "aaaaaaaaaa…aaa-end.png"[:11] + "aa-end.png"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0:00"), (75, "1:15"), (3600, "1:00:00"), (36_061, "10:01:01")]
)
def test_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_training_shows_steps_losses_and_validation(capsys: pytest.CaptureFixture[str]) -> None:
    output = terminal_output()
    bar = _new_bar(output)
    display = TrainingBar(output, bar)
    score = Score(psnr=30.0, ssim=0.9, features=0.1)
    display.progress(TrainingProgress("psnr", 1, None, {"pixel": 0.5}))
    display.progress(TrainingProgress("psnr", 2, 9, {"pixel": 0.5}, score))
    display.progress(TrainingProgress("psnr", 3, 9, {"pixel": 0.25}))
    assert display.caption == "pixel 0.2500 | PSNR 30.000 dB SSIM 0.9000 features 0.1000"
    assert bar.tasks[0].fields["left"] == "psnr step 3 of 9"
    display.progress(TrainingProgress("gan", 1, 9, {}))
    assert (bar.tasks[0].completed, bar.tasks[0].total, display.caption) == (1, 9, "")
    display.progress(TrainingProgress("int8", 1, None, {}))
    (task,) = bar.tasks
    assert (task.completed, task.total) == (1, None)
    display.message("left out: [a].png")
    text = capsys.readouterr().err
    assert "psnr step 2: pixel 0.5000 | PSNR 30.000 dB" in text
    assert "left out: [a].png" in text


def test_a_quiet_process_of_several_draws_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Output, "interactive", True)
    with training_progress(Output(quiet=True)) as callback:
        assert isinstance(callback, TrainingLog)
    with training_progress(terminal_output()) as callback:
        assert isinstance(callback, TrainingBar)


def test_a_training_with_a_budget_shows_the_time_that_is_left() -> None:
    output = terminal_output()
    display = TrainingBar(output, _new_bar(output), budget=7200.0)
    right = display.describe(TrainingProgress("psnr", 1, None, {}))
    assert right in ("1:59:59 left", "2:00:00 left")

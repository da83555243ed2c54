"""`srgan upscale` when it is stopped or killed."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from helpers import srgan

from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.images.write import write_image

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two small images, and one that keeps the network busy."""
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    for name, side in (("a", 8), ("b", 9), ("c", 700)):
        pixels = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        write_image(Image(pixels), tmp_path / "in" / f"{name}.png")
    return tmp_path


def heed_signals() -> None:
    """Shells let what runs in the background ignore Ctrl-C, and this would be inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(folder: Path, *words: object, **how: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "srgan_cli", "upscale", *map(str, words)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_signals,
        **how,  # type: ignore[call-overload]
    )


def wait_for(process: subprocess.Popen[str], word: str) -> None:
    """Until a line of stderr has the word."""
    assert process.stderr is not None
    for line in process.stderr:
        if word in line:
            return
    raise AssertionError(f"{word} was not said")


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_stops_with_nothing_half_done(folder, tiny_file, number, code):
    words = ("in", "-o", "out", "-w", tiny_file, "--tta", "-s", "16", "--tile", "64")
    process = start(folder, *words)
    try:
        wait_for(process, "a_x16.png")  # c.png takes minutes
        process.send_signal(number)
        stderr = process.communicate()[1]
    finally:
        process.kill()
    assert process.returncode == code, stderr
    assert "Stopped: " in stderr
    assert "--skip-existing" in stderr
    assert "Traceback" not in stderr
    left = sorted(path.name for path in (folder / "out").iterdir())
    assert left == ["a_x16.png", "b_x16.png"][: len(left)]
    for name in left:
        assert read_image(folder / "out" / name).width in (8 * 16, 9 * 16)


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_ends_what_waits_for_standard_input(folder, number, code):
    words = ("-", "-o", "out.png", "-m", "bicubic", "-v")
    process = start(folder, *words, stdin=subprocess.PIPE)
    try:
        wait_for(process, "bicubic")
        process.send_signal(number)
        assert process.stderr is not None
        stderr = process.stderr.read()  # standard input stays open
        process.wait()
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == code, stderr
    assert "Stopped: " in stderr
    assert "Fatal" not in stderr
    assert "Traceback" not in stderr


def test_a_pipe_by_the_name_of_an_image_is_refused_without_waiting(folder):
    os.mkfifo(folder / "pipe.png")
    process = start(folder, "pipe.png", "-o", "out.png", "-m", "bicubic")
    stderr = process.communicate()[1]
    assert process.returncode == 1
    assert "pipe" in stderr


def test_sigterm_is_what_it_was_after_the_command(folder, tiny_file):
    before = signal.getsignal(signal.SIGTERM)
    words = ["upscale", str(folder / "in" / "a.png"), "-w", str(tiny_file)]
    assert srgan(*words).exit_code == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_command_runs_outside_of_the_main_thread(folder, tiny_file):
    codes = []
    words = ["upscale", str(folder / "in" / "a.png"), "-w", str(tiny_file)]
    thread = threading.Thread(target=lambda: codes.append(srgan(*words).exit_code))
    thread.start()
    thread.join()
    assert codes == [0]


def run_benchmark(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_after_kill_9_a_rerun_gives_the_same_bytes():
    """Two moments; benchmarks/kill.py tries fifty."""
    done = run_benchmark("kill", "upscale", "--moments", "2")
    assert done.returncode == 0, done.stderr


def test_damaged_files_end_in_one_line():
    """Some images; benchmarks/fuzz.py tries thousands, and weights files and run folders."""
    done = run_benchmark("fuzz", "images", "--files", "40")
    assert done.returncode == 0, done.stderr
    assert "40 files" in done.stdout
    assert " 0 faults" in done.stdout

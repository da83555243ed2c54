"""`srgan train` from the shell's side."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from srgan_cli.cli import main
from srgan_cli.files import try_lock
from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image
from srgan_cli.networks.int8 import operators_work
from srgan_cli.weights.container import read_weights

TINY = ("--blocks", "1", "--patch", "16", "--batch-size", "2", "--scale", "2", "--workers", "0")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for name in "abc":
        pixels = rng.integers(0, 256, (64, 70, 3), dtype=np.uint8)
        write_image(Image(pixels), folder / f"{name}.png")
    return folder


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["train", *map(str, words)])


def tiny(photos: Path, out: Path, *more: str) -> Result:
    short = () if "--steps" in more or "--budget" in more else ("--steps", "2")
    return run(photos, "-o", out, "--stages", "psnr", *TINY, *short, *more)


def test_a_run_leaves_weights_and_their_record(photos: Path, tmp_path: Path) -> None:
    result = tiny(photos, tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines()[-1] == str(tmp_path / "run" / "psnr.safetensors")
    assert result.stdout == ""
    metadata = read_weights(tmp_path / "run" / "psnr.safetensors").metadata
    assert metadata.training["steps"] == 2
    assert metadata.training["recipe"] == "clean"
    assert metadata.training["data"]["pictures"] == 2
    assert metadata.activation_ranges
    assert (metadata.int8_psnr is not None) == operators_work()


def test_a_run_is_resumed_to_more_steps(photos: Path, tmp_path: Path) -> None:
    tiny(photos, tmp_path / "run")
    result = run("--resume", "-o", tmp_path / "run", "--steps", "4")
    assert result.exit_code == 0, result.stderr
    assert "psnr step 4 of 4" in result.stderr
    assert json.loads((tmp_path / "run" / "options.json").read_text())["steps"] == 4


def test_without_a_vgg_file_the_faithful_stage_runs_and_the_last_line_goes_on(
    photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    result = run(photos, "-o", out, *TINY, "--steps", "2")
    assert result.exit_code == 0, result.stderr
    assert (out / "psnr.safetensors").is_file()
    assert not (out / "gan.safetensors").exists()
    advice = result.stderr.splitlines()[-1]
    words = shlex.split(advice.partition(": srgan ")[2])
    assert words[words.index("--stages") :][:2] == ["--stages", "gan"]
    assert words[words.index("--from") + 1] == str(out / "psnr.safetensors")
    go_on = [word for word in words if word not in ("--vgg", "download")][1:]
    refused = run(*go_on)
    assert refused.exit_code == 2
    assert "--vgg" in refused.stderr


def test_the_last_line_names_all_options_of_the_vivid_stage(photos: Path, tmp_path: Path) -> None:
    given = (
        "--budget",
        "90m",
        "--seed",
        "3",
        "--val",
        str(photos),
        "--patch",
        "32",
        "--lr",
        "0.01",
    )
    given += ("--batch-size", "3", "--accumulate", "2", "--device", "cpu", "--precision", "fp32")
    result = run(photos, "-o", tmp_path / "run", *TINY, *given, "--dry-run")
    assert result.exit_code == 0, result.stderr
    words = shlex.split(result.stderr.splitlines()[-1].partition(": srgan ")[2])
    named = {name: words[words.index(name) + 1] for name in given[::2]}
    assert named == dict(zip(given[::2], given[1::2], strict=True)) | {"--budget": "5400s"}
    assert not {"--blocks", "--workers", "--teacher-weight", "--pool"} & set(words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--pool-size", "9"), "--pool-size"),
        (("--steps", "2", "--budget", "2m"), "exclude each other"),
        (("--budget", "soon"), "--budget takes a span"),
        (("--cache", "huge"), "--cache takes a size"),
        (("--patch", "15"), "multiple of the scale"),
        (("--recipe", "srcnn"), "--blocks does not go with"),
        (("--stages", "gan"), "--from"),
        (("--stages", "both"), "--vgg download"),
        (("--vgg", "f:conv1_1=x"), "is a number"),
        (("--vgg", "none.pth:conv1_1"), "no such file"),
    ],
)
def test_options_that_make_no_sense_end_with_two_and_no_folder(
    photos: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    result = tiny(photos, tmp_path / "run", *words)
    assert result.exit_code == 2, result.stderr
    assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "run").exists()


def test_an_existing_run_is_refused_without_resume(photos: Path, tmp_path: Path) -> None:
    tiny(photos, tmp_path / "run")
    result = tiny(photos, tmp_path / "run")
    assert result.exit_code == 2
    assert "--resume" in result.stderr


def test_a_device_that_is_missing_leaves_no_folder(photos: Path, tmp_path: Path) -> None:
    result = tiny(photos, tmp_path / "run", "--device", "cuda:97")
    assert result.exit_code != 0
    assert "cuda:97" in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_run_without_a_usable_image_does_not_stop_the_corrected_one(
    photos: Path, tmp_path: Path
) -> None:
    failed = tiny(photos, tmp_path / "run", "--patch", "64")
    assert failed.exit_code == 1
    assert "no image to train on" in failed.stderr
    result = tiny(photos, tmp_path / "run", "--patch", "16")
    assert result.exit_code == 0, result.stderr
    assert json.loads((tmp_path / "run" / "options.json").read_text())["patch"] == 16


def test_a_number_of_processes_without_a_rank_is_an_error_of_one_line(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    result = tiny(photos, tmp_path / "run")
    assert result.exit_code == 2
    assert "torchrun" in result.stderr
    assert not (tmp_path / "run").exists()


def test_resume_takes_nothing_else(photos: Path, tmp_path: Path) -> None:
    tiny(photos, tmp_path / "run")
    result = run("--resume", "-o", tmp_path / "run", "--lr", "1e-5")
    assert result.exit_code == 2
    assert "only --steps, --budget and --device may differ" in result.stderr
    assert run("--resume", "-o", tmp_path).exit_code == 2


def test_a_run_that_another_process_trains_is_refused(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert tiny(photos, out).exit_code == 0
    before = {path.name: path.read_bytes() for path in out.glob("*.*")}
    lock = try_lock(out / "run")
    assert lock is not None
    with lock:
        result = run("--resume", "-o", out, "--steps", "3")
    assert result.exit_code == 2
    assert "another process" in result.stderr
    assert {path.name: path.read_bytes() for path in out.glob("*.*") if path.name[0] != "."} == {
        name: data for name, data in before.items() if name[0] != "."
    }
    assert run("--resume", "-o", out, "--steps", "3").exit_code == 0
    assert not list(out.glob(".*"))


def test_a_dry_run_only_talks(photos: Path, tmp_path: Path) -> None:
    result = tiny(photos, tmp_path / "run", "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert "generator: fast (features 64, blocks 1, thin 16, " in result.stdout
    assert "scale 2)" in result.stdout
    assert "stage psnr: 2 steps of 2 patches" in result.stdout
    assert not (tmp_path / "run").exists()


def test_a_dry_run_counts_what_can_be_used_and_estimates_the_time(
    photos: Path, tmp_path: Path
) -> None:
    (photos / "broken.png").write_text("no image")
    usable = len(list(photos.iterdir())) - 1
    result = tiny(photos, tmp_path / "run", "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert f"{usable} images can be used" in result.stdout
    assert "1 cannot" in result.stdout
    assert "broken.png" in result.stdout
    assert re.search(r"time: about \d+:\d\d:\d\d, \S+ s a step", result.stdout)
    result = tiny(photos, tmp_path / "run", "--dry-run", "--budget", "1h")
    assert re.search(r"time: about [1-9]\d* steps", result.stdout)


def test_a_dry_run_without_a_usable_image_fails_as_the_run_would(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "broken.png").write_text("no image")
    results = [tiny(tmp_path / "photos", tmp_path / "run", *more) for more in ([], ["--dry-run"])]
    assert [result.exit_code for result in results] == [1, 1]
    assert all("no image to train on" in result.stderr for result in results)


def test_a_missing_start_is_an_error_of_one_line(photos: Path, tmp_path: Path) -> None:
    result = tiny(photos, tmp_path / "run", "--from", str(tmp_path / "none.safetensors"))
    assert result.exit_code == 2
    assert "none.safetensors' does not exist" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_signal_saves_and_says_how_to_go_on(
    photos: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "srgan_cli", "train", str(photos), "-o", str(out), *TINY]
    process = subprocess.Popen(
        [*command, "--stages", "psnr", "--steps", "100000"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while time.monotonic() < until and not (out / "log.jsonl").exists():
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    lines = said.splitlines()
    assert any(line.startswith("Stopping: finishing the step and saving") for line in lines)
    assert lines[-1] == f"Saved. Go on with: srgan train --resume -o {out}"
    assert "Traceback" not in said
    assert list(out.glob("checkpoint-psnr-*.pt"))


def test_a_run_with_a_worker_process_ends(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ["train", str(photos), "-o", str(out), *TINY[:-2], "--workers", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "srgan_cli", *words, "--stages", "psnr", "--steps", "3"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (out / "psnr.safetensors").is_file()


SLOW_SAVE = """
import sys
import threading
from srgan_cli.training.trainer import Trainer
from srgan_cli.cli import main

one_step = Trainer._one_step

def tell(self, pairs):
    losses = one_step(self, pairs)
    print("step", flush=True)
    return losses

Trainer._one_step = tell
Trainer.save = lambda self: threading.Event().wait()
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_second_signal_ends_at_once_even_while_saving(
    photos: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "run"
    words = ["train", str(photos), "-o", str(out), *TINY, "--stages", "psnr", "--steps", "9999"]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_SAVE, *words],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "step\n"
    process.send_signal(number)
    assert process.stderr is not None
    while not process.stderr.readline().startswith("Stopping: finishing the step and saving"):
        assert process.poll() is None
    process.send_signal(number)
    said = process.communicate()[1]
    assert process.returncode == code
    assert said.splitlines()[-1] == f"Stopped: go on with: srgan train --resume -o {out}"
    assert "Traceback" not in said


def test_a_signal_before_the_first_step_ends_the_command(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    prelude = "import os, signal, sys; from srgan_cli.training import train_run; "
    prelude += "train_run.load_data = lambda *_: os.kill(os.getpid(), signal.SIGTERM); "
    code = f"{prelude}from srgan_cli.cli import main; main(sys.argv[1:])"
    words = ["train", str(photos), "-o", str(out), *TINY, "--stages", "psnr", "--steps", "9"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 143
    lines = done.stderr.splitlines()
    assert lines[-2].startswith("Stopping: cleaning up")
    assert lines[-1] == f"Stopped: go on with: srgan train --resume -o {out}"

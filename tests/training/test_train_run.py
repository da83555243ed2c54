"""Resumed equals uninterrupted, bit for bit."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from kill import same
from training_helpers import StopAfter, last_state, save_image

from srgan_cli.errors import OptionError, TrainingError
from srgan_cli.networks.discriminators import SRGANDiscriminator
from srgan_cli.training.callbacks import NoCallback, Progress
from srgan_cli.training.distributed import ProcessGroup
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.run_folder import (
    begin,
    checkpoints,
    load_state,
    read_log,
    read_options,
    truncate_log,
    write_options,
)
from srgan_cli.training.schedule import resolve_stage
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.training.train_run import check, check_batch, train
from srgan_cli.training.trainer import StopTraining
from srgan_cli.weights.container import read_weights
from srgan_cli.weights.tensor_files import write_torch_file


def assert_same_end(ours: TrainOptions, other: TrainOptions) -> None:
    assert same(last_state(ours), last_state(other))
    for end in ("psnr", "gan"):
        files = [options.out / f"{end}.safetensors" for options in (ours, other)]
        assert files[0].exists() == files[1].exists()
        if files[0].exists():
            states = [dict(read_weights(file).state) for file in files]
            assert same(*states)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_goes_on_as_if_nothing_had_happened(make, run, tmp_path, number) -> None:
    whole = make(steps=7)
    run(whole)
    stopped = replace(whole, out=tmp_path / "stopped")
    stopped.out.mkdir()
    with pytest.raises(StopTraining) as caught:
        train(stopped, check(stopped), StopAfter("psnr", 3, number), "")
    assert caught.value.code == 128 + number
    assert load_state(checkpoints(stopped.out)[-1]).step == 3
    run(stopped)
    assert_same_end(stopped, whole)


def test_a_run_in_its_folder_of_images_is_refused_unless_it_is_under_way(make, run, photos) -> None:
    with pytest.raises(OptionError, match=r"-o .*photos"):
        check(make(out=photos / ".." / "photos"))
    assert sorted(path.name for path in photos.iterdir()) == ["0.png", "1.png", "2.png", "3.png"]
    train(make(out=photos, steps=1), [], NoCallback(), "")  # as earlier versions did
    assert check(make(out=photos, steps=2))


@pytest.mark.parametrize("changes", [{"batch_size": 2}, {"patch": 32}])
def test_one_small_patch_is_too_little_for_a_discriminator_with_batchnorm(make, changes) -> None:
    single = make(recipe="srgan", batch_size=1, patch=16)
    stage = RECIPES["srgan"].stages[1]
    with pytest.raises(OptionError, match="larger --patch or --batch-size"):
        check_batch(resolve_stage(single, stage), ProcessGroup())
    check_batch(resolve_stage(replace(single, **changes), stage), ProcessGroup())


def test_a_resumed_run_tells_that_its_images_changed(make, run, photos) -> None:
    run(make(steps=1))
    save_image(photos / "3.png", 9)
    listener = run(make(steps=2))
    assert any("changed" in line and "1 changed" in line for line in listener.lines)
    assert not any("changed" in line for line in run(make(steps=3)).lines)


DAMAGED_ROWS = (
    b"3",
    b'"text"',
    b"{}",
    b'{"stage": 1, "step": 2}',
    b"\xff\xfe",
    b'{"sta',
    b"[" * 9999,
)


def test_damaged_lines_of_a_log_are_left_out_and_reported(make, run) -> None:
    options = make(steps=2)
    run(options)
    log = options.out / "log.jsonl"
    rows = read_log(options.out)
    log.write_bytes(b"\n".join([*DAMAGED_ROWS, log.read_bytes()]))
    listener = run(make(steps=3))
    assert any(f"{len(DAMAGED_ROWS)} damaged lines" in line for line in listener.lines)
    assert read_log(options.out)[: len(rows)] == rows
    assert truncate_log(options.out, "psnr", 3) == 0


def test_a_log_that_is_a_pipe_is_refused(make, run) -> None:
    options = make(steps=2)
    run(options)
    (options.out / "log.jsonl").unlink()
    os.mkfifo(options.out / "log.jsonl")
    with pytest.raises(TrainingError, match=r"log\.jsonl.*pipe"):
        run(make(steps=3))


def _moment_of_other_shape(state: dict) -> None:
    state["networks"]["optimizer"]["state"][0]["exp_avg"] = torch.zeros(2)


def _setting_of_other_type(state: dict) -> None:
    state["networks"]["optimizer"]["param_groups"][0]["eps"] = "1"


def _random_state_cut_off(state: dict) -> None:
    state["rng"] = state["rng"][:5]


def _network_is_a_number(state: dict) -> None:
    state["networks"]["generator"] = 3


@pytest.mark.parametrize(
    "damage",
    [_moment_of_other_shape, _setting_of_other_type, _random_state_cut_off, _network_is_a_number],
)
def test_a_damaged_checkpoint_ends_in_one_error(make, run, damage) -> None:
    options = make(steps=2, optimizer="adam")
    run(options)
    path = checkpoints(options.out)[-1]
    state = dict(vars(load_state(path)))
    damage(state)
    with path.open("wb") as file:
        write_torch_file(state, file)
    with pytest.raises(TrainingError, match="damaged"):
        run(replace(options, steps=3))


@pytest.mark.parametrize(("stage", "step"), [("psnr", 3), ("psnr", 8), ("gan", 1)])
def test_a_run_of_two_stages_resumes_in_either(make, run, tmp_path, stage, step) -> None:
    whole = make(stages="both", steps=10)
    assert len(run(whole).seen) == 10
    stopped = replace(whole, out=tmp_path / "stopped")
    stopped.out.mkdir()
    with pytest.raises(StopTraining):
        train(stopped, check(stopped), StopAfter(stage, step), "")
    run(stopped)
    assert_same_end(stopped, whole)


def test_a_teacher_goes_on_with_the_orientations_it_would_have_drawn(make, run, tmp_path) -> None:
    run(make(out=tmp_path / "teacher", seed=1, steps=2))
    whole = make(teachers=(tmp_path / "teacher" / "psnr.safetensors",), steps=7)
    run(whole)
    stopped = replace(whole, out=tmp_path / "stopped")
    begin(stopped)
    with pytest.raises(StopTraining):
        train(stopped, check(stopped), StopAfter("psnr", 3), "")
    run(read_options(stopped.out))
    assert_same_end(stopped, whole)


def test_the_start_of_a_failed_run_of_one_stage_is_replaced(make, run, tmp_path) -> None:
    for seed in (1, 2):
        run(make(out=tmp_path / f"{seed}", seed=seed, steps=1))
    failed, start = (tmp_path / f"{seed}" / "psnr.safetensors" for seed in (1, 2))
    options = make(stages="gan", start=start, steps=1)
    options.out.mkdir()
    shutil.copy(failed, options.out / "psnr.safetensors")
    run(options)
    kept = read_weights(options.out / "psnr.safetensors")
    assert same(dict(kept.state), dict(read_weights(start).state))


def test_a_checkpoint_of_another_discriminator_is_refused(make, run) -> None:
    options = make(stages="both", steps=10)
    run(options)
    (last,) = checkpoints(options.out)[-1:]
    state = load_state(last)
    state.networks["discriminator"] = SRGANDiscriminator().state_dict()
    with last.open("wb") as file:
        write_torch_file(vars(state), file)
    with pytest.raises(TrainingError, match=r"begin a new run with --from gan\.safetensors"):
        run(options)


def test_more_workers_and_accumulation_change_nothing_in_the_order(make, run, tmp_path) -> None:
    single = make(accumulate=2)
    run(single)
    helped = replace(single, out=tmp_path / "helped", workers=2)
    run(helped)
    assert_same_end(helped, single)


class KillWorkers(NoCallback):
    """Kills the processes that cut patches, as a system does that is short of memory."""

    def progress(self, now: Progress) -> None:
        for worker in multiprocessing.active_children():
            worker.kill()


def test_a_worker_that_the_system_kills_ends_in_one_error(make) -> None:
    options = make(workers=1, steps=100)
    options.out.mkdir()
    with pytest.raises(TrainingError, match=r"died.*memory.*go on with --resume") as caught:
        train(options, check(options), KillWorkers(), "")
    assert str(caught.value).isprintable()


def in_another_process(options: TrainOptions) -> "subprocess.Popen[bytes]":
    """Go on with a run whose options are written."""
    command = [sys.executable, "-m", "srgan_cli", "train", "--resume", "-o", str(options.out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)


def killed(options: TrainOptions, stage: str, at_step: int) -> None:
    """Begin the run and kill it, without mercy, after that step is logged."""
    process = in_another_process(options)
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        rows = read_log(options.out)
        if any(row["stage"] == stage and row["step"] >= at_step for row in rows):
            break
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize(("stage", "stages", "steps"), [("psnr", "psnr", 60), ("gan", "both", 100)])
def test_a_killed_run_goes_on_from_its_last_checkpoint(
    make, tmp_path: Path, stage: str, stages: str, steps: int
) -> None:
    whole = make(stages=stages, steps=steps)
    stopped = replace(whole, out=tmp_path / "killed")
    for options in (whole, stopped):  # both in fresh processes: libraries that others load may
        options.out.mkdir(exist_ok=True)  # change how this one treats the smallest numbers
        write_options(options)
    assert in_another_process(whole).wait() == 0
    killed(stopped, stage, at_step=8)
    assert checkpoints(stopped.out)
    assert in_another_process(stopped).wait() == 0
    assert_same_end(stopped, whole)
    logs = [read_log(options.out) for options in (stopped, whole)]
    moments = [[(row["stage"], row["step"]) for row in log if "psnr" in row] for log in logs]
    assert moments[0] == moments[1]


FAILING = """
import atexit
import multiprocessing
atexit.register(lambda: [child.join() for child in workers])  # runs after load_batches' own
from srgan_cli.training.data import load_batches
batches = load_batches(range(100), 0, workers=1)
next(batches)
workers = multiprocessing.active_children()
raise ValueError("no one expects it")
"""


def test_a_failure_does_not_wait_for_workers_that_hear_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAILING], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert b"no one expects it" in done.stderr
    assert b"killed by signal" not in done.stderr

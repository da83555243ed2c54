"""Jobs are read, computed and written; what goes wrong with one stays with it."""

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from srgan_cli.batch import run
from srgan_cli.batch.plan import Job
from srgan_cli.batch.run import JobOptions, Outcome, dry_run, run_jobs
from srgan_cli.files import try_lock
from srgan_cli.images.formats import Encoding
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.images.write import write_image
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.settings import OutputSize

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def jobs(*names: str) -> list[Job]:
    for number, name in enumerate(names):
        write_image(Image(np.full((4, 5 + number, 3), 9, np.uint8)), Path(f"{name}.png"))
    return [Job(Path(f"{name}.png"), Path("out") / f"{name}_x4.png") for name in names]


def done(chosen: list[Job], **how: object) -> list[Outcome]:
    return list(run_jobs(chosen, JobOptions(UpscalePipeline(), Encoding(), 10**6, **how)))  # type: ignore[arg-type]


def outputs() -> list[str]:
    return sorted(path.name for path in Path("out").iterdir())


STEPS = ["read_input", "compute_output", "write_output"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "error", [TypeError("unhashable"), RecursionError("too deep"), ZeroDivisionError(), KeyError(3)]
)
def test_an_error_that_nobody_foresaw_is_the_outcome_of_its_job(monkeypatch, step, error):
    chosen = jobs("a", "b", "c")
    function = getattr(run, step)

    def broken(*words, **options):
        if any(str(getattr(word, "source", word)) == "b.png" for word in words):
            raise error
        return function(*words, **options)

    monkeypatch.setattr(run, step, broken)
    first, second, third = done(chosen)
    assert (first.error, third.error) == (None, None)
    assert second.error is not None
    assert second.error.startswith("b.png: failed (" + type(error).__name__)
    assert second.error.isprintable()
    assert second.trace is not None
    assert "Traceback" in second.trace
    assert outputs() == ["a_x4.png", "c_x4.png"]


def test_memory_that_does_not_suffice_is_said_without_a_traceback(monkeypatch):
    def broken(*words: object) -> None:
        raise MemoryError

    monkeypatch.setattr(run, "compute_output", broken)
    (outcome,) = done(jobs("a"))
    assert "more memory than there is" in str(outcome.error)
    assert outcome.trace is None


def test_what_the_format_cannot_hold_is_refused_before_the_work(monkeypatch):
    (job,) = jobs("a")
    computed = []
    monkeypatch.setattr(run, "compute_output", lambda *words: computed.append(words))
    large = UpscalePipeline(size=OutputSize(width=1000))
    (outcome,) = run_jobs(
        [Job(job.source, Path("out/a.ico"))], JobOptions(large, Encoding(), 10**6)
    )
    assert "ICO" in str(outcome.error)
    assert not computed
    assert not Path("out").exists()


def test_a_target_that_another_process_writes_is_left_to_it():
    chosen = jobs("a", "b")
    Path("out").mkdir()
    lock = try_lock(Path("out/a_x4.png"))
    assert lock is not None
    first, second = done(chosen)
    lock.release()
    assert (first.skipped, first.locked, first.error) == (True, True, None)
    assert (second.skipped, second.error) == (False, None)
    assert outputs() == ["b_x4.png"]


def test_a_target_is_locked_from_reading_to_writing_and_free_afterwards(monkeypatch):
    held = []
    put = run.write_output

    def watched(image, job, encoding):
        held.append(try_lock(job.target) is None)
        put(image, job, encoding)

    monkeypatch.setattr(run, "write_output", watched)
    done(jobs("a", "b"))
    assert held == [True, True]
    assert outputs() == ["a_x4.png", "b_x4.png"]


def test_a_failed_job_leaves_no_lock(monkeypatch):
    def broken(*words: object) -> None:
        raise TypeError

    monkeypatch.setattr(run, "compute_output", broken)
    done(jobs("a"))
    assert outputs() == []


def test_what_was_done_by_another_process_meanwhile_is_not_done_again(monkeypatch):
    chosen = jobs("a")
    lock = run.lock_target

    def late(target: Path):
        target.write_bytes(b"done")
        return lock(target)

    monkeypatch.setattr(run, "lock_target", late)
    (outcome,) = done(chosen, skip_existing=True)
    assert outcome.skipped
    assert Path("out/a_x4.png").read_bytes() == b"done"


def test_closing_completes_what_is_being_written_and_does_not_wait_for_a_reader(monkeypatch):
    chosen = jobs("a", "b", "c", "d")
    stuck = Event()
    read = run.read_input

    def slow(path: Path, *limits):
        if path.name == "d.png":
            stuck.wait()
        return read(path, *limits)

    monkeypatch.setattr(run, "read_input", slow)
    with closing(run_jobs(chosen, JobOptions(UpscalePipeline(), Encoding(), 10**6))) as outcomes:
        next(outcomes)
    stuck.set()
    assert "a_x4.png" in outputs()
    for name in outputs():
        assert read_image(Path("out") / name).height == 16


def test_the_same_folder_twice_at_once_is_done_once_and_whole():
    Path("in").mkdir()
    jobs(*(f"in/{number}" for number in range(12)))
    command = [sys.executable, "-m", "srgan_cli", "upscale", "in", "-o", "out", "-m", "bicubic"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert outputs() == sorted(f"{number}_x4.png" for number in range(12))
    for path in Path("out").iterdir():
        assert read_image(path).height == 16


def test_a_dry_run_reports_what_the_run_would_and_writes_nothing():
    chosen = jobs("a", "b")
    Path("b.png").write_bytes(b"no image")
    chosen += [Job(Path("nothing.png"), Path("out/nothing_x4.png"))]
    chosen += [Job(Path("a.png"), Path("out/a.ico"))]
    work = JobOptions(UpscalePipeline(size=OutputSize(width=1000)), Encoding(), 10**6)
    planned = [dry_run(job, work) for job in chosen]
    assert not Path("out").exists()
    run_for_real = list(run_jobs(chosen, work))
    assert [one.error for one in planned] == [one.error for one in run_for_real]
    assert [one.after for one in planned] == [one.after for one in run_for_real]
    assert [one.error is None for one in planned] == [True, False, False, False]


def test_a_dry_run_knows_what_exists_and_cannot_be_replaced():
    first, second = jobs("a", "b")
    first.target.parent.mkdir()
    first.target.touch()
    second.target.mkdir()
    work = JobOptions(UpscalePipeline(), Encoding(), 10**6, skip_existing=True)
    assert dry_run(first, work).skipped
    assert "is a folder" in str(dry_run(second, replace(work, skip_existing=False)).error)

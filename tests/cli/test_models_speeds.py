"""Speeds of models on this machine are remembered for `srgan models`."""

import json

import pytest
from helpers import noise_file, srgan

from srgan_cli.cli import batch_report
from srgan_cli.cli.console import Output
from srgan_cli.cli.models import (
    MOST_ENTRIES,
    Speed,
    cache_file,
    latest_speeds,
    load_speeds,
    save_speed,
)
from srgan_cli.images.formats import Encoding
from srgan_cli.settings import ResultSettings


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def speed(model="photo", rate=1.5, scale=4):
    return Speed(model, scale, "cpu", "bfloat16", rate)


def test_the_newest_speed_of_a_model_stays():
    save_speed(speed(rate=1.0))
    save_speed(speed(rate=2.0))
    save_speed(speed(scale=2, rate=3.0))
    rates = {key: one.megapixels_per_second for key, one in latest_speeds().items()}
    assert rates == {("photo", 4): 2.0, ("photo", 2): 3.0}


def test_the_file_does_not_grow_without_end():
    for number in range(MOST_ENTRIES + 5):
        save_speed(speed(f"model{number}"))
    assert len(load_speeds()) == MOST_ENTRIES
    assert load_speeds()[-1].model == f"model{MOST_ENTRIES + 4}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[" * 5000,
        b"{}",
        b"[1, {}, []]",
        b" " * (1 << 17),
        json.dumps([vars(speed()) | {"scale": []}]).encode(),
        json.dumps([vars(speed()) | {"megapixels_per_second": float("nan")}]).encode(),
        json.dumps([vars(speed()) | {"more": 1}]).encode(),
    ],
)
def test_a_damaged_file_tells_nothing_and_is_replaced(content):
    cache_file().parent.mkdir(parents=True)
    cache_file().write_bytes(content)
    assert load_speeds() == []
    save_speed(speed())
    assert load_speeds() == [speed()]


def test_a_cache_that_cannot_be_written_is_no_error(cache):
    (cache / "cache").write_text("a file where a folder is wanted")
    save_speed(speed())
    assert load_speeds() == []


def test_upscale_remembers_and_models_shows_it(tmp_path, monkeypatch):
    monkeypatch.setattr(batch_report, "LEAST_SECONDS", 0.0)
    noise_file(tmp_path / "in.png")
    words = ["upscale", str(tmp_path / "in.png"), "-o", str(tmp_path / "out.png"), "--device=cpu"]
    for more in (["--tta"], ["-m", "bicubic"]):
        assert srgan(*words, "-s", "2", *more).exit_code == 0
        assert load_speeds() == []
    assert srgan(*words, "-s", "2", "-m", "photo").exit_code == 0
    (found,) = load_speeds()
    assert (found.model, found.scale, found.device) == ("photo", 2, "cpu")
    shown = srgan("models")
    assert f"{found.megapixels_per_second:.2g} MP/s" in shown.stdout
    rows = map(json.loads, srgan("models", "--json").stdout.splitlines())
    rates = {(r["model"], r["scale"]): r["megapixels_per_second"] for r in rows}
    assert rates["photo", 2] == pytest.approx(found.megapixels_per_second, rel=0.01)
    assert rates["photo", 4] is None


def test_a_speed_has_three_digits_so_that_all_lists_round_it_alike():
    settings = ResultSettings("photo", precision="float32")
    report = batch_report.BatchReport(Output(), settings, Encoding(), computed={2: [0.07451, 1.0]})
    (found,) = report.speeds()
    assert found.megapixels_per_second == 0.0745


def test_short_runs_tell_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(batch_report, "LEAST_SECONDS", 1e9)
    noise_file(tmp_path / "in.png")
    words = ["upscale", str(tmp_path / "in.png"), "-o", str(tmp_path / "out.png"), "-s", "2"]
    assert srgan(*words).exit_code == 0
    assert not cache_file().exists()

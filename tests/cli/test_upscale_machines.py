"""`srgan upscale` on several devices, and in several processes."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import Result
from helpers import noise_file, srgan
from small_networks import RRDB, random_weights

from srgan_cli.networks.fast import Fast
from srgan_cli.networks.int8 import int8_problem
from srgan_cli.weights.container import write_weights


def upscale(*words: object) -> Result:
    return srgan("upscale", *words)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def rank(monkeypatch):
    """Makes this process one of those that torchrun starts."""

    def become(number: int, count: int) -> None:
        for name, value in (("RANK", number), ("LOCAL_RANK", number), ("WORLD_SIZE", count)):
            monkeypatch.setenv(name, str(value))

    return become


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_devices_with_commas_share_an_image(tiny_file):
    noise_file(Path("in.png"), 60)
    for device, name in (("cpu", "one.png"), ("cpu,cpu", "two.png")):
        words = ("--device", device, "--precision", "fp32", "--tile", 32, "-v")
        result = upscale("in.png", "-o", name, "-w", tiny_file, *words)
        assert result.exit_code == 0, result.output
    assert "x4: cpu and cpu, float32, tiles of 32 + " in result.stderr
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()


def test_a_device_that_is_not_there_is_an_error_of_one_line(tiny_file):
    noise_file(Path("in.png"))
    result = upscale("in.png", "-w", tiny_file, "--device", "cpu,nix")
    assert result.exit_code == 2
    assert "'cpu,nix' is no device" in result.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("device", ["cuda", "0", "cuda:7", "mps"])
def test_a_device_that_this_machine_lacks_is_an_error_of_one_line(tiny_file, device):
    noise_file(Path("in.png"))
    result = upscale("in.png", "-w", tiny_file, "--device", device)
    assert result.exit_code == 2
    assert "--device cpu works" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_rerun_does_what_a_dead_process_left_and_nothing_else(rank):
    for number in range(7):
        noise_file(Path(f"in/{number}.png"))
    for number in (0, 2):  # process 1 of 3 dies before its first image
        rank(number, 3)
        assert upscale("in", "-o", "out", "-m", "bicubic").exit_code == 0
    before = contents("out")
    assert sorted(before) == [f"{n}_x4.png" for n in (0, 2, 3, 5, 6)]
    for name in before:
        (Path("out") / name).write_bytes(b"done")
    for number in range(2):  # on fewer machines than before
        rank(number, 2)
        assert upscale("in", "-o", "out", "-m", "bicubic", "--skip-existing").exit_code == 0
    after = contents("out")
    assert len(after) == 7
    assert {name for name in after if after[name] == b"done"} == set(before)


def test_of_processes_with_one_file_to_write_the_first_writes_it(rank):
    noise_file(Path("a.png"))
    for number in (1, 2, 0):
        rank(number, 3)
        result = upscale("a.png", "-o", "b.png", "-m", "bicubic")
        assert result.exit_code == 0, result.output
        assert Path("b.png").exists() is (number == 0)


def test_shards_beside_their_sources_do_not_upscale_each_others_results(rank):
    for number in range(4):
        noise_file(Path(f"{number}.png"))
    for number in (0, 1, 0, 1):
        rank(number, 2)
        assert upscale("*.png", "-m", "bicubic").exit_code == 0
    assert len(contents(".")) == 8


@pytest.mark.skipif(int8_problem(Fast(features=4, blocks=1, thin=2)) is not None, reason="no int8")
def test_verbose_and_json_say_that_int8_was_taken(tiny_file):
    noise_file(Path("in.png"), 20)
    words = ("in.png", "-o", "out.png", "-w", tiny_file, "--device", "cpu", "--precision", "int8")
    result = upscale(*words, "-v", "--json")
    assert result.exit_code == 0, result.output
    assert "x4: cpu, int8, calibrated on a built-in image" in result.stderr
    assert json.loads(result.stdout)["precision"] == "int8"


def test_int8_for_a_network_that_has_none_is_an_error_of_one_line(tmp_path):
    write_weights(random_weights("rrdbnet", RRDB), tmp_path / "rrdb.safetensors")
    noise_file(Path("in.png"))
    result = upscale("in.png", "-w", "rrdb.safetensors", "--precision", "int8", "--device", "cpu")
    assert result.exit_code != 0
    assert "RRDBNet do not run in int8: take --precision auto" in result.stderr
    assert result.stderr.count("\n") == 1

"""Where to compute, by name."""

import platform
import subprocess
import sys

import pytest
import torch

from srgan_cli import device
from srgan_cli.device import local_device, out_of_memory, pick_devices, pick_precision
from srgan_cli.errors import DeviceError

CPU = torch.device("cpu")


@pytest.fixture
def three_gpus(monkeypatch) -> list[int]:
    """As far as they can be counted; which of them were made the process's own."""
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    return chosen


def test_names_with_commas_are_several_devices():
    assert pick_devices("cpu") == (CPU,)
    assert pick_devices("cpu, cpu") == (CPU, CPU)
    assert len(pick_devices("auto")) == 1


@pytest.mark.parametrize("names", ["nix", "cpu,", "cpu,nix", ",", "", "cpu;cpu"])
def test_a_device_that_is_not_there_is_named(names):
    with pytest.raises(DeviceError, match="--device cpu works"):
        pick_devices(names)


@pytest.mark.parametrize(("rank", "number"), [("0", 0), ("2", 2), ("4", 1)])
def test_each_process_of_torchrun_has_a_gpu_of_its_own(monkeypatch, three_gpus, rank, number):
    monkeypatch.setenv("LOCAL_RANK", rank)
    assert local_device("auto") == local_device("cuda") == f"cuda:{number}"
    assert set(three_gpus) == {number}


def test_what_the_user_names_is_taken_whatever_the_process(monkeypatch, three_gpus):
    monkeypatch.setenv("LOCAL_RANK", "2")
    assert [local_device(name) for name in ("cpu", "cuda:0", "mps")] == ["cpu", "cuda:0", "mps"]
    monkeypatch.delenv("LOCAL_RANK")
    assert (local_device("auto"), three_gpus) == ("auto", [])


def test_one_process_of_torchrun_without_gpus_takes_what_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert local_device("auto") == "auto"


def test_devices_that_differ_in_what_is_fast_run_in_float32(monkeypatch):
    fast = {"cpu": torch.float32, "meta": torch.bfloat16}
    monkeypatch.setattr(device, "_default_dtype", lambda place: fast[place.type])
    meta = torch.device("meta")
    assert pick_precision("auto", meta, meta) == torch.bfloat16
    assert pick_precision("auto", meta, CPU) == torch.float32
    assert pick_precision("fp16", meta, CPU) == torch.float16


KEEPS = """
import resource, torch
from srgan_cli.device import keep_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.zeros(1 << 24).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
plain = faults()
keep_memory()
faults()
print(plain, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries are left alone")
def test_freed_memory_is_kept_for_the_next_tensors():
    ran = subprocess.run(
        [sys.executable, "-c", KEEPS], capture_output=True, text=True, check=True, timeout=60
    )
    plain, kept = map(int, ran.stdout.split())
    assert kept < plain / 4


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated"), True),
        (RuntimeError("Given groups=1, weight of size"), False),
    ],
)
def test_what_libraries_say_when_memory_is_short(error, expected):
    assert out_of_memory(error) is expected

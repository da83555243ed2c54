"""Memory that control groups leave."""

import math
from pathlib import Path

import pytest

from srgan_cli import device
from srgan_cli.device import CGROUP_V1, CGROUP_V2, CgroupVersion, cgroup_free_bytes, free_bytes
from srgan_cli.inference.engine import CPU


def group(folder: Path, version: CgroupVersion, limit: str, usage: int, cache: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / version.limit).write_text(f"{limit}\n")
    (folder / version.usage).write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(f"anon 7\n{version.cache} {cache}\n")


def own(folder: Path, text: str) -> Path:
    (folder / "own").write_text(text)
    return folder / "own"


@pytest.mark.parametrize(
    ("version", "line"), [(CGROUP_V1, "4:memory:/job/step"), (CGROUP_V2, "0::/job/step")]
)
def test_the_tightest_group_counts_and_what_it_can_give_up_does_not(tmp_path, version, line):
    above = tmp_path / version.folder / "job"
    group(above, version, "9000", 5000, 1000)
    group(above / "step", version, "8000", 3000, 0)
    assert cgroup_free_bytes(tmp_path, own(tmp_path, f"3:cpu:/job\n{line}\n")) == 5000
    group(above / "step", version, "4000", 6000, 500)
    assert cgroup_free_bytes(tmp_path, own(tmp_path, line)) == 0


def test_groups_without_a_limit_or_out_of_sight_allow_everything(tmp_path):
    group(tmp_path, CGROUP_V2, "max", 3000, 0)
    assert cgroup_free_bytes(tmp_path, own(tmp_path, "0::/\n")) == math.inf
    assert (
        cgroup_free_bytes(tmp_path, own(tmp_path, "4:memory:/elsewhere\n0::/elsewhere\n"))
        == math.inf
    )
    assert cgroup_free_bytes(tmp_path, tmp_path / "no such file") == math.inf


def test_a_group_that_a_container_shows_as_its_root_is_found(tmp_path):
    group(tmp_path, CGROUP_V2, "6000", 1000, 0)
    assert cgroup_free_bytes(tmp_path, own(tmp_path, "0::/host/path\n")) == 5000


def test_free_memory_is_no_more_than_the_groups_allow(monkeypatch):
    monkeypatch.setattr(device, "cgroup_free_bytes", lambda: 12345.0)
    assert free_bytes(CPU) == 12345
    monkeypatch.setattr(device, "cgroup_free_bytes", lambda: math.inf)
    assert free_bytes(CPU) > 12345

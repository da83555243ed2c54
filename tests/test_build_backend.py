"""Source distributions: complete, and byte for byte the same each time."""

import configparser
import importlib.util
import io
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def backend() -> ModuleType:
    pytest.importorskip("setuptools.build_meta")
    spec = importlib.util.spec_from_file_location("backend", ROOT / ".ci" / "build_backend.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def archive(files: dict[str, bytes], time: int) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as written:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"srgan_cli-1/{name}")
            entry.size, entry.mtime, entry.uid = len(data), time, time
            written.addfile(entry, io.BytesIO(data))
    return made.getvalue()


def names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as read:
        return [name.removeprefix("srgan_cli-1/") for name in read.getnames()]


def test_order_time_and_owner_leave_no_trace(backend: ModuleType, tmp_path: Path) -> None:
    files = {"b": b"2", "a": b"1"}
    first = backend.repacked(archive(files, 1000), tmp_path)
    second = backend.repacked(archive(dict(sorted(files.items())), 2000), tmp_path)
    assert first == second
    with tarfile.open(fileobj=io.BytesIO(first)) as read:
        assert [(m.uid, m.mtime) for m in read] == [(0, int(backend.EPOCH))] * 2


def test_what_setuptools_leaves_out_is_added(backend: ModuleType, tmp_path: Path) -> None:
    for name in ("tests/a/test_b.py", "docs/c.md", ".ci/run", "benchmarks/d.py", "CHANGELOG.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    for name in (".ci/venv/x.py", "tests/__pycache__/x.pyc", "runs/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("not wanted")
    made = backend.repacked(archive({"setup.cfg": b""}, 0), tmp_path)
    wanted = [".ci/run", "CHANGELOG.md", "benchmarks/d.py", "docs/c.md", "setup.cfg"]
    assert names(made) == [*wanted, "tests/a/test_b.py"]


def test_the_tests_name_no_newer_packages_than_they_passed_with() -> None:
    lines = (ROOT / ".ci" / "constraints.txt").read_text().splitlines()
    bounded = {line.split("<=")[0] for line in lines if "<=" in line}
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    needed = config["options"]["install_requires"] + config["options.extras_require"]["test"]
    wanted = {line.split(">")[0].strip() for line in needed.splitlines() if line.strip()}
    assert wanted <= bounded

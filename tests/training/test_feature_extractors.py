"""VGG19's file is fetched once, and checked."""

import hashlib
from pathlib import Path

import pytest

from srgan_cli.errors import WeightsError
from srgan_cli.files import try_lock
from srgan_cli.training import feature_extractors
from srgan_cli.training.feature_extractors import download, load_vggs
from srgan_cli.training.vgg_file import VggFile


@pytest.fixture
def published(tmp_path: Path) -> str:
    data = b"weights" * 1000
    digest = hashlib.sha256(data).hexdigest()[:8]
    path = tmp_path / f"net-{digest}.pth"
    path.write_bytes(data)
    return path.as_uri()


def test_a_file_is_fetched_once(published: str, tmp_path: Path) -> None:
    target = download(published, tmp_path / "cache")
    assert target.read_bytes() == b"weights" * 1000
    Path(published.removeprefix("file://")).unlink()
    assert download(published, tmp_path / "cache") == target


def test_a_fetched_file_is_checked_at_each_use(published: str, tmp_path: Path) -> None:
    target = download(published, tmp_path / "cache")
    record = target.with_name(f"{target.name}.sha256")
    assert record.read_text() == hashlib.sha256(b"weights" * 1000).hexdigest()
    target.write_bytes(b"w" + b"eights" * 1000)
    assert download(published, tmp_path / "cache").read_bytes() == b"weights" * 1000
    target.write_bytes(b"changed")
    Path(published.removeprefix("file://")).unlink()
    with pytest.raises(WeightsError, match="cannot be fetched"):
        download(published, tmp_path / "cache")


def test_a_file_of_an_older_version_gets_its_record(published: str, tmp_path: Path) -> None:
    target = download(published, tmp_path / "cache")
    record = target.with_name(f"{target.name}.sha256")
    before = record.read_text()
    record.unlink()
    Path(published.removeprefix("file://")).unlink()
    assert download(published, tmp_path / "cache") == target
    assert record.read_text() == before


def test_a_file_that_is_not_what_its_name_says_is_refused(published: str, tmp_path: Path) -> None:
    Path(published.removeprefix("file://")).write_bytes(b"something else")
    with pytest.raises(WeightsError, match="its SHA-256 is"):
        download(published, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_process_waits_for_another_one_that_fetches_the_file(
    published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(published.removeprefix("file://"))
    target = tmp_path / "cache" / source.name
    target.parent.mkdir()
    lock = try_lock(target)

    def finish(seconds: float) -> None:
        source.rename(target)
        lock.release()

    monkeypatch.setattr(feature_extractors.time, "sleep", finish)
    assert download(published, target.parent) == target  # its source has gone: it is not fetched
    assert target.read_bytes() == b"weights" * 1000


def test_a_cache_folder_that_cannot_be_made_is_one_error(
    published: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match=r"file.*cannot be made"):
        download(published, tmp_path / "file" / "cache")

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(feature_extractors, "cache_folder", homeless)
    with pytest.raises(WeightsError, match="--vgg FILE"):
        load_vggs([VggFile("download")])


def test_a_file_that_cannot_be_fetched_names_the_other_way(tmp_path: Path) -> None:
    missing = (tmp_path / "no-00000000.pth").as_uri()
    with pytest.raises(WeightsError, match="--vgg FILE"):
        download(missing, tmp_path / "cache")

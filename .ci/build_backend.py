"""setuptools' build backend, with source distributions that are complete and the same each time.

Complete: with tests, benchmarks, documents and what .ci/run needs. The same: entries in order, of
one owner, and of the time SOURCE_DATE_EPOCH in seconds, 1980 where that is not set; wheels follow
it, too.
"""

import gzip
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403 all other hooks

FOLDERS = (".ci", "benchmarks", "docs", "tests")
LEFT_OUT = {"venv", "__pycache__", ".pytest_cache", ".hypothesis"}
EPOCH = os.environ.setdefault("SOURCE_DATE_EPOCH", "315532800")


def build_sdist(folder: str, config_settings: dict[str, Any] | None = None) -> str:
    """The name of the file in `folder`, as PEP 517 wants it."""
    name = build_meta.build_sdist(folder, config_settings)
    path = Path(folder, name)
    path.write_bytes(repacked(path.read_bytes(), Path.cwd()))
    return name


def repacked(data: bytes, root: Path) -> bytes:
    """A .tar.gz file with what it lacks of the project in `root`."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = [(member.name, archive.extractfile(member)) for member in archive]
        files = {name: file.read() for name, file in members if file is not None}
    top = min(files).split("/")[0]
    files |= {f"{top}/{path.relative_to(root).as_posix()}": path.read_bytes() for path in of(root)}
    packed = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", fileobj=packed, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(files[name]), int(EPOCH)
            entry.mode = 0o755 if name == f"{top}/.ci/run" else 0o644
            archive.addfile(entry, io.BytesIO(files[name]))
    return packed.getvalue()


def of(root: Path) -> Iterator[Path]:
    """Files that setuptools knows nothing of."""
    yield from root.glob("*.md")
    for folder in FOLDERS:
        for path in (root / folder).rglob("*"):
            if path.is_file() and not LEFT_OUT.intersection(path.relative_to(root).parts):
                yield path

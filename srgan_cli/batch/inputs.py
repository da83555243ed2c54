"""Files, folders and globs -> the pictures in them. Standard library only."""

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from srgan_cli.batch.naming import STREAM, Batch
from srgan_cli.errors import OptionError
from srgan_cli.files import printable
from srgan_cli.folders import count_kinds, scan_folder
from srgan_cli.images.formats import input_suffixes


@dataclass(frozen=True)
class Found:
    """A file to enlarge, and the folder below the output folder that its result goes to.

    named: given by itself, not found in a folder or by a glob. problem: why it cannot be enlarged.
    """

    path: Path
    below: Path = Path()
    named: bool = True
    problem: str | None = None


def find(batch: Batch) -> list[Found]:
    """The inputs in order, folders and globs replaced by what they hold; missing files stay.

    Hidden files and folders, and the output folder, are not looked into. A folder or glob that
    holds no picture is a problem beside others; if there is nothing at all, OptionError.
    """
    found = [one for text in batch.inputs for one in _expanded(text, batch)]
    if all(one.problem is not None for one in found):
        raise OptionError("; ".join(str(one.problem) for one in found))
    first: dict[Path, Found] = {}
    for one in found:
        first.setdefault(one.path, one)
    return list(first.values())


def _expanded(text: str, batch: Batch) -> list[Found]:
    path = Path(text)
    if is_folder(path):
        return list(_pictures_in(path, batch)) or [_nothing(path, batch.recursive)]
    if path != STREAM and not exists(path) and glob.has_magic(text):
        names = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 absolute ones too
        matches = [Found(Path(name), named=False) for name in names if not is_folder(Path(name))]
        return matches or [Found(path, problem=f"there is no picture in {printable(text)}")]
    return [Found(path)]


def _nothing(folder: Path, recursive: bool) -> Found:
    try:
        deeper = not recursive and any(path.is_dir() for path in folder.iterdir())
    except OSError as error:
        return Found(folder, problem=f"{printable(folder)}: cannot be read ({error.strerror})")
    hint = "; --recursive enters the folders in it" if deeper else ""
    return Found(folder, problem=f"there is no picture in {printable(folder)}{hint}")


def _pictures_in(folder: Path, batch: Batch) -> Iterator[Found]:
    out = None if batch.out is None else Path(batch.out)
    scan = scan_folder(folder, input_suffixes(), recursive=batch.recursive, exclude=out)
    for path in scan.pictures:
        yield Found(path, path.parent.relative_to(folder), named=False)
    for path in scan.unreadable:
        if path != folder:
            yield Found(path, problem=f"{printable(path)}: this folder cannot be read")


def other_files(batch: Batch) -> dict[str, int]:
    """How many files of the input folders are no images by their names, by suffix."""
    out = None if batch.out is None else Path(batch.out)
    folders = [Path(text) for text in dict.fromkeys(batch.inputs) if is_folder(Path(text))]
    return count_kinds(
        other
        for folder in folders
        for other in scan_folder(
            folder, input_suffixes(), recursive=batch.recursive, exclude=out
        ).others
    )


def is_folder(path: Path) -> bool:
    """False also for a name that the system finds too long."""
    return os.path.isdir(path)  # noqa: PTH112 Path.is_dir raises for those


def exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 likewise

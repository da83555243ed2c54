"""Images found in folders and short names, by one rule for all commands; the user's cache folder.

Standard library only.
"""

import os
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from srgan_cli.errors import SrganError

SCALE_SUFFIX = re.compile(r"[-_]?x\d+(\.\d+)?$")  # bus_x4.png and 0801x4.png are of bus and 0801


def image_name(path: Path) -> str:
    """The file's name without its suffix and without a scale such as _x4 at its end."""
    return SCALE_SUFFIX.sub("", path.stem) or path.stem


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """The last part of each path, after as many of its folders as no other path has too.

    The whole path where another is equal to it or continues it.
    """
    return [_distinct_name(path, paths) for path in paths]


def _distinct_name(path: Path, paths: Sequence[Path]) -> str:
    for count in range(1, len(path.parts)):
        end = path.parts[-count:]
        if sum(other.parts[-count:] == end for other in paths) == 1:
            return Path(*end).as_posix()
    return path.as_posix()


@dataclass(frozen=True)
class FolderFiles:
    """Sorted by path. others: files that are not images by their suffix, without hidden ones.

    failed_folders: folders that could not be entered.
    """

    images: tuple[Path, ...]
    others: tuple[Path, ...]
    failed_folders: tuple[Path, ...] = ()


def scan_folder(
    folder: Path,
    suffixes: Collection[str],
    *,
    recursive: bool = False,
    exclude: Collection[Path] = (),
) -> FolderFiles:
    """The files in `folder`. suffixes: of images, in lower case with the dot.

    Hidden files and folders, and all below one of `exclude`, are left out; `folder` itself is not.
    Links to files are files, also those that lead nowhere; links to folders are not entered.
    """
    excluded = {os.path.realpath(each) for each in exclude}
    files: list[Path] = []
    failed_folders: list[Path] = []
    walk = os.walk(folder, onerror=lambda error: failed_folders.append(Path(error.filename)))
    for folder_name, dir_names, file_names in walk:
        parent = Path(folder_name)
        files += [parent / each for each in file_names if each[0] != "."]
        dir_names[:] = [
            each
            for each in dir_names
            if recursive and each[0] != "." and os.path.realpath(parent / each) not in excluded
        ]
    images = [file for file in sorted(files) if file.suffix.lower() in suffixes]
    existing = tuple(file for file in images if file.is_file() or file.is_symlink())
    kept = set(existing)
    others = tuple(file for file in sorted(files) if file not in kept)
    return FolderFiles(existing, others, tuple(failed_folders))


def count_kinds(paths: Iterable[Path]) -> dict[str, int]:
    """How many files there are of each suffix (upper case, no dot), the most frequent first."""
    return dict(Counter(path.suffix[1:].upper() or "no suffix" for path in paths).most_common())


def create_folder(folder: Path, error: type[SrganError]) -> None:
    """Make `folder` and those above it unless they are there. Raises `error` where that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as os_error:
        raise error(f"{folder}: cannot be made ({os_error.strerror or os_error})") from os_error


def cache_folder() -> Path:
    """Below the system's folder for caches. Raises RuntimeError if there is no home folder."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "srgan" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "srgan"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "srgan"

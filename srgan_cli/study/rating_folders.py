"""Folders of the same pictures by several methods -> which file belongs to which."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from srgan_cli.errors import DatasetError
from srgan_cli.folders import picture_name, scan_folder
from srgan_cli.images.formats import input_suffixes

NAMED = 5  # mismatches that a message lists before it says how many more there are


@dataclass(frozen=True)
class MethodFolder:
    """files: under the name of the picture, the same names for every method of a study."""

    name: str
    files: Mapping[str, Path]


def match_folders(folders: Sequence[Path]) -> tuple[MethodFolder, ...]:
    """One method per folder, called like it; pictures in the order of their names.

    A picture's name is its file's without suffix and without the _x4 that upscaling appends.
    Raises DatasetError naming every picture that one of the folders lacks.
    """
    names = _method_names(folders)
    found = [pictures_in(folder) for folder in folders]
    all_names = sorted(set().union(*found))
    missing = [
        f"{name} in {folder}"
        for folder, files in zip(folders, found, strict=True)
        for name in all_names
        if name not in files
    ]
    if missing:
        raise DatasetError(
            f"missing: {_summarize(missing)}; give every folder the same pictures and names"
        )
    return tuple(
        MethodFolder(name, {picture: files[picture] for picture in all_names})
        for name, files in zip(names, found, strict=True)
    )


def pictures_in(folder: Path) -> dict[str, Path]:
    """Name -> file, sorted. Raises DatasetError if there is none, or two of a name."""
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder; a study takes one folder for each method")
    files = scan_folder(folder, input_suffixes()).pictures
    counts = Counter(map(picture_name, files))
    double = [name for name, count in counts.items() if count > 1]
    if double:
        raise DatasetError(
            f"{folder}: several files are called {_summarize(double)}; keep one each"
        )
    if not files:
        raise DatasetError(f"{folder} has no pictures in it")
    return {picture_name(file): file for file in files}


def _method_names(folders: Sequence[Path]) -> list[str]:
    """The last part of each path, or the last two where that is ambiguous."""
    paths = [folder.resolve() for folder in folders]
    for parts in (1, 2):
        names = ["/".join(path.parts[-parts:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    raise DatasetError(f"{folders[0]} and others have the same name; rename the folders")


def _summarize(things: Sequence[str]) -> str:
    more = len(things) - NAMED
    return ", ".join(things[:NAMED]) + (f" and {more} more" if more > 0 else "")

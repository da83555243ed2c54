"""Inputs -> jobs: which image becomes which file, checked as a whole before anything is touched.

Standard library only.
"""

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from srgan_cli.batch.output_names import (
    STREAM,
    OutputNames,
    check_template,
    output_name,
    require_format,
)
from srgan_cli.errors import OptionError
from srgan_cli.files import LONGEST_NAME, printable
from srgan_cli.folders import FolderFiles, count_kinds, scan_folder
from srgan_cli.images.formats import input_suffixes
from srgan_cli.settings import process_rank


@dataclass(frozen=True)
class BatchOptions:
    """Which files to read and write. Raises OptionError for options that exclude each other."""

    inputs: tuple[str, ...]
    out: str | None = None
    recursive: bool = False
    skip_existing: bool = False
    keep_time: bool = False
    name: str | None = None
    dry_run: bool = False
    shard: tuple[int, int] | None = None
    """(number from 1, of how many)"""

    def __post_init__(self) -> None:
        if not self.inputs:
            raise OptionError("name at least one image, folder or - for standard input")
        if "" in self.inputs or self.out == "":
            raise OptionError("a file without a name: is a variable of the shell empty?")
        if self.keep_time and str(STREAM) in (self.out, *self.inputs):
            raise OptionError("--keep-time is for files, not for - (stdin, stdout)")
        if self.name is not None:
            check_template(self.name)
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            raise OptionError("--shard takes I/N with I from 1 to N, such as 2/8")


@dataclass(frozen=True)
class Job:
    """One image to upscale. problem: why it cannot be, if known before it is read."""

    source: Path
    target: Path
    problem: str | None = None


@dataclass(frozen=True)
class InputFile:
    """A file to upscale.

    output_folder: relative to that of -o. explicit: named itself, not found in a folder or by a
    glob. problem: why it cannot be upscaled.
    """

    path: Path
    output_folder: Path = Path()
    explicit: bool = True
    problem: str | None = None


def plan(batch: BatchOptions, names: OutputNames) -> list[Job]:
    """A job for each input of this shard.

    Raises OptionError for two inputs with one output, and for an output that is an input. All
    shards are checked together, so no two of them write one file. Outputs that appear meanwhile
    do not change the plan, so shards may start at different times.
    """
    found = find_inputs(batch)
    out = _output_folder(batch, found)
    jobs = [_job(one, _output_path(one, out, batch, names)) for one in found]
    if batch.skip_existing or batch.shard is not None:
        jobs = _without_outputs(found, jobs)
    _check_not_inputs(jobs, in_place=batch.out is None)
    _check_duplicates(jobs)
    if batch.shard is None:
        return jobs
    number, count = batch.shard
    return jobs[number - 1 :: count]


def _output_folder(batch: BatchOptions, found: Sequence[InputFile]) -> Path | None:
    """The folder of -o; None if -o is a file or missing. Raises OptionError."""
    if batch.out is None:
        return None
    many = len(found) > 1 or any(is_folder(Path(text)) for text in batch.inputs)
    if batch.out == str(STREAM):
        if many:
            raise OptionError("-o - takes one image, not several")
        return None
    path = Path(batch.out)
    if not (many or batch.out.endswith(("/", os.sep)) or is_folder(path)):
        return None
    if exists(path) and not is_folder(path):
        raise OptionError(
            f"-o {printable(path)} is a file, where a folder for the results is wanted"
        )
    return path


def _output_path(
    one: InputFile, folder: Path | None, batch: BatchOptions, names: OutputNames
) -> Path:
    if folder is not None:
        return folder / one.output_folder / output_name(one.path, batch.name, names)
    if batch.out is None:
        if one.path == STREAM:
            raise OptionError("the image from standard input needs -o: a file, or - for output")
        return one.path.with_name(output_name(one.path, batch.name, names))
    if batch.name is not None:
        raise OptionError(
            "--name is for results in a folder: end -o in /, or leave one of them out"
        )
    if batch.out != str(STREAM):
        return require_format(Path(batch.out), names.encoding)
    if names.encoding.format is None:
        raise OptionError("an image on standard output needs --format, such as --format png")
    return STREAM


def _job(one: InputFile, target: Path) -> Job:
    length = len(os.fsencode(target.name))
    if one.problem is None and length > LONGEST_NAME:
        text = f"{printable(one.path)}: its result's name would have {length} bytes, more than "
        return Job(one.path, target, f"{text}{LONGEST_NAME}: give --name a shorter one")
    return Job(one.path, target, one.problem)


def _without_outputs(found: Sequence[InputFile], jobs: Sequence[Job]) -> list[Job]:
    """The jobs but those from folders and globs whose input is the output of another job.

    So a folder that holds its own outputs can be processed again.
    """
    source_of = {os.path.realpath(job.target): job.source for job in jobs}
    return [
        job
        for one, job in zip(found, jobs, strict=True)
        if one.explicit or source_of.get(os.path.realpath(job.source), job.source) == job.source
    ]


def _check_not_inputs(jobs: Sequence[Job], in_place: bool) -> None:
    """in_place: whether outputs go to the inputs' folders, so that inputs may be former outputs."""
    sources = {key for job in jobs for key in identities(job.source)}
    for job in jobs:
        if sources & identities(job.target):
            hint = ", or --skip-existing if it is the result of an earlier run" if in_place else ""
            raise OptionError(f"{printable(job.target)} is an input: choose another output{hint}")


def _check_duplicates(jobs: Sequence[Job]) -> None:
    sources: dict[str, Path] = {}
    for job in jobs:
        if job.target == STREAM or job.problem is not None:
            continue
        target = os.path.realpath(job.target)
        if target in sources:
            raise OptionError(
                f"{printable(sources[target])} and {printable(job.source)} would both become "
                f"{printable(job.target)}: give them different names, or --name"
            )
        sources[target] = job.source


def identities(path: Path) -> set[object]:
    """Equal for two names of one file: the path after links, and device and inode."""
    if path == STREAM:
        return set()
    try:
        status = path.stat()
    except OSError:
        return {os.path.realpath(path)}
    return {os.path.realpath(path), (status.st_dev, status.st_ino)}


def with_shard(batch: BatchOptions, environment: Mapping[str, str]) -> BatchOptions:
    """`batch` with the shard of torchrun's RANK and WORLD_SIZE, unless it has one."""
    if batch.shard is not None:
        return batch
    rank, count = process_rank(environment, "give --shard I/N")
    return batch if count == 1 else replace(batch, shard=(rank + 1, count))


def find_inputs(batch: BatchOptions) -> list[InputFile]:
    """The inputs in order, with folders and globs expanded; missing files stay.

    Hidden files and folders, and the output folder, are skipped. A folder or glob without an image
    is that input's problem. Raises OptionError if there is no image at all.
    """
    found = [one for text in batch.inputs for one in _expand(text, batch)]
    if all(one.problem is not None for one in found):
        raise OptionError("; ".join(str(one.problem) for one in found))
    first: dict[Path, InputFile] = {}
    for one in found:
        first.setdefault(one.path, one)
    return list(first.values())


def _expand(text: str, batch: BatchOptions) -> list[InputFile]:
    path = Path(text)
    if is_folder(path):
        return list(_images_in(path, batch)) or [_no_images(path, batch.recursive)]
    if path != STREAM and not exists(path) and glob.has_magic(text):
        names = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 absolute ones too
        matches = [
            InputFile(Path(name), explicit=False) for name in names if not is_folder(Path(name))
        ]
        return matches or [InputFile(path, problem=f"there is no image in {printable(text)}")]
    return [InputFile(path)]


def _no_images(folder: Path, recursive: bool) -> InputFile:
    try:
        nested = not recursive and any(path.is_dir() for path in folder.iterdir())
    except OSError as error:
        return InputFile(folder, problem=f"{printable(folder)}: cannot be read ({error.strerror})")
    hint = "; --recursive enters the folders in it" if nested else ""
    return InputFile(folder, problem=f"there is no image in {printable(folder)}{hint}")


def _images_in(folder: Path, batch: BatchOptions) -> Iterator[InputFile]:
    scan = _scan(folder, batch)
    for path in scan.images:
        yield InputFile(path, path.parent.relative_to(folder), explicit=False)
    for path in scan.failed_folders:
        if path != folder:
            yield InputFile(path, problem=f"{printable(path)}: this folder cannot be read")


def other_files(batch: BatchOptions) -> dict[str, int]:
    """Suffix -> how many files of the input folders have it and are not images."""
    folders = [Path(text) for text in dict.fromkeys(batch.inputs) if is_folder(Path(text))]
    return count_kinds(other for folder in folders for other in _scan(folder, batch).others)


def _scan(folder: Path, batch: BatchOptions) -> FolderFiles:
    exclude = [] if batch.out is None else [Path(batch.out)]
    return scan_folder(folder, input_suffixes(), recursive=batch.recursive, exclude=exclude)


def is_folder(path: Path) -> bool:
    """Also for names that are too long for the system, which Path.is_dir raises for."""
    return os.path.isdir(path)  # noqa: PTH112


def exists(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 likewise

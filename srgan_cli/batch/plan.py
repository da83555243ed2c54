"""Inputs -> jobs: which image becomes which file, checked as a whole before anything is touched.

Standard library only.
"""

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from srgan_cli.batch.naming import STREAM, Batch, Job, Naming, checked, name_of
from srgan_cli.errors import OptionError
from srgan_cli.files import LONGEST_NAME, printable
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


def plan(batch: Batch, naming: Naming) -> list[Job]:
    """A job for each input of this shard.

    Raises OptionError for two inputs with one output, and for an output that is an input. The
    check sees all shards, so no two of them ever write one file; and a plan stays the same while
    results of it appear, so shards may start at different times.
    """
    found = find(batch)
    out = _folder(batch, found)
    jobs = [_job(one, _target(one, out, batch, naming)) for one in found]
    if batch.skip_existing or batch.shard is not None:
        jobs = _without_results(found, jobs)
    _refuse_inputs(jobs, beside=batch.out is None)
    _refuse_clashes(jobs)
    if batch.shard is None:
        return jobs
    number, count = batch.shard
    return jobs[number - 1 :: count]


def _folder(batch: Batch, found: Sequence[Found]) -> Path | None:
    """The folder that the results go to, if -o is one. Raises OptionError if it cannot be one."""
    if batch.out is None:
        return None
    many = len(found) > 1 or any(is_folder(Path(text)) for text in batch.inputs)
    if batch.out == str(STREAM):
        if many:
            raise OptionError("-o - takes one picture, not several")
        return None
    path = Path(batch.out)
    if not (many or batch.out.endswith(("/", os.sep)) or is_folder(path)):
        return None
    if exists(path) and not is_folder(path):
        raise OptionError(
            f"-o {printable(path)} is a file, where a folder for the results is wanted"
        )
    return path


def _target(one: Found, folder: Path | None, batch: Batch, naming: Naming) -> Path:
    if folder is not None:
        return folder / one.below / name_of(one.path, batch.name, naming)
    if batch.out is None:
        if one.path == STREAM:
            raise OptionError("the picture from standard input needs -o: a file, or - for output")
        return one.path.with_name(name_of(one.path, batch.name, naming))
    if batch.name is not None:
        raise OptionError(
            "--name is for results in a folder: end -o in /, or leave one of them out"
        )
    if batch.out != str(STREAM):
        return checked(Path(batch.out), naming.encoding)
    if naming.encoding.format is None:
        raise OptionError("a picture on standard output needs --format, such as --format png")
    return STREAM


def _job(one: Found, target: Path) -> Job:
    length = len(os.fsencode(target.name))
    if one.problem is None and length > LONGEST_NAME:
        text = f"{printable(one.path)}: its result's name would have {length} bytes, more than "
        return Job(one.path, target, f"{text}{LONGEST_NAME}: give --name a shorter one")
    return Job(one.path, target, one.problem)


def _without_results(found: Sequence[Found], jobs: Sequence[Job]) -> list[Job]:
    """Without those that were found in a folder or by a glob, and are results of others.

    So a folder whose results lie in it can be gone through again.
    """
    made_of = {_place(job.target): job.source for job in jobs}
    return [
        job
        for one, job in zip(found, jobs, strict=True)
        if one.named or made_of.get(_place(job.source), job.source) == job.source
    ]


def _refuse_inputs(jobs: Sequence[Job], beside: bool) -> None:
    """beside: whether results lie beside their sources, so that inputs may be older results."""
    sources = {key for job in jobs for key in _identities(job.source)}
    for job in jobs:
        if sources & _identities(job.target):
            older = ", or --skip-existing if it is the result of an earlier run" if beside else ""
            raise OptionError(f"{printable(job.target)} is an input: choose another output{older}")


def _refuse_clashes(jobs: Sequence[Job]) -> None:
    taken: dict[str, Path] = {}
    for job in jobs:
        if job.target == STREAM or job.problem is not None:
            continue
        place = _place(job.target)
        if place in taken:
            raise OptionError(
                f"{printable(taken[place])} and {printable(job.source)} would both become "
                f"{printable(job.target)}: give them different names, or --name"
            )
        taken[place] = job.source


def _place(path: Path) -> str:
    return os.path.realpath(path)


def _identities(path: Path) -> set[object]:
    """What two names of one file share: where their links lead, and the file itself."""
    if path == STREAM:
        return set()
    try:
        status = path.stat()
    except OSError:
        return {_place(path)}
    return {_place(path), (status.st_dev, status.st_ino)}


def sharded(batch: Batch, environment: Mapping[str, str]) -> Batch:
    """`batch` with the shard that torchrun's RANK and WORLD_SIZE name, unless it has one."""
    if batch.shard is not None or environment.get("WORLD_SIZE", "1") == "1":
        return batch
    rank, count = environment.get("RANK", ""), environment["WORLD_SIZE"]
    if not (rank.isdecimal() and count.isdecimal() and int(rank) < int(count)):
        raise OptionError(f"RANK={rank!r} of WORLD_SIZE={count!r} makes no sense: give --shard I/N")
    return replace(batch, shard=(int(rank) + 1, int(count)))


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

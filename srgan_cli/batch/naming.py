"""Which files go in, and what their results are called. Standard library only."""

import glob
import os
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from srgan_cli.engine.size import Sides
from srgan_cli.errors import OptionError, SrganError
from srgan_cli.images.atomic import shown
from srgan_cli.images.encoding import FORMATS, Encoding

STREAM = Path("-")
"""Standard input or output."""

FIELDS = ("stem", "suffix", "scale", "width", "height", "model")

Measure = Callable[[Path], Sides]
"""The size of the result for the picture at a path, without decoding it."""


@dataclass(frozen=True)
class Batch:
    """What to do with the inputs, besides enlarging them."""

    inputs: tuple[str, ...]
    out: str | None = None
    recursive: bool = False
    skip_existing: bool = False
    name: str | None = None
    dry_run: bool = False
    shard: tuple[int, int] | None = None
    """(number from 1, of how many)"""

    def __post_init__(self) -> None:
        if not self.inputs:
            raise OptionError("name at least one picture, folder or - for standard input")
        if self.name is not None:
            unknown = [f for _, f, _, _ in _parsed(self.name) if f is not None and f not in FIELDS]
            if unknown or os.sep in self.name:
                fields = ", ".join(f"{{{field}}}" for field in FIELDS)
                raise OptionError(f"--name takes a file name with {fields}, not {self.name!r}")
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            raise OptionError("--shard takes I/N with I from 1 to N, such as 2/8")


def _parsed(template: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(string.Formatter().parse(template))
    except ValueError as error:
        raise OptionError(f"--name {template!r}: {error}") from error


@dataclass(frozen=True)
class Found:
    """A file to enlarge, and the folder below the output folder that its result goes to."""

    path: Path
    below: Path = Path()


@dataclass(frozen=True)
class Job:
    """One picture: from where, to where."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Naming:
    """How results are called by default: the scale, or None where a size was asked for."""

    model: str
    scale: str | None
    encoding: Encoding
    measure: Measure


def find(batch: Batch) -> list[Found]:
    """The inputs in order, folders and globs replaced by what they hold; missing files stay."""
    found = [one for text in batch.inputs for one in _expanded(text, batch.recursive)]
    if not found:
        raise OptionError(f"there is no picture in {', '.join(map(shown, batch.inputs))}")
    return list(dict.fromkeys(found))


def _expanded(text: str, recursive: bool) -> Iterator[Found]:
    path = Path(text)
    if path.is_dir():
        yield from _pictures_in(path, recursive)
    elif text != str(STREAM) and not path.exists() and glob.has_magic(text):
        yield from (Found(Path(name)) for name in _matches(text))
    else:
        yield Found(path)


def _matches(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 absolute ones too


def _pictures_in(folder: Path, recursive: bool) -> Iterator[Found]:
    for path in sorted(folder.rglob("*") if recursive else folder.iterdir()):
        if path.suffix.lower() in FORMATS and path.is_file():
            yield Found(path, path.relative_to(folder).parent)


def plan(batch: Batch, naming: Naming) -> list[Job]:
    """A job for each input of this shard.

    Raises OptionError for two inputs with one output, and for an output that is an input. The
    check sees all shards, so no two of them ever write one file.
    """
    found = find(batch)
    jobs = [Job(one.path, _target(one, batch, naming, many=_many(batch, found))) for one in found]
    refuse_clashes(jobs)
    if batch.shard is None:
        return jobs
    number, count = batch.shard
    return jobs[number - 1 :: count]


def _many(batch: Batch, found: Sequence[Found]) -> bool:
    """Whether the output is a folder by reason of the inputs."""
    return len(found) > 1 or any(Path(text).is_dir() for text in batch.inputs)


def _target(one: Found, batch: Batch, naming: Naming, many: bool) -> Path:
    if batch.out == str(STREAM):
        if many:
            raise OptionError("-o - takes one picture, not several")
        return STREAM
    if batch.out is None:
        if one.path == STREAM:
            raise OptionError("the picture from standard input needs -o: a file, or - for output")
        return one.path.with_name(_name(one.path, batch, naming))
    ends_as_folder = batch.out.endswith(("/", os.sep))
    if many or ends_as_folder or Path(batch.out).is_dir():
        return Path(batch.out) / one.below / _name(one.path, batch, naming)
    return _checked(Path(batch.out), naming.encoding)


def _checked(path: Path, encoding: Encoding) -> Path:
    if encoding.format is None and path.suffix.lower() not in FORMATS:
        known = " ".join(FORMATS)
        raise OptionError(
            f"{shown(path)} does not say its format: end it in one of {known}, give --format, "
            "or end it in / for a folder"
        )
    return path


def _name(path: Path, batch: Batch, naming: Naming) -> str:
    suffix = _suffix(path, naming.encoding)
    stem = "stdin" if path == STREAM else path.stem
    default = "{stem}_x{scale}{suffix}" if naming.scale else "{stem}_{width}x{height}{suffix}"
    template = batch.name or default
    known = {"stem": stem, "suffix": suffix, "scale": naming.scale or "", "model": naming.model}
    if {"width", "height"} & {field for _, field, _, _ in _parsed(template)}:
        known |= _sides(path, naming.measure)
    try:
        name = template.format(**known)
    except (ValueError, KeyError, IndexError) as error:
        raise OptionError(f"--name {template!r}: {error}") from error
    return name if Path(name).suffix.lower() in FORMATS else name + suffix


def _sides(path: Path, measure: Measure) -> dict[str, str]:
    """An unreadable picture gets a name all the same; it is reported when its turn comes."""
    try:
        sides = measure(path)
    except SrganError:
        return {"width": "unknown", "height": "unknown"}
    return {"width": str(sides.width), "height": str(sides.height)}


def _suffix(path: Path, encoding: Encoding) -> str:
    if encoding.format is not None:
        return next(suffix for suffix, name in FORMATS.items() if name == encoding.format)
    return path.suffix if path.suffix.lower() in FORMATS else ".png"


def refuse_clashes(jobs: Sequence[Job]) -> None:
    sources = {os.path.realpath(job.source): job.source for job in jobs if job.source != STREAM}
    taken: dict[str, Path] = {}
    for job in jobs:
        if job.target == STREAM:
            continue
        place = os.path.realpath(job.target)
        if place in sources:
            raise OptionError(f"{shown(job.target)} is an input: choose another output")
        if place in taken:
            raise OptionError(
                f"{shown(taken[place])} and {shown(job.source)} would both become "
                f"{shown(job.target)}: give them different names, or --name"
            )
        taken[place] = job.source


def sharded(batch: Batch, environment: dict[str, str]) -> Batch:
    """`batch` with the shard that torchrun's RANK and WORLD_SIZE name, unless it has one."""
    count = int(environment.get("WORLD_SIZE", "1"))
    if batch.shard is not None or count == 1:
        return batch
    return replace(batch, shard=(int(environment["RANK"]) + 1, count))

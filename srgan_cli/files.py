"""Files that appear under their name only when they are complete. Standard library only."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from srgan_cli.errors import ImageError, SrganError

LONGEST_NAME = 255  # bytes, on every common file system


@contextmanager
def atomically(path: Path, error: type[SrganError] = ImageError) -> Iterator[Path]:
    """Give a temporary name beside `path`; what was written there gets the name at the end.

    After an exception neither exists, and an older `path` is untouched. A link is followed. An
    OSError of the body or of the renaming becomes `error`.
    """
    target = _file_behind(path, error)
    part = part_name(target)
    try:
        yield part
        _flush(part)
        os.replace(part, target)  # noqa: PTH105 Path.replace would hide that this is the point
    except OSError as fault:
        raise error(_explained(path, target.parent, fault)) from fault
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _file_behind(path: Path, error: type[SrganError]) -> Path:
    try:
        target = Path(os.path.realpath(path)) if path.is_symlink() else path
        if not target.exists() or (target.is_file() and os.access(target, os.W_OK)):
            return target
    except OSError as fault:  # such as a name that is too long
        raise error(_explained(path, path.parent, fault)) from fault
    if target.is_file():  # renaming would replace it all the same
        raise error(f"{shown(path)}: is write-protected; name another file, or allow writing to it")
    kind = "is a folder" if target.is_dir() else "is not a regular file"
    raise error(f"{shown(path)}: {kind}; name a file to write")


def part_name(path: Path) -> Path:
    """One temporary name per target, so that a rerun replaces what a killed run has left."""
    name = f".{path.name}.part"
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:32]}.part"
    return path.with_name(name)


def shown(name: str | Path) -> str:
    """A name as one printable line."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(name))


def _flush(path: Path) -> None:
    """Onto the disk, so that a power failure cannot leave an empty file under the name."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _explained(path: Path, folder: Path, fault: OSError) -> str:
    if not folder.is_dir():
        return f"{shown(path)}: there is no folder {shown(folder)}; make it first"
    return f"{shown(path)}: cannot be written ({fault.strerror or fault})"

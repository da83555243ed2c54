"""Files read, written and locked safely. Standard library only.

Everything temporary is hidden, lies beside its target and ends in .part.
"""

import errno
import glob
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, TextIO

from srgan_cli.errors import ImageError, SrganError

try:
    import fcntl
except ImportError:  # Windows: no locks; there an open file cannot be removed by another process
    fcntl = None  # type: ignore[assignment]

LONGEST_NAME = 255  # bytes, on every common file system
_SAFE = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
_temporary: set[Path] = set()  # files of this process, for discard_parts


class NotRegularFileError(OSError):
    """The name leads to a pipe, a device or a socket."""


def printable(text: object) -> str:
    """A name or message as one line without control characters, which are shown as escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading. Links are followed.

    Never waits. Raises NotRegularFileError for pipes, devices and sockets, else as `open` does.
    """
    descriptor = os.open(path, os.O_RDONLY | _NO_WAIT)
    try:
        kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
        if kind == stat.S_IFDIR:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if kind != stat.S_IFREG:
            text = f"is {_KINDS.get(kind, 'something else')}, not a regular file"
            raise NotRegularFileError(errno.EINVAL, text, str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, limit: int) -> bytes:
    """The content of a regular file. Raises OSError, also for more than `limit` bytes."""
    with open_regular(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"has more than {limit:,} bytes", str(path))
    return data


def append_regular(path: Path, data: bytes) -> None:
    """Append to a regular file, which is made if there is none. Never waits.

    Raises OSError, NotRegularFileError for pipes, devices and sockets.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_WAIT
    descriptor = os.open(path, flags, 0o666)
    with os.fdopen(descriptor, "ab") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotRegularFileError(errno.EINVAL, "is not a regular file", str(path))
        file.write(data)


@contextmanager
def atomic_write(path: Path, error: type[SrganError] = ImageError) -> Iterator[BinaryIO]:
    """A file to write (and read) that replaces `path` once the body has ended.

    After an exception an older `path` is untouched and nothing else is left. A link is followed.
    The new file has the permissions of the one it replaces. An OSError of the body, of creating or
    of renaming becomes `error`.
    """
    target = writable_target(path, error)
    part = None
    try:
        file, part = _create_part(target)
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # a power failure must not leave an empty file under the name
            _replace(part, target, file)
    except OSError as os_error:
        raise error(explain_write_error(path, target.parent, os_error)) from os_error
    finally:
        if part is not None:
            _discard(part)
    remove_stale_parts(target)


def writable_target(path: Path, error: type[SrganError] = ImageError) -> Path:
    """The file that writing to `path` replaces: where a link leads.

    Raises `error` for what must not be replaced: a folder, a device, a write-protected file.
    """
    try:
        target = Path(os.path.realpath(path)) if path.is_symlink() else path
        if not target.exists() or (target.is_file() and os.access(target, os.W_OK)):
            return target
    except OSError as os_error:  # such as a name that is too long
        raise error(explain_write_error(path, path.parent, os_error)) from os_error
    if target.is_file():  # renaming would replace it even so
        raise error(f"{printable(path)}: is write-protected; name another file, or allow writing")
    kind = "is a folder" if target.is_dir() else "is not a regular file"
    raise error(f"{printable(path)}: {kind}; name a file to write")


def explain_write_error(path: Path, folder: Path, os_error: OSError) -> str:
    """Why `path`, whose target lies in `folder`, was not written, in one line."""
    if not folder.is_dir():
        return f"{printable(path)}: there is no folder {printable(folder)}; make it first"
    return f"{printable(path)}: cannot be written ({os_error.strerror or os_error})"


def _create_part(target: Path) -> tuple[BinaryIO, Path]:
    """A new locked file beside `target`, with its permissions or else those of the umask."""
    replaced = stat.S_IMODE(target.stat().st_mode) & 0o777 if target.exists() else None
    while True:
        part = _hidden_name(target, secrets.token_hex(4))
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _SAFE
        with suppress(FileExistsError):
            descriptor = os.open(part, flags, 0o666 if replaced is None else replaced)
            _temporary.add(part)
            file = os.fdopen(descriptor, "w+b")
            if replaced is not None and hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), replaced)
            _lock(file.fileno())
            if _is_open_as(part, file.fileno()):  # nobody took it for stale before it was locked
                return file, part
            file.close()
            _temporary.discard(part)


def _replace(part: Path, target: Path, file: BinaryIO) -> None:
    if not _is_open_as(part, file.fileno()):
        raise OSError(errno.ESTALE, "its temporary file was replaced by another program")
    if os.name == "nt":
        file.close()
    os.replace(part, target)  # noqa: PTH105 Path.replace would hide that this is the point
    _temporary.discard(part)


def _discard(part: Path) -> None:
    if part in _temporary:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        _temporary.discard(part)


def discard_parts() -> None:
    """Remove the temporary files of this process, before it ends without further ado."""
    for part in list(_temporary):
        _discard(part)


def remove_stale_parts(target: Path) -> None:
    """Remove what killed processes have left beside `target`; what a live one writes is locked."""
    beginning = _hidden_name(target, "").name.removesuffix("..part")
    pattern = re.compile(re.escape(beginning) + r"(\.\w+)?\.part")
    for name in _parts_in(os.path.abspath(target.parent)):  # noqa: PTH100 links stay
        if pattern.fullmatch(name):
            _remove_stale(target.with_name(name))


@lru_cache(maxsize=1024)
def _parts_in(folder: str) -> tuple[str, ...]:
    """Temporary files of any program, listed once: later ones are left to the next process."""
    return tuple(glob.glob(".*.part", root_dir=folder))  # noqa: PTH207 only names are wanted


def _remove_stale(part: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(part, os.O_RDONLY | _NO_WAIT | _SAFE)
        try:
            if _lock(descriptor) is True and _is_open_as(part, descriptor):
                part.unlink()
        finally:
            os.close(descriptor)


def _hidden_name(target: Path, mark: str) -> Path:
    """mark: of up to 8 characters; the name is the same but for it."""
    name = target.name
    if len(os.fsencode(f".{name}.{8 * '0'}.part")) > LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return target.with_name(f".{name}.{mark}.part")


class FileLock:
    """A lock that ends with `release`, or with the process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def release(self) -> None:
        _discard(self._path)
        os.close(self._descriptor)

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()


def try_lock(target: Path) -> FileLock | None:
    """Reserve a file or folder for this process; None if another one has it.

    The lock is a hidden file beside `target`. Where the file system knows no locks, nobody is kept
    away. Raises OSError where the folder cannot be written to.
    """
    path = _hidden_name(target, "lock")
    while True:
        descriptor = _open_lock(path)
        if _lock(descriptor) is False:
            os.close(descriptor)
            return None
        if _is_open_as(path, descriptor):  # else it was released, and removed, in between
            _temporary.add(path)
            return FileLock(path, descriptor)
        os.close(descriptor)


def lock_target(path: Path, error: type[SrganError] = ImageError) -> FileLock | None:
    """`try_lock` for the file that writing to `path` replaces; `error` if it cannot be written."""
    target = writable_target(path, error)
    try:
        return try_lock(target)
    except OSError as os_error:
        raise error(explain_write_error(path, target.parent, os_error)) from os_error


@contextmanager
def locked_target(path: Path, error: type[SrganError] = ImageError) -> Iterator[None]:
    """Hold the lock of `lock_target`; raises `error` also where another process has it."""
    lock = lock_target(path, error)
    if lock is None:
        raise error(f"{printable(path)}: another srgan is writing it; wait, or name another file")
    with lock:
        yield


def _open_lock(path: Path) -> int:
    flags = os.O_CREAT | _NO_WAIT | _SAFE
    try:
        return os.open(path, os.O_RDWR | flags, 0o666)
    except PermissionError:  # a stale one of another user
        return os.open(path, os.O_RDONLY | _NO_WAIT | _SAFE)


def _lock(descriptor: int) -> bool | None:
    """Whether this process has the lock now; None where there are no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_open_as(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except OSError:
        return False


def discard_stream(stream: TextIO | None) -> None:
    """Redirect `stream` to os.devnull, with what it still buffers, which exit would write."""
    with suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())  # type: ignore[union-attr]
        os.close(null)

"""Files are found by one rule, opened only if regular, and replaced only by complete ones."""

import fcntl
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from srgan_cli import files
from srgan_cli.errors import ImageError, WeightsError
from srgan_cli.files import (
    NotRegularFileError,
    atomic_write,
    discard_parts,
    open_regular,
    printable,
    read_regular,
    remove_stale_parts,
    try_lock,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(path: Path, data: bytes = b"new") -> None:
    with atomic_write(path) as file:
        file.write(data)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Opening


def test_a_regular_file_is_opened_also_through_a_link(tmp_path):
    (tmp_path / "a").write_bytes(b"data")
    (tmp_path / "link").symlink_to("a")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"data"


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotRegularFileError, match="is a pipe"):
        open_regular(tmp_path / "pipe")


def test_a_file_is_read_up_to_a_limit(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert read_regular(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_regular(tmp_path / "a", 4)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/null"])
def test_a_link_to_a_device_is_refused(tmp_path, device):
    (tmp_path / "link.png").symlink_to(device)
    with pytest.raises(NotRegularFileError, match="is a device"):
        open_regular(tmp_path / "link.png")


def test_folders_sockets_and_missing_files_are_os_errors(tmp_path):
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "nothing")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket"))
        with pytest.raises(OSError):  # noqa: PT011 systems name it differently
            open_regular(tmp_path / "socket")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux")
def test_refused_files_are_closed(tmp_path):
    descriptors = Path("/proc/self/fd")
    before = len(names(descriptors))
    for _ in range(3):
        with pytest.raises(IsADirectoryError):
            open_regular(tmp_path)
    assert len(names(descriptors)) == before


# Writing


def test_after_an_exception_the_old_file_stays_and_no_part(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with atomic_write(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_an_error_of_the_kind_asked_for(tmp_path):
    def full() -> None:
        with atomic_write(tmp_path / "a.bin", WeightsError) as file:
            file.write(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(WeightsError, match=r"a.bin: cannot be written .No space left"):
        full()
    assert not list(tmp_path.iterdir())


def test_temporary_names_are_random_hidden_and_fit(tmp_path):
    for target in (tmp_path / "a.png", tmp_path / ("n" * 251 + ".png")):
        with atomic_write(target), atomic_write(target):
            first, second = names(tmp_path)
            assert first != second
            assert {first[0], second[0]} == {"."}
            assert first.endswith(".part")
            assert len(first) <= 255
        target.unlink()


def test_links_planted_under_temporary_names_are_not_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    tokens = iter(["planted", "free"])
    monkeypatch.setattr(files.secrets, "token_hex", lambda size: next(tokens))
    for name in (".a.png.planted.part", ".a.png.part", ".a.png.lock.part"):
        (tmp_path / name).symlink_to(victim)
    write(tmp_path / "a.png")
    assert victim.read_bytes() == b"mine"
    assert (tmp_path / "a.png").read_bytes() == b"new"
    with pytest.raises(OSError):  # noqa: PT011 systems name it differently
        try_lock(tmp_path / "a.png")


def test_a_part_that_another_program_replaced_does_not_get_the_name(tmp_path):
    path = tmp_path / "a.bin"

    def replaced() -> None:
        with atomic_write(path) as file:
            file.write(b"ours")
            (part,) = tmp_path.iterdir()
            part.unlink()
            part.write_bytes(b"theirs")

    with pytest.raises(ImageError, match="replaced by another program"):
        replaced()
    assert not path.exists()


def test_a_new_file_follows_the_umask_and_a_replaced_one_keeps_its_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "new")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "new") == 0o640
    for mode in (0o600, 0o664):
        (tmp_path / "new").chmod(mode)
        write(tmp_path / "new")
        assert mode_of(tmp_path / "new") == mode


def test_what_replaces_a_private_file_is_private_from_the_beginning(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o600)
    with atomic_write(path) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600


def test_two_writers_of_one_file_leave_one_whole_result(tmp_path):
    path = tmp_path / "a"
    with atomic_write(path) as first:
        first.write(b"one")
        write(path, b"two")
        first.write(b"one")
    assert path.read_bytes() == b"oneone"
    assert names(tmp_path) == ["a"]


def test_stale_parts_go_and_locked_ones_stay(tmp_path):
    path = tmp_path / "a.png"
    stale = [".a.png.part", ".a.png.0123abcd.part", ".a.png.lock.part"]
    others = [".b.png.0123abcd.part", ".a.png.bak", "xa.png.part"]
    for name in (*stale, *others):
        (tmp_path / name).touch()
    (tmp_path / ".a.png.ffffffff.part").touch()
    with (tmp_path / ".a.png.ffffffff.part").open() as live:
        fcntl.flock(live, fcntl.LOCK_EX)
        remove_stale_parts(path)
    assert names(tmp_path) == sorted([*others, ".a.png.ffffffff.part"])


@pytest.mark.parametrize("length", [236, 240, 241, 244, 245, 248, 250, 255])
def test_stale_parts_of_long_names_go(tmp_path, length):
    path = tmp_path / ("n" * length)
    left = [files._hidden_name(path, mark) for mark in ("0123abcd", "lock")]
    for part in left:
        part.touch()
    remove_stale_parts(path)
    assert not names(tmp_path)


def test_a_folder_is_listed_once_for_all_its_files(tmp_path, monkeypatch):
    listed, real = [], files.glob.glob
    monkeypatch.setattr(
        files.glob, "glob", lambda *words, **more: listed.append(words) or real(*words, **more)
    )
    (tmp_path / ".b.0123abcd.part").touch()
    for name in "abc":
        write(tmp_path / name)
    assert len(listed) == 1
    monkeypatch.undo()
    assert names(tmp_path) == ["a", "b", "c"]


def test_parts_of_this_process_can_be_discarded_at_once(tmp_path):
    path = tmp_path / "a"

    def stopped() -> None:
        with atomic_write(path) as file:
            file.write(b"half")
            discard_parts()
            assert not names(tmp_path)

    with pytest.raises(ImageError):
        stopped()
    assert not names(tmp_path)


# Locks


def test_a_lock_keeps_others_away_until_it_is_released(tmp_path):
    target = tmp_path / "a.png"
    lock = try_lock(target)
    assert lock is not None
    assert try_lock(target) is None
    with try_lock(tmp_path / "b.png"):  # type: ignore[union-attr]
        lock.release()
    with try_lock(target):  # type: ignore[union-attr]
        write(target)  # cleaning up does not remove the lock
        assert try_lock(target) is None
    assert names(tmp_path) == ["a.png"]


def test_a_process_that_is_gone_has_no_lock(tmp_path):
    code = "import sys; from pathlib import Path; from srgan_cli.files import try_lock\n"
    code += "lock = try_lock(Path(sys.argv[1])); print(lock is not None, flush=True)\n"
    code += "sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "a")],
        env=os.environ | {"PYTHONPATH": str(Path(files.__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "True\n"
    assert try_lock(tmp_path / "a") is None
    child.kill()
    child.communicate()
    lock = try_lock(tmp_path / "a")
    assert lock is not None
    lock.release()
    assert not names(tmp_path)


def test_where_the_system_has_no_locks_nothing_is_taken_for_stale(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "fcntl", None)
    (tmp_path / ".a.0123abcd.part").touch()
    remove_stale_parts(tmp_path / "a")
    write(tmp_path / "a")
    assert names(tmp_path) == [".a.0123abcd.part", "a"]


def test_a_name_of_more_than_one_line_becomes_one():
    assert printable("new\nline\x1b[31m.png") == "new\\nline\\x1b[31m.png"


# Appending


def test_lines_are_appended_to_regular_files_only(tmp_path):
    log = tmp_path / "log"
    files.append_regular(log, b"a\n")
    files.append_regular(log, b"b\n")
    assert log.read_bytes() == b"a\nb\n"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(OSError):  # noqa: PT011 a pipe that nobody reads has no kind of its own
            files.append_regular(tmp_path / name, b"x")

"""Pickles that would hang, crash or swell torch.load are refused before it sees them."""

import io
import struct
import zipfile
from pathlib import Path
from pickle import UnpicklingError

import pytest
import torch

from srgan_cli.errors import WeightsError
from srgan_cli.weights import pickle_check
from srgan_cli.weights.pickle_check import MAX_STACK, ForbiddenCallError, check_pickle
from srgan_cli.weights.tensor_files import LEGACY_MAGIC, read_tensors

PROTO = b"\x80\x02"
STORAGE = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ"
"""Four floats."""


def check(program: bytes):
    return check_pickle(io.BytesIO(PROTO + program + b"."))


@pytest.mark.parametrize("limit", ["MAX_PICKLE", "MAX_OPCODES"])
def test_a_pickle_that_is_too_long_is_not_read_to_its_end(limit, tmp_path, monkeypatch):
    path = tmp_path / "legacy.pth"
    state = {"a": torch.zeros(3), "log": [None] * 1000}
    torch.save(state, path, _use_new_zipfile_serialization=False)
    assert torch.equal(read_tensors(path)["a"], state["a"])
    monkeypatch.setattr(pickle_check, limit, 1000)
    with pytest.raises(WeightsError, match="a pickle that is too long"):
        read_tensors(path)


def doubled_tuple(times: int) -> bytes:
    """A tuple that holds the one before it twice, so many times: 2 ** times to hash."""
    steps = (f"h{chr(i)}h{chr(i)}\x86q{chr(i + 1)}".encode("latin1") for i in range(times))
    return b"K\x01\x85q\0" + b"".join(steps)


def rebuilt(arguments: bytes, name: str = "_rebuild_tensor_v2") -> bytes:
    return b"ctorch._utils\n" + name.encode() + b"\n(" + arguments + b"tR"


def zipped(path: Path, program: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", PROTO + program + b".")
        archive.writestr("archive/version", b"3\n")
    return path


@pytest.mark.parametrize(
    "program",
    [
        b"}" + doubled_tuple(60) + b"K\x01s",
        b"}K\x01" + b"\x85" * 20_000 + b"K\x01s",
        b"]" * (MAX_STACK + 1),
        b"(" * (MAX_STACK + 1),
        b"}]K\x01s",
        b"}r\xff\xff\xff\x7f",
        b"h\x07",
        b"K\x01\x86",
        b"t",
        b"K\x01K\x01R",
        b"K\x01K\x01b",
        b"K\x01Q",
        b"ccollections\nOrderedDict\nK\x01R",
        rebuilt(b"K\x01K\0K\x04\x85K\x01\x85\x89N"),
        rebuilt(STORAGE + b"K\0K\x04\x85K\x01\x85\x89K\x01\x85"),
        rebuilt(STORAGE + b"K\0K\x04\x85K\x01\x85\x89N}"),
        rebuilt(STORAGE + b"K\0(" + b"K\x01" * 100 + b"t(" + b"K\x01" * 100 + b"t\x89N"),
        rebuilt(STORAGE + b"K\x01K\x04\x85K\x01\x85\x89N"),
        rebuilt(b"K\x01\x89N", "_rebuild_parameter"),
        b"(X\x07\0\0\0storagectorch\nFloatStorage\nK\x01X\x03\0\0\0cpuJ\xff\xff\xff\xfftQ",
    ],
    ids=lambda program: repr(program[:24]),
)
def test_a_pickle_that_is_not_harmless_is_refused(program):
    with pytest.raises((UnpicklingError, ValueError)):
        check(program)


@pytest.mark.parametrize(
    "name", [b"posix\nsystem", b"builtins\nbytearray", b"builtins\nset", b"torch\nload"]
)
def test_only_what_tensors_need_may_be_named(name):
    with pytest.raises(ForbiddenCallError):
        check(b"c" + name + b"\n")


def test_text_is_encoded_only_as_bytes_are():
    encode = b"c_codecs\nencode\nX\x01\0\0\0aX\x04\0\0\0idna\x86R"
    with pytest.raises(ForbiddenCallError):
        check(encode)
    check(encode.replace(b"\x04\0\0\0idna", b"\x06\0\0\0latin1"))


def test_sizes_of_storages_and_tensors_are_known_before_they_are_allocated():
    contents = check(rebuilt(STORAGE + b"K\0K\x02K\x02\x86K\x02K\x01\x86\x89N"))
    assert contents.storages == {"0": 16}
    assert contents.tensor_bytes == 16


def test_a_nested_key_in_any_kind_of_file_is_refused_at_once(tmp_path):
    program = b"}" + doubled_tuple(60) + b"K\x01s"
    old = tmp_path / "old.pth"
    old.write_bytes(LEGACY_MAGIC + (PROTO + program + b".") * 4)
    for path in (old, zipped(tmp_path / "new.pth", program)):
        with pytest.raises(WeightsError, match="tuple of too many values"):
            read_tensors(path)


def test_a_claim_in_an_old_file_allocates_nothing(tmp_path):
    """Four storages of 2 GiB each in some hundred bytes."""
    elements = b"J" + struct.pack("<i", 1 << 29)
    claims = b"".join(
        STORAGE.replace(b"K\x04t", elements + b"t").replace(b"\x000X", b"\0%dX" % i) + b"0"
        for i in range(4)
    )
    path = tmp_path / "old.pth"
    pickles = (b"M\xe9\x03", b"}", b"}" + claims.replace(b"Q0", b"Q\x85"), b"]", b"]")
    path.write_bytes(LEGACY_MAGIC + b"".join(PROTO + p + b"." for p in pickles[:2]))
    with path.open("ab") as file:
        file.write(b"".join(PROTO + p + b"." for p in pickles[2:]))
    with pytest.raises(WeightsError, match="larger than the file"):
        read_tensors(path)


def test_what_torch_saves_passes():
    state = {"a": torch.zeros(3), "b": torch.nn.Parameter(torch.zeros(2, 2)), 3: [(1, 2.5), None]}
    saved = io.BytesIO()
    torch.save(state, saved)
    with zipfile.ZipFile(saved) as archive:
        pickled = next(archive.read(n) for n in archive.namelist() if n.endswith("data.pkl"))
    assert check_pickle(io.BytesIO(pickled)).tensor_bytes == 12 + 16

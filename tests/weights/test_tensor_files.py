"""Files are read without trust: nothing in them is run, none takes more than its size warrants."""

import io
import os
import pickle
import time
import zipfile
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from srgan_cli.errors import WeightsError
from srgan_cli.weights.tensor_files import MAX_FILE, read_tensors


class Evil:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.witness),)


class Claimed:
    """A tensor that says it is larger than what is stored of it."""

    def __init__(self, size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> None:
        self.size, self.stride, self.offset = size, stride, offset

    def __reduce__(self) -> tuple:
        storage = torch.storage.TypedStorage(
            wrap_storage=torch.zeros(4).untyped_storage(), dtype=torch.float32, _internal=True
        )
        arguments = (storage, self.offset, self.size, self.stride, False, OrderedDict())
        return torch._utils._rebuild_tensor_v2, arguments


def refused(path: Path, message: str) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        read_tensors(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_that_wants_code_is_refused_by_name_and_not_run(tmp_path, zipped):
    path, witness = tmp_path / "evil.pth", tmp_path / "witness"
    torch.save({"w": Evil(witness)}, path, _use_new_zipfile_serialization=zipped)
    refused(path, r"would run \w+\.mkdir, .* where you trust it")
    assert not witness.exists()


def test_a_plain_pickle_is_refused_and_not_run(tmp_path):
    path, witness = tmp_path / "evil.pkl", tmp_path / "witness"
    path.write_bytes(pickle.dumps({"w": Evil(witness)}))
    refused(path, "torch.save did not write")
    assert not witness.exists()


@pytest.mark.parametrize("thing", [nn.Conv2d(1, 1, 1), {"options": SimpleNamespace(scale=4)}])
def test_a_whole_program_object_is_refused_with_advice(tmp_path, thing):
    path = tmp_path / "object.pth"
    torch.save(thing, path)
    refused(path, r"would run .*state_dict\(\)")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "claim",
    [
        Claimed((1 << 40,), (1,)),
        Claimed((1 << 20, 1 << 20), (0, 0)),
        Claimed((2, 2), (4, 1)),
        Claimed((4,), (1,), offset=1),
        Claimed((-1,), (1,)),
        Claimed((2, 2), (1,)),
    ],
)
def test_tensors_larger_than_their_storage_are_refused_before_allocation(tmp_path, zipped, claim):
    path = tmp_path / "claim.pth"
    torch.save({"w": claim}, path, _use_new_zipfile_serialization=zipped)
    refused(path, "larger than the file|damaged")


def test_the_same_bytes_claimed_a_thousand_times_are_refused(tmp_path):
    path, tensor = tmp_path / "many.pth", torch.zeros(1 << 16)
    torch.save({str(i): tensor[:] for i in range(1000)}, path)
    refused(path, "larger than the file")


def rewritten(path: Path, change: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    """The zip at `path` with some members changed or added."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    folder = next(iter(members)).split("/")[0]
    members |= {f"{folder}/{name}": data for name, data in change.items()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def small(path: Path) -> Path:
    torch.save({"w": torch.arange(4.0)}, path)
    return path


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_damaged_compressed_member_is_told(tmp_path, compression):
    path = small(tmp_path / "damaged.pth")
    rewritten(path, {}, compression)
    with zipfile.ZipFile(path) as archive:
        member = archive.infolist()[0]
    content = bytearray(path.read_bytes())
    begin = member.header_offset + 30 + len(member.filename)
    if compression == zipfile.ZIP_LZMA:
        begin += 9  # its properties
    content[begin : begin + 8] = b"\xff" * 8
    path.write_bytes(content)
    refused(path, "damaged")


def test_a_zip_bomb_is_refused(tmp_path):
    path = small(tmp_path / "bomb.pth")
    rewritten(path, {"data/1": bytes(1 << 26)}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 18
    refused(path, "would unpack to")


def test_a_storage_cut_short_is_refused(tmp_path):
    path = small(tmp_path / "short.pth")
    rewritten(path, {"data/0": b"1234"})
    refused(path, "larger than the file")


def test_a_torchscript_program_is_refused(tmp_path):
    path = small(tmp_path / "script.pt")
    rewritten(path, {"code/net.py": b"def forward(self): ..."})
    refused(path, "TorchScript")


def test_a_memo_bomb_is_refused(tmp_path):
    path = small(tmp_path / "memo.pth")
    rewritten(path, {"data.pkl": b"\x80\x02}r\xff\xff\xff\x7f."})
    refused(path, "memo")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n <!DOCTYPE html><html>Sign in</html>", "an HTML page"),
        (b"<html><body>404</body></html>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "Git LFS pointer"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"", "empty"),
        (b"weights, honestly", "neither a PyTorch nor a safetensors file"),
        (b"PK\x03\x04 no archive", "damaged"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80", "damaged"),
        ((9).to_bytes(8, "little") + b'{"a": 1}, and more', "damaged"),
    ],
)
def test_what_is_no_weights_file_is_named(tmp_path, content, message):
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    refused(path, message)


def test_an_ordinary_zip_is_no_weights_file(tmp_path):
    path = tmp_path / "photos.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("photos/a.txt", "hello")
    refused(path, "not one that torch.save wrote")


def test_missing_files_and_folders_are_named(tmp_path):
    refused(tmp_path / "nothing.pth", "no such file")
    refused(tmp_path, "a folder")


def test_only_regular_files_are_read(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs named pipes")
    os.mkfifo(tmp_path / "pipe.pth")
    (tmp_path / "zero.pth").symlink_to("/dev/zero")
    refused(tmp_path / "pipe.pth", "not a regular file")
    refused(tmp_path / "zero.pth", "not a regular file")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.write((64).to_bytes(8, "little") + b"{")
        file.truncate(MAX_FILE + 1)
    refused(path, "too large")


def test_a_caller_says_how_large_a_file_may_be(tmp_path):
    path = tmp_path / "a.pt"
    torch.save({"a": torch.zeros(3)}, path)
    size = path.stat().st_size
    assert read_tensors(path, size)["a"].shape == (3,)
    with pytest.raises(WeightsError, match="too large"):
        read_tensors(path, size - 1)


def test_names_from_a_file_are_escaped(tmp_path):
    path = tmp_path / "escapes.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02c\x1b]0;owned\x07os\nsystem\x1b[31m\n.")
    with pytest.raises(WeightsError) as caught:
        read_tensors(path)
    assert str(caught.value).isprintable()


def test_what_is_loaded_is_what_was_checked(tmp_path):
    """A second archive in front, which other readers might find."""
    hidden = small(tmp_path / "hidden.pth").read_bytes()
    path = tmp_path / "two.pth"
    torch.save({"w": torch.ones(2)}, path)
    path.write_bytes(hidden + path.read_bytes())
    assert torch.equal(read_tensors(path)["w"], torch.ones(2))


def test_a_bare_tensor_is_no_state_dict(tmp_path):
    path = tmp_path / "tensor.pth"
    torch.save(torch.zeros(3), path)
    refused(path, "holds a Tensor; save a state dict")


@pytest.mark.parametrize("zipped", [True, False])
def test_what_programs_save_beside_tensors_is_read(tmp_path, zipped):
    path, shared = tmp_path / "run.ckpt", torch.arange(12.0).reshape(3, 4)
    found = {
        "epoch": 3,
        "best": {"psnr": 30.5, "name": "ü", "shape": shared.shape, "dtype": torch.float16},
        "net": OrderedDict(a=nn.Parameter(shared), b=shared.T, c=torch.tensor(True)),
        "optimizer": {"state": {0: {"step": torch.tensor(4)}}, "param_groups": [{"lr": 1e-4}]},
        "half": shared.bfloat16(),
        "empty": torch.zeros(0, 3),
    }
    torch.save(found, path, _use_new_zipfile_serialization=zipped)
    read = read_tensors(path)
    assert read["best"] == found["best"]
    for key in "abc":
        assert torch.equal(read["net"][key], found["net"][key])
    assert torch.equal(read["half"], found["half"])


def test_a_module_state_dict_with_its_metadata_is_read(tmp_path):
    path, layer = tmp_path / "layer.pth", nn.BatchNorm2d(3)
    torch.save(layer.state_dict(), path)
    assert set(read_tensors(path)) == set(layer.state_dict())


def test_a_large_file_takes_well_under_a_second(tmp_path):
    path = tmp_path / "large.pth"
    torch.save({str(i): torch.zeros(24_000) for i in range(700)}, path)  # 67 MB, as RRDBNet's
    begin = time.process_time()
    read_tensors(path)
    assert time.process_time() - begin < 1.0


def test_reading_says_nothing_on_its_own(tmp_path, capsys):
    buffer = io.BytesIO()
    torch.save({"w": torch.zeros(3)}, buffer, _use_new_zipfile_serialization=False)
    (tmp_path / "old.pth").write_bytes(buffer.getvalue())
    read_tensors(tmp_path / "old.pth")
    assert capsys.readouterr() == ("", "")


def test_another_pickle_protocol_is_read_without_a_warning(tmp_path):
    path = tmp_path / "three.pth"
    torch.save({"w": torch.arange(3.0)}, path, pickle_protocol=3)
    assert torch.equal(read_tensors(path)["w"], torch.arange(3.0))


def test_a_protocol_that_torch_cannot_read_safely_is_refused_with_advice(tmp_path):
    path = tmp_path / "four.pth"
    torch.save({"w": torch.arange(3.0)}, path, pickle_protocol=4)
    refused(path, r"cannot read it safely .*state_dict\(\)")

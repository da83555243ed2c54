"""Weights files of other programs, read without trusting them; and the like of them, written.

Nothing in a file is run, and nothing is allocated that its own size does not warrant: first goes an
inert unpickler, which builds descriptions instead of tensors, and then torch.load, weights_only.
"""

import pickle
import pickletools
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from math import prod
from pathlib import Path
from typing import IO, Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from srgan_cli.errors import WeightsError

SWELLING = 4  # times its own size that a file may take in memory
ALLOWANCE = 1 << 20  # bytes on top, for very small files
LARGEST_PICKLE = 1 << 26  # bytes; tensors lie outside of it
LEGACY_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."

SIGNATURES = (
    (b"version https://git-lfs", "a Git LFS pointer: fetch the file itself with `git lfs pull`"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89HDF", "an HDF5 (Keras) file: convert it to PyTorch or safetensors first"),
    (b"GGUF", "a GGUF file: convert it to safetensors first"),
    (b"7767517", "an ncnn description: convert its network to PyTorch first"),
)

BROKEN = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What Python's and torch's readers raise on damaged files."""


def read_tensors(path: Path) -> dict[str, Any]:
    """What a .pth, .pt, .ckpt (of any age) or .safetensors file holds, on the CPU.

    The suffix does not matter. Nested as it was saved: `srgan_cli.weights.foreign` unwraps it.
    Raises WeightsError for what is missing, damaged, something else, or wants code to be run.
    """
    try:
        with path.open("rb") as file:
            start = file.read(512)
            found = _load(path, file, start)
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise WeightsError(f"{path}: a folder; give a weights file in it") from error
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({_brief(error)})") from error
    except (*BROKEN, SafetensorError) as error:
        raise WeightsError(f"{path}: damaged or cut off; get it again ({_brief(error)})") from error
    if not isinstance(found, Mapping):
        kind = type(found).__name__
        raise WeightsError(f"{path}: holds a {kind}; save a state dict (tensors by name)")
    return {str(key): value for key, value in found.items()}


def _brief(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:100] if lines else type(error).__name__


def _load(path: Path, file: IO[bytes], start: bytes) -> object:
    _refuse_other_types(path, start)
    size = path.stat().st_size
    if start.startswith(b"PK"):
        _check_zip(path, file, size)
    elif start.startswith(LEGACY_MAGIC):
        _check_legacy(path, file, size)
    elif 0 < int.from_bytes(start[:8], "little") < size and start[8:9] == b"{":
        return load_file(path)
    elif start[:1] == b"\x80":
        raise WeightsError(f"{path}: a pickle that torch.save did not write; {ADVICE}")
    else:
        raise WeightsError(f"{path}: neither a PyTorch nor a safetensors file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old storages and other pickle protocols
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: torch cannot read it safely ({_brief(error)}); {ADVICE}"
        ) from error


ADVICE = (
    "where you trust it, load it in the program it comes from and save the network's "
    "state_dict() by safetensors.torch.save_file"
)


def _refuse_other_types(path: Path, start: bytes) -> None:
    if not start:
        raise WeightsError(f"{path}: an empty file; get it again")
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise WeightsError(f"{path}: an HTML page, saved in place of the download; get it again")
    for magic, what in SIGNATURES:
        if start.startswith(magic):
            raise WeightsError(f"{path}: not a weights file but {what}")


def _check_zip(path: Path, file: IO[bytes], size: int) -> None:
    with zipfile.ZipFile(file) as archive:
        members = {member.filename: member.file_size for member in archive.infolist()}
        if len(members) != len(archive.infolist()):
            raise WeightsError(f"{path}: names one part twice; get it again")
        if sum(members.values()) > SWELLING * size + ALLOWANCE:
            total = sum(members.values())
            raise WeightsError(f"{path}: {size} bytes that would unpack to {total}; refused")
        folder = next(iter(members), "").split("/")[0]
        if any(name.startswith(f"{folder}/code/") for name in members):
            raise WeightsError(f"{path}: a TorchScript program, and its code is not run; {ADVICE}")
        if members.get(f"{folder}/data.pkl", LARGEST_PICKLE) >= LARGEST_PICKLE:
            raise WeightsError(f"{path}: a zip archive, but not one that torch.save wrote")
        with archive.open(f"{folder}/data.pkl") as pickled:
            described = _describe(path, pickled.read())
    for key, storage in described.storages.items():
        if storage > members.get(f"{folder}/data/{key}", -1):
            raise WeightsError(f"{path}: claims tensors larger than the file; refused")
    described.check(path, size)


def _check_legacy(path: Path, file: IO[bytes], size: int) -> None:
    """Before torch 1.6: magic number, version, machine, the pickle, then the tensors' bytes."""
    file.seek(0)
    for _ in range(3):
        _skip(file)
    begin = file.tell()
    _skip(file)
    length = file.tell() - begin
    file.seek(begin)
    described = _describe(path, file.read(length))
    if sum(described.storages.values()) > size:
        raise WeightsError(f"{path}: claims tensors larger than the file; refused")
    described.check(path, size)


def _skip(file: IO[bytes]) -> None:
    for _ in pickletools.genops(file):
        pass


@dataclass(frozen=True)
class Shape:
    """A tensor that was not built."""

    elements: int  # of its storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    width: int  # bytes an element

    def fits(self) -> bool:
        numbers = (self.offset, *self.size, *self.stride)
        if len(self.size) != len(self.stride) or not all(type(n) is int for n in numbers):
            return False
        if min(numbers) < 0 or prod(self.size) > self.elements:
            return False
        last = sum((n - 1) * step for n, step in zip(self.size, self.stride, strict=True))
        return 0 in self.size or self.offset + last < self.elements


@dataclass
class Description:
    """What unpickling a file would build."""

    storages: dict[str, int] = field(default_factory=dict)  # key -> bytes
    tensors: list[Shape] = field(default_factory=list)

    def check(self, path: Path, size: int) -> None:
        total = sum(prod(tensor.size) * tensor.width for tensor in self.tensors if tensor.fits())
        fits = all(tensor.fits() for tensor in self.tensors)
        if not fits or total > SWELLING * size + ALLOWANCE:
            raise WeightsError(f"{path}: claims tensors larger than the file; refused")


class Inert:
    """Stands in for what a pickle names: a call describes what would be built. Unchangeable."""

    __slots__ = ("_build",)

    def __init__(self, build: Callable[..., object]) -> None:
        object.__setattr__(self, "_build", build)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)

    def __call__(self, *arguments: object) -> object:
        build: Callable[..., object] = object.__getattribute__(self, "_build")
        return build(*arguments)


class Describing(pickle.Unpickler):
    """Runs nothing of what it reads: every name leads to an `Inert` or to a refusal."""

    def __init__(self, path: Path, data: bytes) -> None:
        super().__init__(BytesIO(data))
        self._path = path
        self.found = Description()
        self._names: dict[str, object] = {
            "collections.OrderedDict": Inert(OrderedDict),
            "collections.defaultdict": Inert(lambda *_: {}),
            "_codecs.encode": Inert(lambda *_: b""),
            "torch.Size": Inert(tuple),
            "torch.device": Inert(lambda *_: None),
            "torch._utils._rebuild_tensor": Inert(self._tensor),
            "torch._utils._rebuild_tensor_v2": Inert(self._tensor),
            "torch._utils._rebuild_parameter": Inert(lambda tensor, *_: tensor),
            "torch._utils._rebuild_parameter_with_state": Inert(lambda tensor, *_: tensor),
        }

    def find_class(self, module: str, name: str) -> object:
        full = f"{module}.{name}"
        if full in self._names:
            return self._names[full]
        if module in ("torch", "torch.storage") and name in WIDTHS:
            return WIDTHS[name]
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return name
        raise WeightsError(
            f"{self._path}: wants to run {full}, and code in weights files is not run; {ADVICE}"
        )

    def persistent_load(self, pid: Any) -> tuple[int, int]:
        kind, width, key, _, elements = pid[:5]
        if kind != "storage" or type(width) is not int or type(elements) is not int or elements < 0:
            raise pickle.UnpicklingError("an unknown kind of storage")
        storages = self.found.storages
        storages[str(key)] = max(storages.get(str(key), 0), width * elements)
        return width, elements

    def _tensor(
        self, storage: tuple[int, int], offset: int, size: Any, stride: Any, *_: object
    ) -> Shape:
        width, elements = storage
        shape = Shape(elements, offset, tuple(size), tuple(stride), width)
        self.found.tensors.append(shape)
        return shape


WIDTHS = {
    "DoubleStorage": 8,
    "FloatStorage": 4,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "LongStorage": 8,
    "IntStorage": 4,
    "ShortStorage": 2,
    "CharStorage": 1,
    "ByteStorage": 1,
    "BoolStorage": 1,
    "UntypedStorage": 1,
}
"""Storage class -> bytes an element."""


def _describe(path: Path, pickled: bytes) -> Description:
    for count, (code, argument, _) in enumerate(pickletools.genops(pickled)):
        if code.name in ("PUT", "BINPUT", "LONG_BINPUT") and (argument or 0) > count:
            raise pickle.UnpicklingError("a memo larger than the pickle")
    reader = Describing(path, pickled)
    reader.load()
    return reader.found


def write_torch_file(value: Any, file: BinaryIO) -> None:
    """What torch.save makes of tensors and plain values. OSError where the disk refuses it.

    By way of memory: writing to a file itself, torch hides what is wrong with the disk.
    """
    memory = BytesIO()
    torch.save(value, memory)
    file.write(memory.getbuffer())

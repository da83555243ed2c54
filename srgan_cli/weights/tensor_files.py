"""Files of tensors, .safetensors or written by torch.save, read without trusting them.

No code in a file runs, and nothing is allocated that the file's own size does not warrant.
"""

import io
import json
import lzma
import pickle
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors

from srgan_cli.errors import WeightsError
from srgan_cli.files import NotRegularFileError, open_regular, printable
from srgan_cli.weights.pickle_check import (
    MAX_PICKLE,
    ForbiddenCallError,
    PickleContents,
    UnsupportedOpcodeError,
    check_pickle,
)

MAX_FILE = 1 << 30  # bytes
MAX_HEADER = 1 << 24  # bytes of a safetensors header
MAX_EXPANSION = 4  # times its own size that a file may take in memory
EXTRA_BYTES = 1 << 20  # bytes on top, for very small files
LEGACY_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
LEGACY_PICKLES = 5  # magic number, protocol, machine, the object, keys of the storages

BINARY_MAGIC = (7767517).to_bytes(4, "little")
BINARY_GRAPH = "in binary form (.param.bin): give NAME.param, the text that it was made from"

SIGNATURES = (
    (b"version https://git-lfs", "a Git LFS pointer: fetch the file itself with `git lfs pull`"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89HDF", "an HDF5 (Keras) file: convert it to PyTorch or safetensors first"),
    (b"GGUF", "a GGUF file: convert it to safetensors first"),
    (b"7767517", "an ncnn graph: name it NAME.param, and its numbers NAME.bin beside it"),
    (BINARY_MAGIC, f"an ncnn graph {BINARY_GRAPH}"),
)
"""First bytes of files that are often given by mistake -> what they are."""

READ_ERRORS = (
    SafetensorError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
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
"""What the readers of Python, torch and safetensors raise for damaged files."""

SUGGESTION = (
    "where you trust it, load it in the program it comes from and save the network's "
    "state_dict() by safetensors.torch.save_file"
)


@dataclass(frozen=True, eq=False)
class TensorFile:
    """tensors: nested as they were saved. header: the metadata of a safetensors file."""

    tensors: dict[str, Any]
    header: dict[str, str] = field(default_factory=dict)


def read_tensors(path: Path, max_bytes: int = MAX_FILE) -> dict[str, Any]:
    """The tensors of `read_tensor_file`."""
    return read_tensor_file(path, max_bytes).tensors


def read_tensor_file(path: Path, max_bytes: int = MAX_FILE) -> TensorFile:
    """Read a .pth, .pt, .ckpt (of any torch) or .safetensors file; its suffix does not matter.

    max_bytes: size of the largest file that is read.

    Raises WeightsError, one line with the path, for what is missing, damaged, something else, no
    regular file, or would run code.
    """
    try:
        with open_regular(path) as file:
            return _read(file, max_bytes)
    except (OSError, WeightsError, *READ_ERRORS) as error:
        raise WeightsError(printable(f"{path}: {_problem(error)}")) from error


def _problem(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "no such file"
        case IsADirectoryError():
            return "a folder; give a weights file in it"
        case NotRegularFileError():
            return str(error.strerror)
        case OSError():
            return f"cannot be read ({_first_line(error)})"
        case WeightsError():
            return str(error)
        case ForbiddenCallError():
            return f"would run {error.name}, and code in weights files is not run; {SUGGESTION}"
        case UnsupportedOpcodeError():
            return str(_load_error(error))
    return f"damaged or cut off; get it again ({_first_line(error)})"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:100] if lines else type(error).__name__


def _read(file: BinaryIO, max_bytes: int) -> TensorFile:
    start, size = file.read(512), file.seek(0, io.SEEK_END)
    file.seek(0)
    _check_signature(start)
    if size > max_bytes:
        raise WeightsError(f"too large: {size >> 20} MiB; at most {max_bytes >> 20} are read")
    if start.startswith(b"PK"):
        return TensorFile(_mapping(_load(_checked_zip(file, size))))
    if start.startswith(LEGACY_MAGIC):
        _check_legacy(file, size)
        return TensorFile(_mapping(_load(file)))
    if 0 < int.from_bytes(start[:8], "little") < size and start[8:9] == b"{":
        return _read_safetensors(file)
    if start[:1] == b"\x80":
        raise WeightsError(f"a pickle that torch.save did not write; {SUGGESTION}")
    raise WeightsError("neither a PyTorch nor a safetensors file")


def _check_signature(start: bytes) -> None:
    if not start:
        raise WeightsError("an empty file; get it again")
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise WeightsError("an HTML page, saved in place of the download; get it again")
    for signature, kind in SIGNATURES:
        if start.startswith(signature):
            raise WeightsError(f"not a weights file but {kind}")


def _read_safetensors(file: BinaryIO) -> TensorFile:
    content = file.read()
    length = int.from_bytes(content[:8], "little")
    if length > MAX_HEADER:
        raise WeightsError(f"its header has {length} bytes, more than {MAX_HEADER}")
    tensors = load_safetensors(content)  # first: it verifies the header
    header = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    return TensorFile(tensors, {str(key): str(value) for key, value in header.items()})


def _load(file: IO[bytes]) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old storages and other pickle protocols
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _load_error(error) from error


def _load_error(error: pickle.UnpicklingError) -> WeightsError:
    return WeightsError(f"torch cannot read it safely ({_first_line(error)}); {SUGGESTION}")


def _mapping(found: object) -> dict[str, Any]:
    if not isinstance(found, Mapping):
        kind = type(found).__name__
        raise WeightsError(f"holds a {kind}; save a state dict (tensors by name)")
    return {str(key): value for key, value in found.items()}


def _checked_zip(file: BinaryIO, size: int) -> IO[bytes]:
    """A new archive of the parts that were checked: readers may differ on a forged one."""
    with zipfile.ZipFile(file) as archive:
        members = _member_sizes(archive, size)
        folder = next(iter(members), "").split("/")[0]
        if any(name.startswith(f"{folder}/code/") for name in members):
            raise WeightsError(f"a TorchScript program, and its code is not run; {SUGGESTION}")
        if members.get(f"{folder}/data.pkl", MAX_PICKLE) >= MAX_PICKLE:
            raise WeightsError("a zip archive, but not one that torch.save wrote")
        contents = check_pickle(io.BytesIO(archive.read(f"{folder}/data.pkl")))
        for key, storage in contents.storages.items():
            if storage > members.get(f"{folder}/data/{key}", -1):
                raise WeightsError("claims tensors larger than the file; refused")
        _check_expansion(contents, size)
        return _copied(archive, folder, contents)


def _member_sizes(archive: zipfile.ZipFile, size: int) -> dict[str, int]:
    members = {member.filename: member.file_size for member in archive.infolist()}
    if len(members) != len(archive.infolist()):
        raise WeightsError("names one part twice; get it again")
    total = sum(members.values())
    if total > MAX_EXPANSION * size + EXTRA_BYTES:
        raise WeightsError(f"would unpack to {total} bytes from {size}; refused")
    return members


def _copied(archive: zipfile.ZipFile, folder: str, contents: PickleContents) -> IO[bytes]:
    copy = io.BytesIO()
    names = ["data.pkl", *(f"data/{key}" for key in contents.storages)]
    names += [name for name in ("version", "byteorder") if f"{folder}/{name}" in archive.namelist()]
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as written:
        for name in names:
            written.writestr(f"archive/{name}", archive.read(f"{folder}/{name}"))
    copy.seek(0)
    return copy


def _check_legacy(file: BinaryIO, size: int) -> None:
    """Files from before torch 1.6: several pickles, then the bytes of the storages."""
    pickles = [check_pickle(file) for _ in range(LEGACY_PICKLES)]
    for contents in pickles:
        if sum(contents.storages.values()) > size:
            raise WeightsError("claims tensors larger than the file; refused")
        _check_expansion(contents, size)
    file.seek(0)


def _check_expansion(contents: PickleContents, size: int) -> None:
    if contents.tensor_bytes > MAX_EXPANSION * size + EXTRA_BYTES:
        raise WeightsError("claims tensors larger than the file; refused")


def write_torch_file(value: Any, file: BinaryIO) -> None:
    """torch.save of tensors and plain values. Raises OSError where the disk refuses it.

    By way of memory: writing to a file itself, torch hides what is wrong with the disk.
    """
    memory = io.BytesIO()
    torch.save(value, memory)
    file.write(memory.getbuffer())

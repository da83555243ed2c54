"""srgan's weights files: safetensors whose header holds the metadata and two checksums."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save

from srgan_cli.errors import WeightsError
from srgan_cli.files import atomic_write, printable
from srgan_cli.networks import GENERATORS
from srgan_cli.weights.generators import (
    Hyperparameters,
    State,
    generator_problems,
    join_problems,
    non_finite,
)
from srgan_cli.weights.metadata import Metadata, metadata_from_json, metadata_to_json
from srgan_cli.weights.tensor_files import TensorFile, read_tensor_file

Header = Mapping[str, str]

FORMAT = "srgan 1"
HEADER_KEYS = ("architecture", "hyperparameters", "facts", "sha256")
HEADER_CHECKSUM = "header_sha256"


@dataclass(frozen=True, eq=False)
class Weights:
    """A network's architecture, hyperparameters, parameters and metadata."""

    architecture: str
    hyperparameters: Hyperparameters
    state: State
    metadata: Metadata
    family: str = "srgan"
    """The kind of file it was read from: srgan's own, or a family of other programs' networks."""

    def __str__(self) -> str:
        sizes = ", ".join(f"{name} {value}" for name, value in self.hyperparameters.items())
        return f"{self.architecture} ({sizes})" if sizes else self.architecture


def read_weights(path: Path) -> Weights:
    """One of srgan's own weights files, with its checksums and tensor shapes verified.

    Raises WeightsError, listing all problems, if it is missing, damaged or not srgan's.
    """
    file = read_tensor_file(path)
    if not is_srgan_header(file.header):
        raise WeightsError(f"{path} was not written by srgan: its header does not say {FORMAT!r}")
    return parse_weights(path, file)


def parse_weights(path: Path, file: TensorFile) -> Weights:
    """Like `read_weights`, for a file with srgan's header that has been read from `path`."""
    header, state = file.header, file.tensors
    problems = [*_header_problems(header, state)]
    try:
        weights = _parse(header, state)
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        problems.append(f"its header is wrong: {error}")
        raise WeightsError(_error_text(path, problems)) from error
    problems += generator_problems(
        weights.architecture, weights.hyperparameters, state, weights.metadata.scale
    )
    if problems:
        raise WeightsError(_error_text(path, problems))
    return weights


def _error_text(path: Path, problems: Sequence[str]) -> str:
    return printable(f"{path} cannot be used: {join_problems([*problems])}")


def is_srgan_header(header: Header) -> bool:
    """Also true for a header of srgan's of which a part is damaged."""
    return header.get("format", "").startswith("srgan") or len(header.keys() & {*HEADER_KEYS}) > 1


def _header_problems(header: Header, state: State) -> Iterator[str]:
    """Unknown and missing keys, wrong checksums; older files have no checksum of the header."""
    if header.get("format") != FORMAT:
        yield f"its format is {header.get('format')!r}, and this version reads {FORMAT!r}"
    known = {"format", *HEADER_KEYS, HEADER_CHECKSUM}
    unknown = sorted(f"an unknown {name!r}" for name in header.keys() - known)
    missing = sorted(f"no {name!r}" for name in known - header.keys() - {HEADER_CHECKSUM})
    if unknown or missing:
        yield f"its header has {', '.join([*missing, *unknown])}"
    if header.get("sha256") != state_checksum(state):
        yield "its tensors do not match their checksum"
    if header.get(HEADER_CHECKSUM, _header_checksum(header)) != _header_checksum(header):
        yield "its header does not match its checksum"


def _parse(header: Header, state: State) -> Weights:
    """Raises KeyError, RecursionError, TypeError or ValueError."""
    sizes, record = json.loads(header["hyperparameters"]), json.loads(header["facts"])
    if not isinstance(sizes, dict) or not isinstance(record, dict):
        raise TypeError("hyperparameters and facts are named values")
    return Weights(header["architecture"], sizes, state, metadata_from_json(record))


def write_weights(weights: Weights, path: Path) -> None:
    """Write atomically. Raises WeightsError for a network that only spandrel can build."""
    if weights.architecture not in GENERATORS:
        raise WeightsError(f"{weights} runs only from the file it came in")
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.state.items()}
    header = {
        "format": FORMAT,
        "architecture": weights.architecture,
        "hyperparameters": json.dumps(dict(weights.hyperparameters)),
        "facts": json.dumps(metadata_to_json(weights.metadata)),
        "sha256": state_checksum(state),
    }
    header[HEADER_CHECKSUM] = _header_checksum(header)
    with atomic_write(path, WeightsError) as file:
        file.write(save(state, metadata=header))


def change_weights_file(path: Path, change: Callable[[Weights], Weights]) -> None:
    """Replace our weights file at `path` by what `change` makes of it; not if that is the same."""
    weights = read_weights(path)
    changed = change(weights)
    if changed is not weights:
        write_weights(changed, path)


def state_checksum(state: State) -> str:
    """SHA-256 over the name, type, shape and bytes of each tensor, in order of names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _header_checksum(header: Header) -> str:
    """SHA-256 over all other entries of the header."""
    entries = sorted((name, value) for name, value in header.items() if name != HEADER_CHECKSUM)
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def to_half(weights: Weights) -> Weights:
    """The same network in float16: half the size on disk.

    BatchNorm's running statistics stay float32: variances can be of any size, and are few.
    Raises WeightsError where a value is too large for float16.
    """
    state = dict(weights.state)
    for name, tensor in weights.state.items():
        if tensor.is_floating_point() and not is_running_statistic(name):
            state[name] = tensor.half()
    if problems := non_finite(state):
        raise WeightsError(f"16 bits do not suffice: in them, {join_problems(problems)}")
    return replace(weights, state=state)


def is_running_statistic(name: str) -> bool:
    """Whether a tensor of that name is a buffer of BatchNorm, not a learned parameter."""
    return name.endswith(("running_mean", "running_var", "num_batches_tracked"))


def count_parameters(weights: Weights) -> int:
    """The number of learned parameters."""
    learned = (value for name, value in weights.state.items() if not is_running_statistic(name))
    return sum(tensor.numel() for tensor in learned)

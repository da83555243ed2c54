"""Description of a weights file: recorded and measured properties."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from srgan_cli.weights.foreign.conversion import unwrap_state
from srgan_cli.weights.loading import SpandrelNetwork, load_generator, load_weights
from srgan_cli.weights.ncnn.reader import is_ncnn, ncnn_dtypes, pair_paths
from srgan_cli.weights.onnx_reader import is_onnx, onnx_dtypes
from srgan_cli.weights.tensor_files import read_tensors
from srgan_cli.weights.zoo import bundled_folder

SIDE = 64  # low-resolution pixels of the square whose operations are counted
MEGAPIXEL = 1_000_000
BUNDLED_LICENSE = "MIT"


@dataclass(frozen=True)
class WeightsDescription:
    """Every field is JSON-able; None where it is not known."""

    file: str
    bytes: int
    """Of an ncnn pair, both files."""
    kind: str
    """"srgan" for our own, else the family of other programs' networks."""
    architecture: str
    hyperparameters: dict[str, Any]
    scale: int
    reach: int
    """Same as receptive_field; this and the next two are older names, kept for scripts."""
    effective_reach: int | None
    """Same as measured_receptive_field."""
    mirrored: int | None
    """Same as reflect_padding."""
    receptive_field: int
    measured_receptive_field: int | None
    reflect_padding: int | None
    parameters: int
    precision: list[str]
    """Types of the floats in memory: what other programs wrote is float32 by now."""
    dtype: list[str]
    """Types of the floats in the file, each once."""
    flop_per_megapixel: int
    """FLOP per megapixel of input; a multiplication and an addition count as two."""
    objective: str
    lineage: str
    family: str | None
    denoise: float | None
    """Its place in the family that it declares: 0 clean, 1 photo."""
    training: dict[str, Any]
    """The file's own record, and in "history" those of the trainings before it."""
    history: list[dict[str, Any]]
    """The records of all trainings that led to the file, oldest first; the last is its own."""
    teachers: list[str]
    """Networks that these trainings distilled, with their licenses where the file has them."""
    license: str | None
    figures: dict[str, Any]
    int8_psnr: float | None
    """dB between its output in int8 and in float32."""


def describe_weights(
    path: Path, scale: int | None = None, activation: str | None = None
) -> WeightsDescription:
    """Raises WeightsError, and OptionError as `load_weights` does."""
    weights = load_weights(path, scale, activation)
    network, metadata = load_generator(weights), weights.metadata
    receptive_field = int(network.receptive_field)  # type: ignore[arg-type]
    history = training_history(metadata.training)
    return WeightsDescription(
        file=str(path),
        bytes=size_of_files(path),
        kind=weights.family,
        architecture=weights.architecture,
        hyperparameters=dict(weights.hyperparameters),
        scale=metadata.scale,
        reach=receptive_field,
        effective_reach=metadata.measured_receptive_field,
        mirrored=metadata.reflect_padding,
        receptive_field=receptive_field,
        measured_receptive_field=metadata.measured_receptive_field,
        reflect_padding=metadata.reflect_padding,
        parameters=sum(values.numel() for values in network.parameters()),
        precision=dtype_names(weights.state),
        dtype=dtypes_of_file(path),
        flop_per_megapixel=flop_per_megapixel(network),
        objective=metadata.objective,
        lineage=metadata.lineage,
        family=metadata.family.name if metadata.family else None,
        denoise=metadata.family.denoise if metadata.family else None,
        training=metadata.training,
        history=history,
        teachers=teachers_of(history),
        license=license_of(path, metadata.training),
        figures=metadata.figures,
        int8_psnr=metadata.int8_psnr,
    )


def size_of_files(path: Path) -> int:
    """In bytes; of an ncnn pair, both files."""
    return sum(file.stat().st_size for file in (pair_paths(path) if is_ncnn(path) else [path]))


def dtype_names(state: Mapping[str, Any]) -> list[str]:
    """Dtypes of the floating-point tensors, such as ["float16", "float32"]."""
    tensors = [value for value in state.values() if isinstance(value, Tensor)]
    types = {tensor.dtype for tensor in tensors if tensor.is_floating_point()}
    return sorted(str(dtype).removeprefix("torch.") for dtype in types)


def dtypes_of_file(path: Path) -> list[str]:
    """Dtypes of the floats as they are stored. Raises WeightsError."""
    if is_onnx(path):
        return onnx_dtypes(path)
    return ncnn_dtypes(path) if is_ncnn(path) else dtype_names(unwrap_state(read_tensors(path)))


def training_history(training: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Records of all trainings, oldest first; what the parts of a blend have in common, once.

    training: the newest record, which holds the others.
    """
    latest_first, pending = [], [training]
    while pending:
        record = pending.pop()
        parts = _dicts(record.get("blend"))
        own = {key: value for key, value in record.items() if key != "history"}
        if parts:
            own["blend"] = [{k: v for k, v in part.items() if k != "training"} for part in parts]
        latest_first.append(own)
        pending += [
            *_dicts(record.get("history")),
            *_dicts([part.get("training") for part in parts]),
        ]
    by_text = {json.dumps(one, sort_keys=True): one for one in reversed(latest_first) if one}
    return list(by_text.values())


def _dicts(values: Any) -> list[dict[str, Any]]:
    """Those of a list; none of anything else."""
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []


def teachers_of(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of teachers in the records, each once."""
    named = [record.get("teachers") for record in history]
    lists = [names for names in named if isinstance(names, list)]
    return list(dict.fromkeys(str(name) for names in lists for name in names))


def license_of(path: Path, training: Mapping[str, Any]) -> str | None:
    """The license that the file states; ours for shipped files. None if it is not known."""
    found = training.get("license")
    if isinstance(found, str):
        return found
    return BUNDLED_LICENSE if path.resolve().parent == bundled_folder().resolve() else None


@torch.no_grad()
def flop_per_megapixel(network: nn.Module) -> int:
    """Counted while a square image runs through the network. Our networks run on the device "meta";
    `network` cannot be used afterwards.
    """
    place = "cpu" if isinstance(network, SpandrelNetwork) else "meta"
    with FlopCounterMode(display=False) as counter:
        network.to(place)(torch.zeros(1, 3, SIDE, SIDE, device=place))
    return int(counter.get_total_flops()) * MEGAPIXEL // SIDE**2

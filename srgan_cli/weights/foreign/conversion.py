"""Other programs' key names -> ours, and back: pure functions on state dicts.

Sizes and scale come from the shapes of the tensors; every tensor's name and shape is checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from srgan_cli.errors import WeightsError
from srgan_cli.files import atomic_write
from srgan_cli.weights.container import Weights
from srgan_cli.weights.foreign import compact_keys as compact
from srgan_cli.weights.foreign import rrdbnet_keys as rrdbnet
from srgan_cli.weights.foreign import srcnn_vdsr as luma
from srgan_cli.weights.foreign import srresnet_keys as srresnet
from srgan_cli.weights.foreign.layout import Hyperparameters, KeyPair, Layout, State, UserProperties
from srgan_cli.weights.foreign.unsupported import check_supported, nearest
from srgan_cli.weights.foreign.unwrap import first_keys, unwrap_state
from srgan_cli.weights.tensor_files import write_torch_file

FAMILIES = (*rrdbnet.FAMILIES, *compact.FAMILIES, *srresnet.FAMILIES, *luma.FAMILIES)

LAYOUTS = ("real-esrgan", "esrgan", "esrgan-old")

WRAPPER_KEYS = {"real-esrgan": "params_ema"}
"""Layout -> key of the state dict in its files; others have none."""


@dataclass(frozen=True, eq=False)
class ForeignNetwork:
    """A foreign network with our keys. state: float32, finite and complete."""

    architecture: str
    hyperparameters: Hyperparameters
    state: dict[str, Tensor]
    family: str

    @property
    def scale(self) -> int:
        return int(self.hyperparameters["scale"])


def from_foreign(
    found: Mapping[str, Any],
    scale: int | None = None,
    activation: str | None = None,
    guess: int | None = None,
) -> ForeignNetwork:
    """Convert the content of a file, with its wrappers and prefixes.

    scale, activation ("relu" or "leakyrelu"): for files whose keys do not determine them. guess: a
    scale to use only then. Raises WeightsError for any other network.
    """
    state = unwrap_state(found)
    check_supported(state)
    family = nearest(state, FAMILIES)
    try:
        layout = family.measure(state, UserProperties(scale, guess, activation))
        check_tensors(state, layout)
    except WeightsError as error:
        raise WeightsError(f"this looks like {family.name}, but {error}") from error
    if scale not in (None, layout.hyperparameters["scale"]):
        found_scale = layout.hyperparameters["scale"]
        raise WeightsError(f"this is {family.name} for scale {found_scale}, not {scale}")
    renamed = {entry.key: convert_tensor(state, entry) for entry in layout.entries}
    return ForeignNetwork(layout.architecture, layout.hyperparameters, renamed, family.name)


def check_tensors(state: State, layout: Layout) -> None:
    """Raises WeightsError for missing, unexpected or invalid tensors."""
    expected = {entry.source_key: entry for entry in layout.entries}
    missing = [
        e.source_key for e in layout.entries if e.default is None and e.source_key not in state
    ]
    unexpected = [key for key in state if key not in expected]
    problems = [f"{first_keys(missing)} is missing"] if missing else []
    problems += [f"{first_keys(unexpected)} does not belong to it"] if unexpected else []
    for key, entry in expected.items():
        problems += tensor_problems(key, entry, state[key]) if key in state else []
    if problems:
        raise WeightsError("; ".join(problems[:3]))


def tensor_problems(key: str, entry: KeyPair, tensor: Tensor) -> list[str]:
    if tuple(tensor.shape) != entry.shape:
        return [f"{key} has shape {tuple(tensor.shape)}, not {entry.shape}"]
    if tensor.layout != torch.strided or tensor.is_complex() or tensor.is_quantized:
        return [f"{key} is not a plain tensor of numbers"]
    if not tensor.is_floating_point() and not key.endswith("num_batches_tracked"):
        return [f"{key} holds {tensor.dtype}, not floating-point numbers"]
    values = tensor.float()
    if not values.isfinite().all():
        return [f"{key} holds values that are not finite numbers"]
    if key.endswith("running_var") and (values < 0).any():
        return [f"{key} holds negative variances"]
    return []


def convert_tensor(state: State, entry: KeyPair) -> Tensor:
    integer = entry.key.endswith("num_batches_tracked")
    dtype = torch.int64 if integer else torch.float32
    if entry.source_key not in state:
        return torch.full(entry.shape, entry.default or 0.0).to(dtype)
    return state[entry.source_key].detach().to("cpu", dtype).contiguous()


def to_foreign(
    architecture: str, hyperparameters: Mapping[str, Any], state: State, layout_name: str
) -> dict[str, Tensor]:
    """Our state dict under the names that other programs load: see LAYOUTS.

    Raises WeightsError where those programs have no such network.
    """
    layout = foreign_layout(architecture, hyperparameters, state, layout_name)
    return {entry.source_key: state[entry.key] for entry in layout.entries}


def foreign_layout(
    architecture: str, given: Mapping[str, Any], state: State, layout_name: str
) -> Layout:
    """The layout of our network; hyperparameters that `given` lacks come from the state dict."""
    if layout_name not in LAYOUTS:
        raise WeightsError(f"unknown naming {layout_name!r}: there are {', '.join(LAYOUTS)}")
    if architecture == "rrdbnet":
        measured = rrdbnet.measure_real_esrgan(state, UserProperties()).hyperparameters
        return rrdbnet.layout_for(layout_name, {**measured, **given})
    if architecture == "compact" and layout_name == "real-esrgan":
        return compact.measure(state, UserProperties(activation=given.get("activation")))
    raise WeightsError(
        f"{layout_name} naming has no place for a network of the kind {architecture}; "
        "rrdbnet fits every naming, compact real-esrgan; others go to ONNX"
    )


def export_foreign(weights: Weights, path: Path, layout_name: str) -> None:
    """Under the names of `LAYOUTS`: .safetensors, else a file as torch.save writes it.

    Raises WeightsError for a network that the naming's programs do not have.
    """
    named = to_foreign(weights.architecture, weights.hyperparameters, weights.state, layout_name)
    state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in named.items()}
    with atomic_write(path, WeightsError) as file:
        if path.suffix == ".safetensors":
            file.write(save(state, metadata={"format": "pt"}))
        else:
            wrapper = WRAPPER_KEYS.get(layout_name)
            write_torch_file(state if wrapper is None else {wrapper: state}, file)

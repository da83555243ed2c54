"""Other programs' key names -> ours, and back: pure functions on state dicts.

Sizes and scale come from the shapes of the tensors; every tensor's name and shape is checked.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from srgan_cli.errors import WeightsError
from srgan_cli.files import atomic_write
from srgan_cli.weights.container import Weights
from srgan_cli.weights.foreign import esrgan_keys, srresnet_keys
from srgan_cli.weights.foreign.identify import (
    check_supported,
    first_keys,
    nearest_family,
    unwrap_state,
)
from srgan_cli.weights.foreign.layout import Layout, UserProperties
from srgan_cli.weights.generators import Hyperparameters, State, build_from_state
from srgan_cli.weights.metadata import Metadata
from srgan_cli.weights.tensor_files import write_torch_file

FAMILIES = (*esrgan_keys.FAMILIES, *srresnet_keys.FAMILIES)

WRAPPER_KEYS = {"real-esrgan": "params_ema"}
"""Naming -> key of the state dict in its files; others have none."""


def from_foreign(
    found: Mapping[str, Any],
    scale: int | None = None,
    activation: str | None = None,
    guess: int | None = None,
) -> Weights:
    """Convert the content of a file, with its wrappers and prefixes; float32, finite and complete.

    scale, activation ("relu" or "leakyrelu"): for files whose keys do not determine them. guess: a
    scale to use only then. Raises WeightsError for any other network.
    """
    state = unwrap_state(found)
    check_supported(state)
    family = nearest_family(state, FAMILIES)
    try:
        layout = family.measure(state, UserProperties(scale, guess, activation))
        kind, sizes = layout.architecture, layout.hyperparameters
        expected = build_from_state(kind, sizes, state).state_dict()
        check_tensors(state, layout, expected)
    except WeightsError as error:
        raise WeightsError(f"this looks like {family.name}, but {error}") from error
    if scale not in (None, sizes["scale"]):
        raise WeightsError(f"this is {family.name} for scale {sizes['scale']}, not {scale}")
    own = {
        key: convert_tensor(state.get(layout.source_key(key)), tensor)
        for key, tensor in expected.items()
    }
    metadata = Metadata(scale=sizes["scale"], training={"family": family.name})
    return Weights(kind, sizes, own, metadata, family.name)


def check_tensors(state: State, layout: Layout, expected: State) -> None:
    """Raises WeightsError for missing, unexpected or invalid tensors. expected: our state dict."""
    own_keys = {layout.source_key(key): key for key in expected}
    missing = [
        key for key, own in own_keys.items() if key not in state and not layout.is_optional(own)
    ]
    unexpected = [key for key in state if key not in own_keys]
    problems = [f"{first_keys(missing)} is missing"] if missing else []
    problems += [f"{first_keys(unexpected)} does not belong to it"] if unexpected else []
    for key, own in own_keys.items():
        problems += tensor_problems(key, state[key], expected[own]) if key in state else []
    if problems:
        raise WeightsError("; ".join(problems[:3]))


def tensor_problems(key: str, tensor: Tensor, expected: Tensor) -> list[str]:
    if tensor.shape != expected.shape:
        return [f"{key} has shape {tuple(tensor.shape)}, not {tuple(expected.shape)}"]
    if tensor.layout != torch.strided or tensor.is_complex() or tensor.is_quantized:
        return [f"{key} is not a plain tensor of numbers"]
    if not tensor.is_floating_point() and expected.is_floating_point():
        return [f"{key} holds {tensor.dtype}, not floating-point numbers"]
    values = tensor.float()
    if not values.isfinite().all():
        return [f"{key} holds values that are not finite numbers"]
    if key.endswith("running_var") and (values < 0).any():
        return [f"{key} holds negative variances"]
    return []


def convert_tensor(tensor: Tensor | None, expected: Tensor) -> Tensor:
    """On the CPU and in our type; None: zeros."""
    if tensor is None:
        return torch.zeros_like(expected, device="cpu")
    return tensor.detach().to("cpu", expected.dtype).contiguous()


def to_foreign(
    architecture: str, hyperparameters: Hyperparameters, state: State, layout_name: str
) -> dict[str, Tensor]:
    """Our state dict under the names that other programs load: see `esrgan_keys.LAYOUT_NAMES`.

    Raises WeightsError where those programs have no such network.
    """
    layout = esrgan_keys.layout_in(layout_name, architecture, hyperparameters, state)
    return {layout.source_key(key): tensor for key, tensor in state.items()}


def export_foreign(weights: Weights, path: Path, layout_name: str) -> None:
    """In a naming of `esrgan_keys.LAYOUT_NAMES`: .safetensors, else a file as torch.save writes it.

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

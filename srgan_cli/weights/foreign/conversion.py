"""Other programs' key names -> ours, and back: pure functions on state dicts.

Sizes and scale come from the shapes of the tensors; every tensor's name and shape is checked.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from srgan_cli.errors import WeightsError
from srgan_cli.files import atomic_write
from srgan_cli.weights.container import Weights
from srgan_cli.weights.foreign import esrgan_keys, srresnet_keys
from srgan_cli.weights.foreign.layout import Family, Layout, UnknownNetworkError, UserProperties
from srgan_cli.weights.generators import Hyperparameters, State, build_from_state
from srgan_cli.weights.metadata import Metadata
from srgan_cli.weights.tensor_files import write_torch_file

FAMILIES = (*esrgan_keys.FAMILIES, *srresnet_keys.FAMILIES)

WRAPPER_KEYS = {"real-esrgan": "params_ema"}
"""Naming -> key of the state dict in its files; others have none."""

WRAPPERS = (
    "params_ema",
    "params-ema",
    "params",
    "state_dict",
    "model_state_dict",
    "generator",
    "netG",
    "model",
    "net",
)
"""Best first: averaged weights give the better images."""

PREFIXES = ("module.", "_orig_mod.", "netG.", "generator.", "net_g.")
MAX_DEPTH = 8

TRANSFORMER = "a transformer"
"""Which spandrel may know; the other kinds upscale no images."""

KINDS = (
    (
        r"(weight_orig$|\.original\d?$|^(conv0_0|linear1|classifier)\.|^net\.\d+\.weight)",
        "a discriminator or classifier, which judges images in training and makes none",
    ),
    (
        r"^(model\.)?(diffusion_model|first_stage_model|cond_stage_model|time_embed(ding)?)\.",
        "a diffusion model",
    ),
    (r"(lora_(up|down|A|B)\.|^down_blocks\.\d)", "a diffusion model, or an addition to one"),
    (
        r"^features\.\d+\.(weight|bias)$",
        "a VGG network of features, which belongs to `srgan train --vgg`",
    ),
    (r"(relative_position_bias_table|relative_position_index|\.attn\.qkv\.)", TRANSFORMER),
)
"""Pattern of a key -> what such a file is."""

SUPPORTED_HINT = "give a generator of the families of ESRGAN, Compact (Real-ESRGAN's) or SRResNet"
SIMILAR = 0.5


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
    family = nearest_family(state)
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


def unwrap_state(found: Mapping[str, Any]) -> dict[str, Tensor]:
    """Raises WeightsError where there is no network in it, naming what there is."""
    for _ in range(MAX_DEPTH):
        inner = next((key for key in WRAPPERS if isinstance(found.get(key), Mapping)), None)
        if inner is None:
            break
        found = {str(key): value for key, value in found[inner].items()}
    tensors = {key: value for key, value in found.items() if isinstance(value, Tensor)}
    if not tensors:
        raise_no_tensors(found)
    return without_prefixes(tensors)


def raise_no_tensors(found: Mapping[str, Any]) -> None:
    contents = f"it holds {first_keys(found)}"
    if {"optimizers", "schedulers"} & set(found) or {"state", "param_groups"} <= set(found):
        raise WeightsError(
            f"this looks like an optimizer state, saved to resume a training: {contents}; "
            "give the file of the generator that belongs to it"
        )
    raise WeightsError(f"there are no tensors by name in it: {contents}")


def first_keys(keys: Iterable[str], most: int = 3) -> str:
    """The first keys, for a message."""
    every = list(keys)
    return ", ".join(every[:most]) + (", ..." if len(every) > most else "") if every else "nothing"


def without_prefixes(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Also picks the generator of a file that has a discriminator too."""
    tensors.pop("n_averaged", None)  # torch's AveragedModel counts
    for _ in range(MAX_DEPTH):
        prefix = shared_prefix(tensors)
        if prefix is None:
            break
        tensors = {
            key.removeprefix(prefix): tensor
            for key, tensor in tensors.items()
            if key.startswith(prefix)
        }
    return tensors


def shared_prefix(tensors: Mapping[str, Tensor]) -> str | None:
    for prefix in PREFIXES:
        if any(key.startswith(prefix) for key in tensors):
            return prefix
    whole = all(key.startswith("model.") for key in tensors)
    if whole and not any(key.split(".")[1].isdecimal() for key in tensors):
        return "model."
    return None


def check_supported(state: State) -> None:
    for pattern, what in KINDS:
        key = next((key for key in state if re.search(pattern, key)), None)
        if key is not None:
            kind = UnknownNetworkError if what == TRANSFORMER else WeightsError
            raise kind(f"this looks like {what} (it holds {key}); {SUPPORTED_HINT}")


def patterns(keys: Iterable[str]) -> set[str]:
    """Keys without their numbers: they identify a family at any depth."""
    return {re.sub(r"\d+", "#", key) for key in keys}


def similarity(state: State, family: Family) -> float:
    """Share of the key patterns of the two that they have in common: 0 to 1."""
    given = patterns(state)
    needed = patterns(key for key, is_needed in family.keys.items() if is_needed)
    return len(given & patterns(family.keys)) / len(given | needed)


def nearest_family(state: State) -> Family:
    """Raises WeightsError where even the nearest is far away."""
    family = max(FAMILIES, key=lambda family: similarity(state, family))
    if similarity(state, family) < SIMILAR:
        unexpected = [key for key in state if not patterns([key]) & patterns(family.keys)]
        missing = [key for key in family.keys if not patterns([key]) & patterns(state)]
        raise UnknownNetworkError(
            f"this is no network known here; nearest is {family.name}, "
            f"but the file has {first_keys(unexpected, 2)} and not {first_keys(missing, 2)}; "
            f"{SUPPORTED_HINT}"
        )
    return family


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
    return {layout.source_key(key): state[key] for key in sorted(state)}


def export_foreign(weights: Weights, path: Path, layout_name: str) -> None:
    """In a naming of `esrgan_keys.LAYOUT_NAMES`: .safetensors, else a file as torch.save writes it.

    Raises WeightsError for a network that the naming's programs do not have.
    """
    named = to_foreign(weights.architecture, weights.hyperparameters, weights.state, layout_name)
    state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in named.items()}
    with atomic_write(path, WeightsError) as file:
        if path.suffix.lower() == ".safetensors":
            file.write(save(state, metadata={"format": "pt"}))
        else:
            wrapper = WRAPPER_KEYS.get(layout_name)
            write_torch_file(state if wrapper is None else {wrapper: state}, file)

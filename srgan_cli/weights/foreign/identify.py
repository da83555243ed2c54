"""The content of a file -> one network's state dict, and the family that it is of."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from srgan_cli.errors import WeightsError
from srgan_cli.weights.foreign.layout import Family, UnknownNetworkError
from srgan_cli.weights.generators import State

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
)
"""Pattern of a key -> what such a file is."""

TRANSFORMER = r"(relative_position_bias_table|relative_position_index|\.attn\.qkv\.)"

SUPPORTED_HINT = "give a generator of the families of ESRGAN, Compact (Real-ESRGAN's) or SRResNet"
SIMILAR = 0.5


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
            raise WeightsError(f"this looks like {what} (it holds {key}); {SUPPORTED_HINT}")
    key = next((key for key in state if re.search(TRANSFORMER, key)), None)
    if key is not None:
        raise UnknownNetworkError(
            f"this looks like a transformer (it holds {key}); {SUPPORTED_HINT}"
        )


def patterns(keys: Iterable[str]) -> set[str]:
    """Keys without their numbers: they identify a family at any depth."""
    return {re.sub(r"\d+", "#", key) for key in keys}


def similarity(state: State, family: Family) -> float:
    """Share of the key patterns of the two that they have in common: 0 to 1."""
    given = patterns(state)
    needed = patterns(key for key, is_needed in family.keys.items() if is_needed)
    return len(given & patterns(family.keys)) / len(given | needed)


def nearest_family(state: State, families: Iterable[Family]) -> Family:
    """Raises WeightsError where even the nearest is far away."""
    family = max(families, key=lambda family: similarity(state, family))
    if similarity(state, family) < SIMILAR:
        unexpected = [key for key in state if not patterns([key]) & patterns(family.keys)]
        missing = [key for key in family.keys if not patterns([key]) & patterns(state)]
        raise UnknownNetworkError(
            f"this is no network known here; nearest is {family.name}, "
            f"but the file has {first_keys(unexpected, 2)} and not {first_keys(missing, 2)}; "
            f"{SUPPORTED_HINT}"
        )
    return family

"""Unwraps the content of a file to one network's state dict."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from srgan_cli.errors import WeightsError

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

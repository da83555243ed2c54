"""Architecture and hyperparameters -> a generator network, and what does not fit it."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from srgan_cli.errors import WeightsError
from srgan_cli.networks import GENERATORS
from srgan_cli.weights.metadata import MAX_SCALE, is_finite

State = Mapping[str, Tensor]
Hyperparameters = Mapping[str, Any]

MAX_DEPTH = 1000
FACTORS = ("scale", "unshuffle")
DEPTHS = ("blocks", "convolutions", "depth")
"""Numbers of layers or blocks, each of which has a tensor at least."""


def default_hyperparameters(architecture: str) -> dict[str, Any]:
    """Empty for an architecture that is not ours."""
    kind = GENERATORS.get(architecture)
    return {p.name: p.default for p in signature(kind).parameters.values()} if kind else {}


def build_generator(architecture: str, hyperparameters: Hyperparameters) -> nn.Module:
    """A freshly initialized network. Raises WeightsError if it cannot be built."""
    if architecture not in GENERATORS:
        known = ", ".join(GENERATORS)
        raise WeightsError(f"unknown architecture {architecture!r}: this version knows {known}")
    try:
        return GENERATORS[architecture](**hyperparameters)
    except (RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"{architecture} cannot be built so: {error}") from error


def build_from_state(
    architecture: str, hyperparameters: Hyperparameters, state: State
) -> nn.Module:
    """The network without memory for its parameters, on the device "meta", in eval mode.

    Its hyperparameters may come from an untrusted file: their types are checked before anything is
    built, and no more layers are built than `state` has tensors. Raises WeightsError.
    """
    if problems := _hyperparameter_problems(architecture, hyperparameters, state):
        raise WeightsError(f"{architecture} cannot be built so: {join_problems(problems)}")
    with torch.device("meta"):
        return build_generator(architecture, hyperparameters).eval()


def _hyperparameter_problems(architecture: str, given: Hyperparameters, state: State) -> list[str]:
    """Hyperparameters of another type than the defaults, or out of range; one phrase each.

    Every layer has tensors and every width is a side of one, so `state` limits them all.
    """
    defaults = default_hyperparameters(architecture)
    sides = [side for tensor in state.values() for side in tensor.shape]
    depth, width = min(len(state), MAX_DEPTH), max(sides, default=1)
    return [
        f"{name} {_summary(value)} is out of range"
        if type(value) is _json_type(defaults[name])
        else f"{name} {_summary(value)} is not of type {_json_type(defaults[name]).__name__}"
        for name, value in given.items()
        if name in defaults and not _is_allowed(name, value, defaults[name], depth, width)
    ]


def _is_allowed(name: str, value: object, default: object, depth: int, width: int) -> bool:
    """depth, width: the largest numbers of layers and of features."""
    if type(default) is float:
        return is_finite(value)
    if type(value) is not _json_type(default):
        return False
    if isinstance(value, list):
        widths = all(type(one) is int and 1 <= one <= width for one in value)
        return widths and len(value) <= depth
    if type(value) is not int:
        return True  # flags, and texts that the network itself checks
    if name in DEPTHS:
        return 0 <= value <= depth
    return 1 <= value <= (MAX_SCALE if name in FACTORS else width)


def _json_type(default: object) -> type:
    """Type of such a hyperparameter in a file: JSON has lists only."""
    return list if isinstance(default, tuple) else type(default)


def _summary(value: object) -> str:
    return repr(value)[:40]


def generator_problems(
    architecture: str, hyperparameters: Hyperparameters, state: State, scale: int
) -> list[str]:
    """Why the tensors are not a network of that kind, size and scale; one phrase each."""
    try:
        network = build_from_state(architecture, hyperparameters, state)
    except WeightsError as error:
        return [str(error)]
    return fit_problems(network, state, scale)


def fit_problems(network: nn.Module, state: State, scale: int) -> list[str]:
    """Why the tensors or the scale are not those of `network`; one phrase each."""
    problems = [*state_mismatches(network.state_dict(), state), *non_finite(state)]
    if network.scale != scale:
        problems.append(f"it enlarges by {network.scale}, not by {scale}")
    return problems


def state_mismatches(expected: State, given: State) -> list[str]:
    """Names of `given` that are missing, unknown or of another shape, one phrase each."""
    missing = [f"{name} is missing" for name in expected if name not in given]
    unknown = [f"{name} is unknown" for name in given if name not in expected]
    shapes = [
        f"{name} has shape {list(given[name].shape)}, not {list(expected[name].shape)}"
        for name in expected
        if name in given and given[name].shape != expected[name].shape
    ]
    return [*missing, *unknown, *shapes]


def non_finite(state: State) -> list[str]:
    """Names of tensors with NaN or infinite values, one phrase each."""
    return [
        f"{name} holds values that are not finite numbers"
        for name, tensor in state.items()
        if tensor.is_floating_point() and not tensor.isfinite().all()
    ]


def join_problems(problems: list[str], most: int = 8) -> str:
    """One line of at most `most` phrases."""
    more = [f"and {len(problems) - most} more"] if len(problems) > most else []
    return "; ".join([*problems[:most], *more])

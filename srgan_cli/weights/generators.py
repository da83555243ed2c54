"""Architecture and hyperparameters -> a generator network, and what does not fit it."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from srgan_cli.errors import WeightsError
from srgan_cli.networks import GENERATORS

State = Mapping[str, Tensor]
Hyperparameters = Mapping[str, Any]


def build_generator(architecture: str, hyperparameters: Hyperparameters) -> nn.Module:
    """A freshly initialized network. Raises WeightsError if it cannot be built."""
    if architecture not in GENERATORS:
        known = ", ".join(GENERATORS)
        raise WeightsError(f"unknown architecture {architecture!r}: this version knows {known}")
    try:
        return GENERATORS[architecture](**hyperparameters)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{architecture} cannot be built so: {error}") from error


def build_uninitialized(architecture: str, hyperparameters: Hyperparameters) -> nn.Module:
    """As `build_generator`, without drawing random numbers: that takes most of the time."""
    with _NoInitialization():
        return build_generator(architecture, hyperparameters)


class _NoInitialization(TorchFunctionMode):
    """Functions of torch.nn.init do nothing; parameters keep what their memory held."""

    def __torch_function__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if getattr(func, "__module__", None) == nn.init.__name__:
            return None
        if func in (Tensor.normal_, Tensor.uniform_):
            return args[0]
        return func(*args, **(kwargs or {}))


def generator_problems(
    architecture: str, hyperparameters: Hyperparameters, state: State, scale: int
) -> list[str]:
    """Why the tensors are not a network of that kind, size and scale; one phrase each."""
    try:
        network = build_uninitialized(architecture, hyperparameters)
    except WeightsError as error:
        return [str(error)]
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
        f"{name} holds values that are not numbers"
        for name, tensor in state.items()
        if tensor.is_floating_point() and not tensor.isfinite().all()
    ]


def join_problems(problems: list[str], most: int = 8) -> str:
    """One line of at most `most` phrases."""
    more = [f"and {len(problems) - most} more"] if len(problems) > most else []
    return "; ".join([*problems[:most], *more])

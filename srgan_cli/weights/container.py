"""Weights files: read, write, blend, bring to life.

On disk: safetensors whose header says everything else, with a SHA-256 of the tensors.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from srgan_cli.errors import WeightsError
from srgan_cli.files import atomic_write
from srgan_cli.networks import GENERATORS
from srgan_cli.weights.checksum import FORMAT, SEAL, broken_seals, checksum, is_ours, seal
from srgan_cli.weights.foreign import spandrel_models as by_spandrel
from srgan_cli.weights.metadata import Facts, blended_facts

State = Mapping[str, Tensor]
Hyperparameters = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Weights:
    """A network at rest: which one, how large, its numbers, and where it comes from."""

    architecture: str
    hyperparameters: Hyperparameters
    state: State
    facts: Facts

    def __str__(self) -> str:
        sizes = ", ".join(f"{name} {value}" for name, value in self.hyperparameters.items())
        return f"{self.architecture} ({sizes})" if sizes else self.architecture


def read_weights(path: Path) -> Weights:
    """Our own weights file, checked against its checksums and against the network it is for.

    Raises WeightsError for a file that is missing or not ours, and with all that is wrong with it.
    """
    about, state = _contents(path)
    if not is_ours(about):
        raise WeightsError(f"{path} was not written by srgan: its header does not say {FORMAT!r}")
    faults = [*broken_seals(about, state)]
    try:
        weights = _parsed(about, state)
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise WeightsError(_refusal(path, [*faults, f"its header is wrong: {error}"])) from error
    faults += unfit(weights)
    if faults:
        raise WeightsError(_refusal(path, faults))
    return weights


def _refusal(path: Path, faults: Sequence[str]) -> str:
    return f"{path} cannot be used: {listed(faults)}"


def listed(faults: Sequence[str], most: int = 8) -> str:
    """For a message of one line."""
    more = [f"and {len(faults) - most} more"] if len(faults) > most else []
    return "; ".join([*faults[:most], *more])


def _contents(path: Path) -> tuple[dict[str, str], State]:
    """What the header says, and the tensors by their names."""
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            return about, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise WeightsError(f"{path} does not exist") from error
    except (SafetensorError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} is not a readable weights file: {error}") from error


def _parsed(about: Mapping[str, str], state: State) -> Weights:
    """Raises KeyError, TypeError, ValueError."""
    sizes, record = json.loads(about["hyperparameters"]), json.loads(about["facts"])
    if not isinstance(sizes, dict) or not isinstance(record, dict):
        raise TypeError("hyperparameters and facts are named values")
    known = {field.name for field in fields(Facts)}
    facts = Facts(**{name: value for name, value in record.items() if name in known})
    return Weights(about["architecture"], sizes, state, facts)


def write_weights(weights: Weights, path: Path) -> None:
    """Put `weights` at `path`, whole or not at all."""
    if weights.architecture not in GENERATORS:
        raise WeightsError(f"{weights} runs only from the file it came in")
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.state.items()}
    about = {
        "format": FORMAT,
        "architecture": weights.architecture,
        "hyperparameters": json.dumps(dict(weights.hyperparameters)),
        "facts": json.dumps(asdict(weights.facts)),
        "sha256": checksum(state),
    }
    about[SEAL] = seal(about)
    with atomic_write(path, WeightsError) as file:
        file.write(save(state, metadata=about))


def halved(weights: Weights) -> Weights:
    """The same network with its floats in 16 bits: half the size on disk.

    What BatchNorm knows of its inputs keeps 32: variances can be of any size, and are few.
    Raises WeightsError where a value is too large for 16 bits.
    """
    state = {
        name: tensor.half() if tensor.is_floating_point() and not is_statistic(name) else tensor
        for name, tensor in weights.state.items()
    }
    if faults := [*_not_finite(state)]:
        raise WeightsError(f"16 bits do not suffice: in them, {listed(faults)}")
    return replace(weights, state=state)


def is_statistic(name: str) -> bool:
    """Of BatchNorm's inputs, and not learnt."""
    return name.endswith(("running_mean", "running_var", "num_batches_tracked"))


def count_parameters(weights: Weights) -> int:
    """What was learnt, whoever's network it is."""
    return sum(values.numel() for name, values in weights.state.items() if not is_statistic(name))


def load_generator(weights: Weights) -> nn.Module:
    """The network that `weights` describe, float32, with `.scale` and `.receptive_field`.

    Raises WeightsError with everything that does not fit.
    """
    if weights.architecture == by_spandrel.ARCHITECTURE:
        return by_spandrel.generator(weights.state)
    if faults := unfit(weights):
        raise WeightsError(f"the weights do not fit {weights}: {listed(faults)}")
    network = _outlined(weights)
    types = {name: tensor.dtype for name, tensor in network.state_dict().items()}
    state = {name: weights.state[name].to(types[name], copy=True) for name in types}
    network.load_state_dict(state, assign=True)
    return network.eval()


def unfit(weights: Weights) -> list[str]:
    """What is wrong with a network of ours, one phrase each."""
    try:
        network = _outlined(weights)
    except WeightsError as error:
        return [str(error)]
    faults = [*mismatches(network.state_dict(), weights.state), *_not_finite(weights.state)]
    if network.scale != weights.facts.scale:
        faults.append(f"it enlarges by {network.scale}, not by {weights.facts.scale}")
    return faults


def _outlined(weights: Weights) -> nn.Module:
    """The network without its numbers: drawing random ones would take longer than all the rest."""
    with _Undrawn():
        return build_generator(weights.architecture, weights.hyperparameters)


class _Undrawn(TorchFunctionMode):
    """Tensors keep whatever their memory held."""

    def __torch_function__(
        self, func: Any, types: object, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if getattr(func, "__module__", None) == nn.init.__name__:
            return None
        if func in (Tensor.normal_, Tensor.uniform_):
            return args[0]
        return func(*args, **(kwargs or {}))


def build_generator(architecture: str, hyperparameters: Hyperparameters) -> nn.Module:
    """A network of that kind and size, freshly initialised."""
    if architecture not in GENERATORS:
        known = ", ".join(GENERATORS)
        raise WeightsError(f"unknown architecture {architecture!r}: this version knows {known}")
    try:
        return GENERATORS[architecture](**hyperparameters)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{architecture} cannot be built so: {error}") from error


def mismatches(expected: State, given: State) -> list[str]:
    """What of `given` is missing, unknown or of another shape, one phrase each."""
    missing = [f"{name} is missing" for name in expected if name not in given]
    unknown = [f"{name} is unknown" for name in given if name not in expected]
    shapes = [
        f"{name} has shape {list(given[name].shape)}, not {list(expected[name].shape)}"
        for name in expected
        if name in given and given[name].shape != expected[name].shape
    ]
    return [*missing, *unknown, *shapes]


def _not_finite(state: State) -> list[str]:
    return [
        f"{name} holds values that are not numbers"
        for name, tensor in state.items()
        if tensor.is_floating_point() and not tensor.isfinite().all()
    ]


def blend(psnr: Weights, gan: Weights, amount: float) -> Weights:
    """`(1 - amount) * psnr + amount * gan`, over all parameters and float buffers.

    ESRGAN, https://arxiv.org/abs/1809.00219, section 3.4. Raises WeightsError for two networks
    whose tensors differ in name or shape, or which use them differently.
    """
    return blend_all((psnr, gan), (1 - amount, amount))


def blend_all(networks: Sequence[Weights], shares: Sequence[float]) -> Weights:
    """The networks' mean by `shares`, which add up to 1; integers are the first one's.

    A share of 1 gives that network itself, so that what is known of it holds. Raises WeightsError.
    """
    first = networks[0]
    for other in networks[1:]:
        if faults := differences(first, other):
            raise WeightsError(f"cannot blend {first} with {other}: {listed(faults)}")
    if 1 in shares:
        return networks[shares.index(1)]
    states = [network.state for network in networks]
    state = {name: _mixed([state[name] for state in states], shares) for name in first.state}
    return replace(first, state=state, facts=blended_facts([n.facts for n in networks], shares))


def differences(a: Weights, b: Weights) -> list[str]:
    """Why the two cannot be blended, one phrase each."""
    if a.architecture != b.architecture:
        return [f"one is of the kind {a.architecture}, the other {b.architecture}"]
    ours, theirs = _completed(a), _completed(b)
    sizes = [f"{n} is {theirs.get(n)}, not {ours[n]}" for n in ours if ours[n] != theirs.get(n)]
    return [*sizes, *mismatches(a.state, b.state)]


def _completed(weights: Weights) -> Hyperparameters:
    """With those that were left at their defaults."""
    kind = GENERATORS.get(weights.architecture)
    known = signature(kind).parameters.values() if kind else ()
    return {parameter.name: parameter.default for parameter in known} | dict(
        weights.hyperparameters
    )


def _mixed(tensors: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    if not tensors[0].is_floating_point():
        return tensors[0]
    parts = [tensor.float() * share for tensor, share in zip(tensors, shares, strict=True)]
    return torch.stack(parts).sum(dim=0)

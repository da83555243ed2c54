"""Keys of a family of networks, and ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt

from torch import Tensor

from srgan_cli.errors import WeightsError

State = Mapping[str, Tensor]
Hyperparameters = dict[str, int | float | str | bool]


@dataclass(frozen=True)
class KeyPair:
    """A tensor: its key in the file, our key, its shape. default: fills it if the file has none."""

    source_key: str
    key: str
    shape: tuple[int, ...]
    default: float | None = None


@dataclass(frozen=True)
class Layout:
    """Architecture, hyperparameters and keys of a network, deduced from its tensors."""

    architecture: str
    hyperparameters: Hyperparameters
    entries: tuple[KeyPair, ...]


@dataclass(frozen=True)
class UserProperties:
    """Properties that no key determines, from the user. guess: a scale in the file's name."""

    scale: int | None = None
    guess: int | None = None
    activation: str | None = None


class UnknownNetworkError(WeightsError):
    """The network belongs to no family known here."""


@dataclass(frozen=True)
class Family:
    """A family of networks.

    measure: deduces the layout from a state dict; raises WeightsError. example: a typical
    layout."""

    name: str
    measure: Callable[[State, UserProperties], Layout]
    example: Layout


def conv(
    source_key: str, key: str, sides: tuple[int, int], kernel: int = 3, bias: bool | None = True
) -> tuple[KeyPair, ...]:
    """`sides`: input and output channels. `bias` None: zero where the file has none."""
    inputs, outputs = sides
    weight = KeyPair(f"{source_key}.weight", f"{key}.weight", (outputs, inputs, kernel, kernel))
    if bias is False:
        return (weight,)
    default = 0.0 if bias is None else None
    return weight, KeyPair(f"{source_key}.bias", f"{key}.bias", (outputs,), default)


def norm(source_key: str, key: str, features: int) -> tuple[KeyPair, ...]:
    """A BatchNorm; files older than torch 0.4.1 do not count its batches."""
    names = ("weight", "bias", "running_mean", "running_var")
    entries = (KeyPair(f"{source_key}.{name}", f"{key}.{name}", (features,)) for name in names)
    counter = "num_batches_tracked"
    return *entries, KeyPair(f"{source_key}.{counter}", f"{key}.{counter}", (), default=0)


def slope(source_key: str, key: str, features: int = 1) -> tuple[KeyPair, ...]:
    """A PReLU."""
    return (KeyPair(f"{source_key}.weight", f"{key}.weight", (features,)),)


def sides(state: State, key: str) -> tuple[int, int, int]:
    """Input channels, output channels, and kernel of the convolution with this weight."""
    if key not in state:
        raise WeightsError(f"{key} is missing")
    shape = tuple(state[key].shape)
    if len(shape) != 4 or 0 in shape or shape[2] != shape[3] or shape[2] % 2 == 0:
        raise WeightsError(f"{key} has shape {shape}, which is no convolution's of these families")
    return shape[1], shape[0], shape[2]


def numbers(state: State, before: str, after: str = "") -> list[int]:
    """The numbers between `before` and `after` at the start of keys, sorted, each once."""
    found = set()
    for key in state:
        if key.startswith(before):
            digits, _, rest = key[len(before) :].partition(".")
            if digits.isdecimal() and rest.startswith(after):
                found.add(int(digits))
    return sorted(found)


def count(state: State, before: str, after: str = "", start: int = 0) -> int:
    """Number of blocks with such keys, from `start`; gaps show up as missing keys."""
    found = numbers(state, before, after)
    blocks = found[-1] + 1 - start if found else 0
    if blocks > len(state):
        raise WeightsError(f"{before}{found[-1]} is out of sequence")
    return max(blocks, 0)


def root(number: int, what: str) -> int:
    """The integer whose square `number` is."""
    if number < 1 or isqrt(number) ** 2 != number:
        raise WeightsError(f"{what} is {number}, which is no square: these are not RGB weights")
    return isqrt(number)


def shuffle_step(state: State, key: str) -> int:
    """The factor by which the sub-pixel convolution with this weight upscales."""
    inputs, outputs, _ = sides(state, key)
    if outputs % inputs:
        raise WeightsError(f"{key} has {inputs} inputs and {outputs} outputs: no sub-pixel layer")
    return root(outputs // inputs, f"the quotient of {key}'s sides")


def check_steps(steps: list[int]) -> int:
    """The scale of enlargements in a row that our networks do in the same steps."""
    if any(step != 2 for step in steps) and (len(steps) > 1 or steps[0] % 2 == 0):
        raise WeightsError(f"it upscales in the steps {steps}; ours by 2, or once by an odd factor")
    scale = 1
    for step in steps:
        scale *= step
    return scale

"""A family of networks in other programs' files: their sizes, and the names of their modules."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import isqrt, prod

import torch

from srgan_cli.errors import WeightsError
from srgan_cli.weights.generators import Hyperparameters, State, build_generator

MAX_DIGITS = 9  # of a number in a key: Python refuses to convert thousands


@dataclass(frozen=True)
class Layout:
    """names: of our modules -> the file's. zero_biases: our modules whose bias is zero where the
    file has none.
    """

    architecture: str
    hyperparameters: Hyperparameters
    names: Mapping[str, str]
    zero_biases: Container[str] = ()

    def source_key(self, key: str) -> str:
        """The file's key of a tensor of ours."""
        module, _, tensor = key.rpartition(".")
        return f"{self.names[module]}.{tensor}"

    def is_optional(self, key: str) -> bool:
        """Whether a tensor is zero where the file has none: files older than torch 0.4.1 do not
        count a BatchNorm's batches."""
        module, _, tensor = key.rpartition(".")
        is_zero_bias = tensor == "bias" and module in self.zero_biases
        return is_zero_bias or tensor == "num_batches_tracked"


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
    """measure: deduces the layout from a state dict; raises WeightsError. example: of any size."""

    name: str
    measure: Callable[[State, UserProperties], Layout]
    example: Layout

    @cached_property
    def keys(self) -> dict[str, bool]:
        """The example's keys in a file, and whether they are needed."""
        layout = self.example
        with torch.device("meta"):
            ours = build_generator(layout.architecture, layout.hyperparameters).state_dict()
        return {layout.source_key(key): not layout.is_optional(key) for key in ours}


def numbered(count: int, names: Mapping[str, str], start: int = 0, step: int = 1) -> dict[str, str]:
    """Names of `count` modules -> the file's: {i} counts from 0, {n} from `start`."""
    return {
        ours.format(i=i): source.format(n=start + step * i)
        for i in range(count)
        for ours, source in names.items()
    }


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
            is_number = digits.isdecimal() and len(digits) <= MAX_DIGITS
            if is_number and rest.startswith(after):
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
    return prod(steps)

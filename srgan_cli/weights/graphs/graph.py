"""A network's graph in the few operations that super-resolution needs, each stated one way.

Files differ in how they say the same: activations fused into convolutions or not, coefficients of a
sum or a product before it, concatenations nested or flat. Here there is one form of each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from srgan_cli.files import printable

LONGEST_NAME = 60  # characters of a name in a message

Size = int | float

Arrays = Mapping[str, np.ndarray]
"""Of a convolution "weight" (outputs, inputs, k, k) and "bias"; of a PReLU "weight"."""

Steps = tuple[tuple[str, tuple[Size, ...]], ...]
"""Kinds and sizes of operations, one after another."""


@dataclass(frozen=True)
class GraphLayer:
    """A layer of a file in the operations of `Graph`, and besides in "batch_norm" (epsilon).

    name: for messages. inputs, outputs: names of what it reads and makes. steps: None for what no
    network of ours does. factors: what the inputs are multiplied by before; none: they are not.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    steps: Steps | None = ()
    factors: tuple[float, ...] = ()

    def __str__(self) -> str:
        return self.name


def summary(text: str) -> str:
    """A name out of a file, printable and short."""
    return printable(text if len(text) <= LONGEST_NAME else text[:LONGEST_NAME] + "...")


def step(kind: str, *sizes: Size) -> Steps:
    return ((kind, sizes),)


def resize_step(kind: str, factor: float) -> Steps:
    return () if factor == 1 else step(kind, factor)


@dataclass(frozen=True)
class Operation:
    """`inputs` are numbers of operations before it; `sizes` depend on the kind, see Graph."""

    kind: str
    inputs: tuple[int, ...] = ()
    sizes: tuple[Size, ...] = ()


def canonical(kind: str, inputs: Sequence[int], sizes: Sequence[Size] = ()) -> Operation:
    ordered = sorted(inputs) if kind == "add" else inputs
    return Operation(kind, tuple(ordered), tuple(float(f"{size:.5g}") for size in sizes))


class Graph:
    """Operations in forward order, built by calls that read like a network's forward method.

    All methods take and return numbers of operations. `weights` maps operations to the prefix of
    their tensors in the state dict; `constants` maps fixed convolutions to their kernels.
    """

    def __init__(self) -> None:
        self.operations = [Operation("input")]
        self.weights: dict[int, str] = {}
        self.constants: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._numbers = {self.operations[0]: 0}

    @property
    def output(self) -> int:
        return len(self.operations) - 1

    def find(self, operation: Operation) -> int | None:
        return self._numbers.get(operation)

    def add_operation(self, kind: str, *inputs: int, sizes: Sequence[Size] = ()) -> int:
        operation = canonical(kind, inputs, sizes)
        number = self._numbers.setdefault(operation, len(self.operations))
        if number == len(self.operations):
            self.operations.append(operation)
        return number

    def conv(self, x: int, name: str, inputs: int, outputs: int, kernel: int = 3) -> int:
        """Keeps height and width; has a bias."""
        sizes = (inputs, outputs, kernel, kernel // 2)
        made = self.add_operation("conv", x, sizes=sizes)
        self.weights[made] = name
        return made

    def fixed_conv(self, x: int, weight: np.ndarray, bias: np.ndarray) -> int:
        """A convolution without padding, by weight (outputs, inputs, k, k) and bias (outputs,)."""
        outputs, inputs, kernel, _ = weight.shape
        made = self.add_operation("conv", x, sizes=(inputs, outputs, kernel, 0))
        self.constants[made] = weight, bias
        return made

    def prelu(self, x: int, name: str, slopes: int) -> int:
        made = self.add_operation("prelu", x, sizes=(slopes,))
        self.weights[made] = name
        return made

    def leaky_relu(self, x: int, slope: float) -> int:
        """A LeakyReLU, or a ReLU with slope 0."""
        return self.add_operation("leaky_relu", x, sizes=(slope,))

    def tanh(self, x: int) -> int:
        return self.add_operation("tanh", x)

    def add(self, x: int, y: int) -> int:
        return self.add_operation("add", x, y)

    def sub(self, x: int, y: int) -> int:
        return self.add_operation("sub", x, y)

    def times(self, x: int, factor: float) -> int:
        return self.add_operation("times", x, sizes=(factor,))

    def plus(self, x: int, number: float) -> int:
        return self.add_operation("plus", x, sizes=(number,))

    def concat(self, *parts: int) -> int:
        """Channels one after another."""
        return self.add_operation("concat", *parts)

    def nearest(self, x: int, scale: int) -> int:
        return self._resized("nearest", x, scale)

    def bilinear(self, x: int, scale: int) -> int:
        return self._resized("bilinear", x, scale)

    def pixel_shuffle(self, x: int, scale: int) -> int:
        return self._resized("pixel_shuffle", x, scale)

    def pixel_unshuffle(self, x: int, scale: int) -> int:
        return self._resized("pixel_unshuffle", x, scale)

    def average_pool(self, x: int, padding: int) -> int:
        """Means of 2 x 2 with stride 1, of a border of zeros so many pixels wide."""
        return self.add_operation("average_pool", x, sizes=(padding,))

    def _resized(self, kind: str, x: int, scale: int) -> int:
        return x if scale == 1 else self.add_operation(kind, x, sizes=(scale,))

    def replicate_padding(self, x: int, pixels: int) -> int:
        return self.add_operation("replicate_padding", x, sizes=(pixels,))

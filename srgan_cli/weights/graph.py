"""Networks as graphs of the few operations that super-resolution needs, each stated one way.

Files differ in how they say the same: activations fused into convolutions or not, coefficients of a
sum or a product before it, concatenations nested or flat. Here there is one form of each. Our own
networks' graphs follow their forward methods; names, sizes and activations are their modules'.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from srgan_cli.files import printable
from srgan_cli.networks.compact import Compact
from srgan_cli.networks.fast import Fast
from srgan_cli.networks.layers import BICUBIC_SIDE, NearestConv, SubPixelConv, bicubic_kernels
from srgan_cli.networks.rrdbnet import RESIDUAL_SCALE, RRDBNet
from srgan_cli.networks.srcnn import BLACK, LUMA, SRCNN
from srgan_cli.networks.srresnet import SRResNet
from srgan_cli.networks.vdsr import VDSR
from srgan_cli.weights.generators import Hyperparameters, build_generator

LONGEST_NAME = 60  # characters of a name in a message

RELU, LEAKY_RELU = nn.ReLU(), nn.LeakyReLU(0.2)
"""Those that forward methods state as functions."""

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
    """`inputs` are numbers of operations before it; `sizes` depend on the kind:

    conv (inputs, outputs, kernel, padding); prelu (slopes); leaky_relu (slope, 0 for a ReLU); times
    and plus (number); nearest, bilinear, pixel_shuffle and pixel_unshuffle (factor); average_pool,
    means of 2 x 2 with stride 1, and replicate_padding (pixels of the border). tanh, add, sub and
    concat, of channels, have none.
    """

    kind: str
    inputs: tuple[int, ...] = ()
    sizes: tuple[Size, ...] = ()


def canonical(kind: str, inputs: Sequence[int], sizes: Sequence[Size] = ()) -> Operation:
    ordered = sorted(inputs) if kind == "add" else inputs
    return Operation(kind, tuple(ordered), tuple(float(f"{size:.5g}") for size in sizes))


class Graph:
    """A network's operations in forward order, each named by its number; 0 is the input.

    `weights` maps operations to the prefix of their tensors in the state dict, `norms` convolutions
    to that of the BatchNorm behind them, which is not an operation of its own; `constants` maps
    fixed convolutions to their kernels.
    """

    def __init__(self, network: nn.Module) -> None:
        self.operations = [Operation("input")]
        self.weights: dict[int, str] = {}
        self.norms: dict[int, str] = {}
        self.constants: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._numbers = {self.operations[0]: 0}
        self._names = {module: name for name, module in network.named_modules()}

    @property
    def output(self) -> int:
        return len(self.operations) - 1

    def find(self, operation: Operation) -> int | None:
        return self._numbers.get(operation)

    def add(self, kind: str, *inputs: int, sizes: Sequence[Size] = ()) -> int:
        """The number of that operation: a new one, or that which there is."""
        operation = canonical(kind, inputs, sizes)
        number = self._numbers.setdefault(operation, len(self.operations))
        if number == len(self.operations):
            self.operations.append(operation)
        return number

    def resize(self, kind: str, x: int, factor: int) -> int:
        return x if factor == 1 else self.add(kind, x, sizes=(factor,))

    def fixed_conv(self, x: int, weight: np.ndarray, bias: np.ndarray) -> int:
        """A convolution without padding, by weight (outputs, inputs, k, k) and bias (outputs,)."""
        outputs, inputs, kernel, _ = weight.shape
        made = self.add("conv", x, sizes=(inputs, outputs, kernel, 0))
        self.constants[made] = weight, bias
        return made

    def layers(self, x: int, *layers: nn.Module) -> int:
        """Layers of the network, one after another."""
        for layer in layers:
            x = self._layer(x, layer)
        return x

    def _layer(self, x: int, layer: nn.Module) -> int:
        match layer:
            case SubPixelConv():  # what `fast`'s stages do more, `fast` adds
                return self.resize("pixel_shuffle", self._layer(x, layer[0]), layer.scale)
            case nn.Sequential():
                return self.layers(x, *layer)
            case nn.Conv2d():
                x = self.resize("nearest", x, layer.factor) if isinstance(layer, NearestConv) else x
                kernel = layer.kernel_size[0]
                sizes = (layer.in_channels, layer.out_channels, kernel, kernel // 2)
                return self._named(self.add("conv", x, sizes=sizes), layer)
            case nn.PReLU():
                return self._named(self.add("prelu", x, sizes=(layer.num_parameters,)), layer)
            case nn.LeakyReLU():
                return self.add("leaky_relu", x, sizes=(layer.negative_slope,))
            case nn.ReLU():
                return self.add("leaky_relu", x, sizes=(0,))
            case nn.PixelShuffle():
                return self.resize("pixel_shuffle", x, layer.upscale_factor)
            case nn.BatchNorm2d():
                self.norms[x] = self._names[layer]
                return x
            case nn.Identity():
                return x
        raise TypeError(f"a layer that graphs do not have: {layer}")

    def _named(self, number: int, layer: nn.Module) -> int:
        self.weights[number] = self._names[layer]
        return number


def build_graph(architecture: str, hyperparameters: Hyperparameters) -> Graph:
    """The graph of that network. Raises KeyError for an architecture without one."""
    build = BUILDERS[architecture]
    with torch.device("meta"):
        network = build_generator(architecture, hyperparameters)
    graph = Graph(network)
    build(graph, network)
    return graph


def rrdbnet(graph: Graph, network: RRDBNet) -> None:
    x = graph.resize("pixel_unshuffle", 0, network.alignment)
    shallow = x = graph.layers(x, network.conv_first)
    for block in network.body:
        entry = x
        for part in block.children():
            x = dense_block(graph, x, *part.children())
        x = graph.add("add", entry, graph.add("times", x, sizes=(RESIDUAL_SCALE,)))
    x = graph.add("add", shallow, graph.layers(x, network.conv_body))
    for layer in (*network.upsampling, network.conv_hr):
        x = graph.layers(x, layer, LEAKY_RELU)
    graph.layers(x, network.conv_last)


def dense_block(graph: Graph, x: int, first: nn.Module, *layers: nn.Module) -> int:
    outputs = [x, graph.layers(x, first, LEAKY_RELU)]
    for layer in layers[:-1]:
        outputs.append(graph.layers(graph.add("concat", *outputs), layer, LEAKY_RELU))
    last = graph.layers(graph.add("concat", *outputs), layers[-1])
    return graph.add("add", x, graph.add("times", last, sizes=(RESIDUAL_SCALE,)))


def compact(graph: Graph, network: Compact) -> None:
    residual = graph.layers(0, *network.body, network.shuffle)
    graph.add("add", residual, graph.resize("nearest", 0, network.scale))


def srresnet(graph: Graph, network: SRResNet) -> None:
    shallow = x = graph.layers(0, network.conv_first, network.act_first)
    for block in network.body:
        x = graph.add("add", x, graph.layers(x, *block.children()))
    if network.variant.body_end is not None:
        x = graph.add("add", shallow, graph.layers(x, network.conv_body, network.end_body))
    for up, activation in zip(network.ups, network.act_ups, strict=True):
        x = graph.layers(x, up, activation)
    if network.variant.conv_hr:
        x = graph.layers(x, network.conv_hr, network.act_hr)
    x = graph.layers(x, network.conv_last)
    if network.output == "tanh":
        shifted = graph.add("plus", graph.add("tanh", x), sizes=(1.0,))
        x = graph.add("times", shifted, sizes=(0.5,))
    if network.variant.bilinear_base:
        graph.add("add", x, graph.resize("bilinear", 0, network.scale))


def fast(graph: Graph, network: Fast) -> None:
    shallow = x = graph.layers(0, network.head)
    for block in network.body:
        x = graph.add("add", x, graph.layers(x, *block.children()))
    x = graph.add("add", shallow, graph.layers(x, network.body_end))
    for stage in network.up:
        x = graph.layers(x, stage)
        for padding in (1, 0) if network.binomial else ():
            x = graph.add("average_pool", x, sizes=(padding,))
        x = graph.layers(x, LEAKY_RELU)
    x = graph.layers(x, network.to_rgb)
    graph.add("add", x, bicubic(graph, network.scale))


def srcnn(graph: Graph, network: SRCNN) -> None:
    wide = bicubic(graph, network.scale)
    y = luma(graph, wide)
    x = graph.layers(y, network.conv1, RELU, network.conv2, RELU, network.conv3)
    add_luma(graph, wide, graph.add("sub", x, y))


def vdsr(graph: Graph, network: VDSR) -> None:
    wide = bicubic(graph, network.scale)
    x = luma(graph, wide)
    for layer in network.layers[:-1]:
        x = graph.layers(x, layer, RELU)
    add_luma(graph, wide, graph.layers(x, network.layers[-1]))


def bicubic(graph: Graph, scale: int) -> int:
    """The input upscaled as by `resample.upscale_bicubic`: ncnn's own bicubic has a = -0.75."""
    if scale == 1:
        return 0
    padded = graph.add("replicate_padding", 0, sizes=(BICUBIC_SIDE,))
    kernels = bicubic_kernels(scale)
    cells = graph.fixed_conv(padded, kernels, np.zeros(len(kernels), np.float32))
    return graph.resize("pixel_shuffle", cells, scale)


def luma(graph: Graph, rgb: int) -> int:
    weight = np.array(LUMA, np.float32).reshape(1, 3, 1, 1)
    return graph.fixed_conv(rgb, weight, np.array([BLACK], np.float32))


def add_luma(graph: Graph, rgb: int, more: int) -> int:
    weight = np.full((3, 1, 1, 1), 255 / 219, np.float32)
    return graph.add("add", rgb, graph.fixed_conv(more, weight, np.zeros(3, np.float32)))


BUILDERS: dict[str, Callable[[Graph, Any], None]] = {
    "rrdbnet": rrdbnet,
    "compact": compact,
    "srresnet": srresnet,
    "fast": fast,
    "srcnn": srcnn,
    "vdsr": vdsr,
}

"""The nodes of an ONNX graph -> the layers that are compared with our networks.

Operators: https://onnx.ai/onnx/operators.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from srgan_cli.errors import WeightsError
from srgan_cli.files import printable
from srgan_cli.weights.graph import Arrays, GraphLayer, Steps, resize_step, step, summary
from srgan_cli.weights.graph_match import SUPPORTED

FLOATS = (1, 10, 11)  # TensorProto.DataType
PASSED_ON = ("Identity", "Dropout", "Reshape", "Squeeze", "Unsqueeze", "Cast")
"""Nodes whose output equals their input; a Reshape does around a Transpose only."""

ON_SHAPES = ("Cast", "Div", "Floor", "Gather", "Mul", "Slice", "Squeeze", "Unsqueeze")
NORM = ("weight", "bias", "running_mean", "running_var")  # inputs of BatchNormalization
ORDERS = {
    (0, 1, 4, 2, 5, 3): ("pixel_shuffle", 2, 3),
    (0, 1, 3, 5, 2, 4): ("pixel_unshuffle", 3, 5),
}
"""Order of six axes, between two Reshapes -> operation, and the axes of its factor."""

SHARED = 1 << 24
"""Bytes of float32 that layers may share: exporters store equal biases and slopes once."""

MOST_FOLDED = 64  # numbers that a node may make of nothing


@dataclass(frozen=True)
class OnnxNode:
    """given: attributes: numbers, texts, lists of numbers, arrays."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    given: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.name} ({summary(self.kind)})"


@dataclass(frozen=True, eq=False)
class NodeSteps:
    """A node's operations and arrays. inputs: how many of its first are not constants."""

    steps: Steps | None
    arrays: Arrays = field(default_factory=dict)
    inputs: int = 1


Constants = Mapping[str, np.ndarray]
Axes = Sequence[int | None]
"""A shape; None for a side that depends on the image."""


class OnnxLayers:
    """Layers of the nodes that were added in their order, and their arrays by output blob.

    constants: tensors that are known without running the graph.
    """

    def __init__(self, start: str, constants: Constants) -> None:
        self.layers = [GraphLayer("the input", (), (start,))]
        self.arrays: dict[str, Arrays] = {}
        self._constants = dict(constants)
        self._bytes_left = SHARED + sum(4 * each.size for each in constants.values())
        self._blob_of = {start: start}  # a name -> the layer's output that it stands for
        self._axes: dict[str, Axes] = {}  # of blobs that were reshaped
        self._shapes: dict[str, Axes] = {}  # what is known of shapes that the graph computes

    def ends_with(self, name: str) -> bool:
        return self._blob_of.get(name) == self.layers[-1].outputs[0]

    def add(self, node: OnnxNode) -> None:
        """Raises WeightsError for a node that no network of ours has."""
        try:
            (output,) = node.outputs
            require(output not in self._blob_of and output not in self._constants)
            if not (self._add_shape(node) or self._fold(node)):
                self._add(node)
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            why = f"{node} is no layer of the networks that can be read; {SUPPORTED}"
            raise WeightsError(f"an unsupported model: {printable(why)}") from error

    def _add(self, node: OnnxNode) -> None:
        output = node.outputs[0]
        single = node.kind == "Concat" and len(node.inputs) == 1 and node.given["axis"] == 1
        if node.kind == "Constant":
            self._constants[output] = np.asarray(node.given["value"])
            self._bytes_left += 4 * self._constants[output].size
        elif node.kind in PASSED_ON or single:
            self._pass_on(node)
        else:
            found = self._node_steps(node)
            inputs = tuple(self._blob_of[name] for name in self._ordered(node)[: found.inputs])
            self.layers.append(GraphLayer(str(node), inputs, (output,), found.steps))
            self._blob_of[output] = output
            self._bytes_left -= sum(4 * each.size for each in found.arrays.values())
            require(self._bytes_left >= 0)
            if found.arrays:
                arrays = found.arrays.items()
                self.arrays[output] = {n: np.ascontiguousarray(a, np.float32) for n, a in arrays}

    def _add_shape(self, node: OnnxNode) -> bool:
        """Whether the node computes a shape, of whose entries most are not known."""
        (output,), known = node.outputs, [name for name in node.inputs if name in self._shapes]
        if node.kind == "Concat" and known:
            sides = (one for name in node.inputs for one in self._shape(name))
            self._shapes[output] = list(islice(sides, MOST_FOLDED))
        elif node.kind == "Shape" or (node.kind in ON_SHAPES and known):
            self._shapes[output] = [None]
        return output in self._shapes

    def _fold(self, node: OnnxNode) -> bool:
        """Whether the node makes a few constants of constants, such as the widths of a border."""
        if node.kind not in FOLDED or not {*node.inputs} <= self._constants.keys():
            return False
        made = FOLDED[node.kind](node.given, [self._constants[name] for name in node.inputs])
        self._constants[node.outputs[0]] = made
        return True

    def _shape(self, name: str) -> Axes:
        if name in self._shapes:
            return self._shapes[name]
        return self._constants[name].reshape(-1)[:MOST_FOLDED].tolist()

    def _pass_on(self, node: OnnxNode) -> None:
        output, first = node.outputs[0], node.inputs[0]
        if first in self._constants:
            self._constants[output] = self._constants[first]
            return
        require(node.kind != "Cast" or node.given["to"] in FLOATS)
        self._blob_of[output] = self._blob_of[first]
        axes = self._axes.get(first, [])
        if node.kind == "Reshape":
            before = [*axes, *[None] * 6]
            wanted = self._shape(node.inputs[1])[:6]
            axes = [before[n] if side == 0 else side for n, side in enumerate(wanted)]
        self._axes[output] = axes

    def _ordered(self, node: OnnxNode) -> tuple[str, ...]:
        """The inputs; of a sum or a product with a constant, the blob first."""
        if node.kind in ("Add", "Mul") and node.inputs[0] in self._constants:
            return node.inputs[::-1]
        return node.inputs

    def _node_steps(self, node: OnnxNode) -> NodeSteps:
        if node.kind in ("Add", "Sub", "Mul", "Div"):
            _, other = self._ordered(node)
            return binary(node.kind, self._constants.get(other))
        if node.kind == "Transpose":
            return shuffle(node, self._axes[node.inputs[0]])
        return STEPS[node.kind](node, self._constants)


def require(fits: bool) -> None:
    """Raises ValueError, as for a node that does something that no network of ours does."""
    if not fits:
        raise ValueError


def binary(kind: str, constant: np.ndarray | None) -> NodeSteps:
    if constant is None:
        return NodeSteps(step(kind.lower()) if kind in ("Add", "Sub") else None, inputs=2)
    number = float(constant.item())
    if kind in ("Add", "Sub"):
        return NodeSteps(step("plus", number if kind == "Add" else -number))
    return NodeSteps(step("times", number if kind == "Mul" else 1 / number))


def shuffle(node: OnnxNode, axes: Axes) -> NodeSteps:
    kind, *places = ORDERS[tuple(node.given["perm"])]
    (factor,) = {axes[place] for place in places}
    require(factor is not None and factor >= 1)
    return NodeSteps(resize_step(kind, factor or 1))


def convolution(node: OnnxNode, constants: Constants) -> NodeSteps:
    weight = constants[node.inputs[1]]
    outputs, inputs, height, width = weight.shape
    (padding,) = set(node.given.get("pads", [0]))
    strides, dilations = node.given.get("strides", []), node.given.get("dilations", [])
    require({*strides, *dilations, node.given.get("group", 1)} == {1})
    require(height == width and node.given.get("auto_pad", "NOTSET") == "NOTSET")
    named = node.inputs[2] if len(node.inputs) > 2 else ""
    bias = constants[named] if named else np.zeros(outputs, np.float32)
    require(bias.shape == (outputs,))
    steps = step("conv", inputs, outputs, height, padding)
    return NodeSteps(steps, {"weight": weight, "bias": bias})


def prelu(node: OnnxNode, constants: Constants) -> NodeSteps:
    slopes = constants[node.inputs[1]]
    require(slopes.shape[1:] == (1,) * (slopes.ndim - 1))  # one for each channel
    return NodeSteps(step("prelu", slopes.size), {"weight": slopes.reshape(-1)})


def leaky_relu(node: OnnxNode, _: Constants) -> NodeSteps:
    return NodeSteps(step("leaky_relu", float(node.given.get("alpha", 0.01))))


def concat(node: OnnxNode, _: Constants) -> NodeSteps:
    require(node.given["axis"] == 1)
    return NodeSteps(step("concat"), inputs=len(node.inputs))


def depth_to_space(node: OnnxNode, _: Constants) -> NodeSteps:
    require(node.given.get("mode") == "CRD")  # the order of channels
    return NodeSteps(resize_step("pixel_shuffle", int(node.given["blocksize"])))


def resize(node: OnnxNode, constants: Constants) -> NodeSteps:
    """Resize by a constant integer factor, as torch's interpolate does."""
    mode = node.given.get("mode", "nearest")
    if node.kind == "Upsample":  # until opset 9
        places, floor = "asymmetric", True
        scales = node.given.get("scales") or constants[node.inputs[1]].tolist()
    else:
        places = node.given.get("coordinate_transformation_mode", "half_pixel")
        floor = node.given.get("nearest_mode", "round_prefer_floor") == "floor"
        scales = constants[node.inputs[2]].tolist()
    centers = places in ("half_pixel", "pytorch_half_pixel")
    nearest = mode == "nearest" and (centers or places == "asymmetric") and floor != centers
    batch, channels, height, width = scales
    require((nearest or (mode == "linear" and centers)) and (batch, channels) == (1, 1))
    steps = resize_step("nearest" if nearest else "bilinear", float(height))
    return NodeSteps(steps if height == width else None)


def padding(node: OnnxNode, constants: Constants) -> NodeSteps:
    pads = node.given.get("pads") or constants[node.inputs[1]].tolist()
    pixels = int(pads[2])
    require(node.given.get("mode") == "edge" and list(pads) == [0, 0, pixels, pixels] * 2)
    return NodeSteps(step("replicate_padding", pixels))


def average_pool(node: OnnxNode, _: Constants) -> NodeSteps:
    (pads,) = set(node.given.get("pads", [0]))
    require(pads == 0 or bool(node.given.get("count_include_pad", 0)))
    require(not node.given.get("ceil_mode") and node.given.get("auto_pad", "NOTSET") == "NOTSET")
    require([*node.given["kernel_shape"], *node.given.get("strides", [1, 1])] == [2, 2, 1, 1])
    return NodeSteps(step("average_pool", int(pads)))


def batch_norm(node: OnnxNode, constants: Constants) -> NodeSteps:
    arrays = {n: constants[named] for n, named in zip(NORM, node.inputs[1:], strict=True)}
    return NodeSteps(step("batch_norm", float(node.given.get("epsilon", 1e-5))), arrays)


def fill(given: Mapping[str, Any], inputs: Sequence[np.ndarray]) -> np.ndarray:
    (count,) = inputs[0].tolist()
    require(0 <= count <= MOST_FOLDED)
    return np.full(count, given["value"].item(), given["value"].dtype)


def concatenate(given: Mapping[str, Any], inputs: Sequence[np.ndarray]) -> np.ndarray:
    require(sum(each.size for each in inputs) <= MOST_FOLDED)
    return np.concatenate(inputs, given["axis"])


def slice_(_: Mapping[str, Any], inputs: Sequence[np.ndarray]) -> np.ndarray:
    """Along the first axis."""
    array, *limits = inputs
    start, stop, axis, step = [one.item() for one in limits] + [0, 1][len(limits) - 2 :]
    require(not axis)
    return array[slice(start, stop, step)]


FOLDED: Mapping[str, Callable[[Mapping[str, Any], Sequence[np.ndarray]], np.ndarray]] = {
    "ConstantOfShape": fill,
    "Concat": concatenate,
    "Reshape": lambda _, inputs: inputs[0].reshape(inputs[1].tolist()),
    "Slice": slice_,
    "Transpose": lambda given, inputs: inputs[0].transpose(given["perm"]),
}
"""Node kind -> its function of attributes and constants: so torch's pad is traced."""

STEPS: Mapping[str, Callable[[OnnxNode, Constants], NodeSteps]] = {
    "Conv": convolution,
    "PRelu": prelu,
    "Relu": lambda *_: NodeSteps(step("leaky_relu", 0.0)),
    "LeakyRelu": leaky_relu,
    "Tanh": lambda *_: NodeSteps(step("tanh")),
    "Concat": concat,
    "DepthToSpace": depth_to_space,
    "Resize": resize,
    "Upsample": resize,
    "Pad": padding,
    "AveragePool": average_pool,
    "BatchNormalization": batch_norm,
}

"""What single ONNX nodes compute, in the operations of `Graph`.

Operators: https://onnx.ai/onnx/operators.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from srgan_cli.weights.graph import Arrays, Steps, resize_step, step, summary

BINARY = ("Add", "Sub", "Mul", "Div")
NORM = ("weight", "bias", "running_mean", "running_var")  # inputs of BatchNormalization
MOST_FOLDED = 64  # numbers that a node may make of nothing


class UnsupportedNodeError(Exception):
    """A node that does something that no network of ours does."""


@dataclass(frozen=True)
class OnnxNode:
    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    given: Mapping[str, Any]
    """Attributes: numbers, texts, lists of numbers, arrays."""

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


def binary(node: OnnxNode, constant: np.ndarray | None) -> NodeSteps:
    if constant is None:
        sums = {"Add": step("add"), "Sub": step("sub")}
        return NodeSteps(sums.get(node.kind), inputs=2)
    (value,) = constant.reshape(-1).tolist()
    number = float(value)
    match node.kind:
        case "Add":
            return NodeSteps(step("plus", number))
        case "Sub":
            return NodeSteps(step("plus", -number))
        case "Mul":
            return NodeSteps(step("times", number))
    return NodeSteps(step("times", 1 / number))


def shuffle(node: OnnxNode, axes: Axes) -> NodeSteps:
    """A Transpose of six axes, between two Reshapes."""
    match tuple(node.given["perm"]):
        case (0, 1, 4, 2, 5, 3):
            kind, factors = "pixel_shuffle", {axes[2], axes[3]}
        case (0, 1, 3, 5, 2, 4):
            kind, factors = "pixel_unshuffle", {axes[3], axes[5]}
        case _:
            raise UnsupportedNodeError
    (factor,) = factors
    if factor is None or factor < 1:
        raise UnsupportedNodeError
    return NodeSteps(resize_step(kind, factor))


def convolution(node: OnnxNode, constants: Constants) -> NodeSteps:
    weight = constants[node.inputs[1]]
    outputs, inputs, height, width = weight.shape
    (padding,) = set(node.given.get("pads", [0]))
    strides, dilations = node.given.get("strides", []), node.given.get("dilations", [])
    plain = {*strides, *dilations, node.given.get("group", 1)} == {1}
    if height != width or not plain or node.given.get("auto_pad", "NOTSET") != "NOTSET":
        raise UnsupportedNodeError
    named = node.inputs[2] if len(node.inputs) > 2 else ""
    bias = constants[named] if named else np.zeros(outputs, np.float32)
    if bias.shape != (outputs,):
        raise UnsupportedNodeError
    steps = step("conv", inputs, outputs, height, padding)
    return NodeSteps(steps, {"weight": weight, "bias": bias})


def prelu(node: OnnxNode, constants: Constants) -> NodeSteps:
    slopes = constants[node.inputs[1]]
    if slopes.shape[1:] != (1,) * (slopes.ndim - 1):  # not one for each channel
        raise UnsupportedNodeError
    slopes = slopes.reshape(-1)
    return NodeSteps(step("prelu", len(slopes)), {"weight": slopes})


def relu(node: OnnxNode, _: Constants) -> NodeSteps:
    slope = node.given.get("alpha", 0.01) if node.kind == "LeakyRelu" else 0.0
    return NodeSteps(step("leaky_relu", float(slope)))


def concat(node: OnnxNode, _: Constants) -> NodeSteps:
    if node.given["axis"] != 1:
        raise UnsupportedNodeError
    return NodeSteps(step("concat"), inputs=len(node.inputs))


def depth_to_space(node: OnnxNode, _: Constants) -> NodeSteps:
    if node.given.get("mode") != "CRD":  # another order of channels
        raise UnsupportedNodeError
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
    if not (nearest or (mode == "linear" and centers)) or (batch, channels) != (1, 1):
        raise UnsupportedNodeError
    factor = float(height)
    steps = resize_step("nearest" if nearest else "bilinear", factor)
    return NodeSteps(steps if factor == width else None)


def padding(node: OnnxNode, constants: Constants) -> NodeSteps:
    pads = node.given.get("pads") or constants[node.inputs[1]].tolist()
    pixels = int(pads[2])
    if node.given.get("mode") != "edge" or list(pads) != [0, 0, pixels, pixels] * 2:
        raise UnsupportedNodeError
    return NodeSteps(step("replicate_padding", pixels))


def average_pool(node: OnnxNode, _: Constants) -> NodeSteps:
    (pads,) = set(node.given.get("pads", [0]))
    counted = pads == 0 or node.given.get("count_include_pad", 0)
    special = node.given.get("ceil_mode") or node.given.get("auto_pad", "NOTSET") != "NOTSET"
    sides = list(node.given["kernel_shape"]), list(node.given.get("strides", [1, 1]))
    if sides != ([2, 2], [1, 1]) or special or not counted:
        raise UnsupportedNodeError
    return NodeSteps(step("average_pool", int(pads)))


def batch_norm(node: OnnxNode, constants: Constants) -> NodeSteps:
    arrays = {n: constants[named] for n, named in zip(NORM, node.inputs[1:], strict=True)}
    return NodeSteps(step("batch_norm", float(node.given.get("epsilon", 1e-5))), arrays)


def fill(given: Mapping[str, Any], inputs: Sequence[np.ndarray]) -> np.ndarray:
    (count,) = inputs[0].tolist()
    if not 0 <= count <= MOST_FOLDED:
        raise UnsupportedNodeError
    return np.full(count, given["value"].item(), given["value"].dtype)


def concatenate(given: Mapping[str, Any], inputs: Sequence[np.ndarray]) -> np.ndarray:
    if sum(each.size for each in inputs) > MOST_FOLDED:
        raise UnsupportedNodeError
    return np.concatenate(inputs, given["axis"])


def slice_(_: Mapping[str, Any], inputs: Sequence[np.ndarray]) -> np.ndarray:
    """Along the first axis."""
    array, start, stop, *more = inputs
    axis, step = (each.item() for each in [*more, *DEFAULT_SLICE[len(more) :]])
    if axis:
        raise UnsupportedNodeError
    return array[slice(start.item(), stop.item(), step)]


DEFAULT_SLICE = np.array(0), np.array(1)
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
    "Relu": relu,
    "LeakyRelu": relu,
    "Tanh": lambda *_: NodeSteps(step("tanh")),
    "Concat": concat,
    "DepthToSpace": depth_to_space,
    "Resize": resize,
    "Upsample": resize,
    "Pad": padding,
    "AveragePool": average_pool,
    "BatchNormalization": batch_norm,
}

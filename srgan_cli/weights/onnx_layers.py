"""The nodes of an ONNX graph -> the layers that are compared with our networks."""

from itertools import islice

import numpy as np

from srgan_cli.errors import WeightsError
from srgan_cli.files import printable
from srgan_cli.weights.graph import Arrays, GraphLayer
from srgan_cli.weights.graph_match import SUPPORTED
from srgan_cli.weights.onnx_nodes import (
    BINARY,
    FOLDED,
    MOST_FOLDED,
    STEPS,
    Axes,
    Constants,
    NodeSteps,
    OnnxNode,
    UnsupportedNodeError,
    binary,
    shuffle,
)

FLOATS = (1, 10, 11)  # TensorProto.DataType
PASSED_ON = ("Identity", "Dropout", "Reshape", "Squeeze", "Unsqueeze", "Cast")
"""Nodes whose output equals their input; a Reshape does around a Transpose only."""

SHARED = 1 << 24
"""Bytes of float32 that layers may share: exporters store equal biases and slopes once."""

ON_SHAPES = ("Cast", "Div", "Floor", "Gather", "Mul", "Slice", "Squeeze", "Unsqueeze")


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
            if output in self._blob_of or output in self._constants:
                raise UnsupportedNodeError
            if not (self._add_shape(node) or self._fold(node)):
                self._add(node)
        except (UnsupportedNodeError, LookupError, TypeError, ValueError, ArithmeticError) as error:
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
            if self._bytes_left < 0:
                raise UnsupportedNodeError
            if found.arrays:
                arrays = found.arrays.items()
                self.arrays[output] = {n: np.ascontiguousarray(a, np.float32) for n, a in arrays}

    def _add_shape(self, node: OnnxNode) -> bool:
        """Whether the node computes a shape, of whose entries most are not known."""
        (output,), known = node.outputs, [name for name in node.inputs if name in self._shapes]
        if node.kind == "Shape":
            self._shapes[output] = [None]
        elif node.kind == "Concat" and known:
            sides = (one for name in node.inputs for one in self._shape(name))
            self._shapes[output] = list(islice(sides, MOST_FOLDED))
        elif node.kind in ON_SHAPES and known:
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
        found = self._shapes.get(name)
        if found is not None:
            return found
        sides: Axes = self._constants[name].reshape(-1)[:MOST_FOLDED].tolist()
        return sides

    def _pass_on(self, node: OnnxNode) -> None:
        output, first = node.outputs[0], node.inputs[0]
        if first in self._constants:
            self._constants[output] = self._constants[first]
            return
        if node.kind == "Cast" and node.given["to"] not in FLOATS:
            raise UnsupportedNodeError
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
        if node.kind in BINARY:
            _, other = self._ordered(node)
            return binary(node, self._constants.get(other))
        if node.kind == "Transpose":
            return shuffle(node, self._axes[node.inputs[0]])
        return STEPS[node.kind](node, self._constants)

"""An ONNX file -> a network of ours, if its graph is exactly that network's.

The package onnx parses the file; nothing of it runs, and no other file is opened.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.files import read_regular
from srgan_cli.weights.container import Weights
from srgan_cli.weights.graph import summary
from srgan_cli.weights.graph_match import match_network
from srgan_cli.weights.onnx_layers import OnnxLayers, OnnxNode
from srgan_cli.weights.tensor_files import MAX_FILE

MAX_STRUCTURE = 1 << 22
"""Bytes of a file besides numbers and remarks: parsed, each takes about a hundred."""

MAX_AXES = 8
MAX_SHIFT = 63  # bits before the last byte of a number

DATA_TYPES = (1, 6, 7, 10, 11)
"""TensorProto.DataType: float32, int32, int64, float16 and float64."""


Content = Mapping[int, "Content | None"]
"""Numbers of a message's fields -> what they hold; None for plain bytes, which stay bytes."""

OTHER: Content = {}
PROPERTIES: Content = {2: None}
TENSOR: Content = {4: None, 9: None, 10: None, 12: None}
NODE: Content = {5: {5: TENSOR}, 6: None, 9: PROPERTIES}
MODEL: Content = {7: {1: NODE, 5: TENSOR, 10: None}, 6: None}


def is_onnx(path: Path) -> bool:
    return path.suffix.lower() == ".onnx"


def import_onnx(name: str, packages: str) -> Any:
    """Raises OptionError that names the `packages` to install where the module is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        raise OptionError(f"ONNX needs {name}: pip install {packages}") from error


def read_onnx(path: Path) -> Weights:
    """Raises WeightsError that does not name the file, and OptionError where onnx is missing."""
    graph = _parse(path)
    constants = dict(_initializers(graph))
    inputs = [value.name for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise WeightsError("an unsupported model: it does not have exactly one input and output")
    found_layers = OnnxLayers(inputs[0], constants)
    for node in graph.node:
        found_layers.add(_node(node))
    if not found_layers.ends_with(graph.output[0].name):
        raise WeightsError("an unsupported model: its output is not what its last layer makes")
    return match_network(found_layers.layers, found_layers.arrays, "ONNX")


def onnx_dtypes(path: Path) -> list[str]:
    """Types of the floats in the file. Raises as `read_onnx` does."""
    arrays = dict(_initializers(_parse(path))).values()
    return sorted({array.dtype.name for array in arrays if array.dtype.kind == "f"})


def _parse(path: Path) -> Any:
    """The GraphProto."""
    onnx = import_onnx("onnx", packages="onnx")
    try:
        data = read_regular(path, MAX_FILE)
        if _structure_size(memoryview(data), MODEL) > MAX_STRUCTURE:
            raise WeightsError("an unsupported model: its graph is larger than any network's")
        model = onnx.ModelProto.FromString(data)
    except WeightsError:
        raise
    except OSError as error:
        raise WeightsError(f"cannot be read ({error.strerror})") from error
    except Exception as error:  # of protobuf, which differ from version to version
        raise WeightsError("not an ONNX file, or damaged or cut off; get it again") from error
    if not model.graph.node:
        raise WeightsError("not an ONNX file, or one without a graph")
    return model.graph


def _structure_size(message: memoryview, content: Content) -> int:
    """Bytes of a protobuf message besides the plain ones; above MAX_STRUCTURE any such number.

    Raises LookupError for what is no message.
    """
    size = place = 0
    while place < len(message) and size <= MAX_STRUCTURE:
        start = place
        tag, place = _read_number(message, place)
        number, wire_type = tag >> 3, tag & 7
        length = {0: 0, 1: 8, 2: 0, 5: 4}[wire_type]
        if wire_type in (0, 2):
            value, place = _read_number(message, place)
            length = value if wire_type == 2 else 0
        size += place - start
        below = content.get(number, OTHER) if wire_type == 2 else OTHER
        inner = message[place : place + length]
        size += length if below is OTHER else 0 if below is None else _structure_size(inner, below)
        place += length
    return size


def _read_number(message: memoryview, place: int) -> tuple[int, int]:
    """The number that begins there, and the place behind it.

    Raises LookupError if the number does not end.
    """
    number = shift = 0
    while message[place] & 0x80:
        if shift >= MAX_SHIFT:
            raise LookupError
        number |= (message[place] & 0x7F) << shift
        shift, place = shift + 7, place + 1
    return number | message[place] << shift, place + 1


def _initializers(graph: Any) -> Iterator[tuple[str, np.ndarray]]:
    if graph.sparse_initializer:
        raise WeightsError("an unsupported model: it has sparse tensors")
    for tensor in graph.initializer:
        yield tensor.name, _array(tensor)


def _node(given: Any) -> OnnxNode:
    """Convert a NodeProto."""
    domain = "" if given.domain in ("", "ai.onnx") else f"{given.domain}."
    attributes = {each.name: _attribute(each) for each in given.attribute}
    name = summary(given.name or "".join(given.output[:1]))
    kind = f"{domain}{given.op_type}"
    return OnnxNode(kind, name, tuple(given.input), tuple(given.output), attributes)


def _attribute(given: Any) -> Any:
    """An AttributeProto's value; None for graphs and others that no network here has."""
    match given.type:
        case 1:
            return given.f
        case 2:
            return given.i
        case 3:
            return given.s.decode("utf-8", "replace")
        case 4:
            return _array(given.t)
        case 6:
            return list(given.floats)
        case 7:
            return list(given.ints)
    return None


def _array(tensor: Any) -> np.ndarray:
    """Convert a TensorProto; raises WeightsError."""
    name, shape = summary(tensor.name) or "a constant", tuple(tensor.dims)
    if tensor.data_location or tensor.external_data:
        raise WeightsError(f"{name} is in another file, which is not read: save it as one file")
    known = tensor.data_type in DATA_TYPES and len(shape) <= MAX_AXES
    if not known or min(shape, default=0) < 0 or (0 in shape and len(shape) > 1):
        raise WeightsError(f"an unsupported model: {name} is of an unsupported type or size")
    try:
        array: np.ndarray = import_module("onnx.numpy_helper").to_array(tensor)
    except (TypeError, ValueError) as error:
        text = f"{name} does not have the size that it says; get the file again"
        raise WeightsError(text) from error
    return array

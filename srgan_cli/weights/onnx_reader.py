"""An ONNX file -> a network of ours, if its graph is exactly that network's.

The package onnx parses the file; nothing of it runs, and no other file is opened.
"""

from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.files import read_regular
from srgan_cli.weights.ncnn.graph_match import MatchedNetwork, match_network
from srgan_cli.weights.ncnn.param_file import summary
from srgan_cli.weights.onnx_layers import OnnxLayers
from srgan_cli.weights.onnx_nodes import OnnxNode
from srgan_cli.weights.tensor_files import MAX_FILE

INSTALL = "pip install onnx"
DTYPES = {1: "<f4", 6: "<i4", 7: "<i8", 10: "<f2", 11: "<f8"}
"""TensorProto.DataType -> what its raw bytes hold."""


def is_onnx(path: Path) -> bool:
    return path.suffix.lower() == ".onnx"


def read_onnx(path: Path) -> MatchedNetwork:
    """Raises WeightsError that does not name the file, and OptionError where onnx is missing."""
    graph = _parse(path)
    constants = dict(_initializers(graph))
    inputs = [value.name for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise WeightsError("an unsupported model: it does not have exactly one input and output")
    translated = OnnxLayers(inputs[0], constants)
    for node in graph.node:
        translated.add(_node(node))
    if not translated.ends_with(graph.output[0].name):
        raise WeightsError("an unsupported model: its output is not what its last layer makes")
    found = match_network(translated.layers, translated.arrays)
    return replace(found, origin={"family": f"{found.title}, from ONNX"})


def onnx_dtypes(path: Path) -> list[str]:
    """Types of the floats in the file. Raises as `read_onnx` does."""
    arrays = dict(_initializers(_parse(path))).values()
    return sorted({array.dtype.name for array in arrays if array.dtype.kind == "f"})


def _parse(path: Path) -> Any:
    """The GraphProto."""
    try:
        onnx = import_module("onnx")
    except ImportError as error:
        raise OptionError(f"reading ONNX needs the package onnx: {INSTALL}") from error
    try:
        model = onnx.ModelProto.FromString(read_regular(path, MAX_FILE))
    except OSError as error:
        raise WeightsError(f"cannot be read ({error.strerror})") from error
    except Exception as error:  # of protobuf, which differ from version to version
        raise WeightsError("not an ONNX file, or damaged or cut off; get it again") from error
    if not model.graph.node:
        raise WeightsError("not an ONNX file, or one without a graph")
    return model.graph


def _initializers(graph: Any) -> Iterator[tuple[str, np.ndarray]]:
    if graph.sparse_initializer:
        raise WeightsError("an unsupported model: it has sparse tensors")
    for tensor in graph.initializer:
        yield tensor.name, _array(tensor)


def _node(given: Any) -> OnnxNode:
    """Of a NodeProto."""
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
    """Of a TensorProto; its size is checked before anything is made of it."""
    name, shape = summary(tensor.name) or "a constant", tuple(tensor.dims)
    if tensor.data_location or tensor.external_data:
        raise WeightsError(f"{name} lies in another file, which is not read: save it as one file")
    if tensor.data_type not in DTYPES or min(shape, default=0) < 0:
        raise WeightsError(f"an unsupported model: {name} is of an unsupported type")
    dtype = np.dtype(DTYPES[tensor.data_type])
    listed = _listed(tensor)
    held = len(listed) if listed else len(tensor.raw_data) / dtype.itemsize
    if held != prod(shape):
        raise WeightsError(f"{name} does not have the size that it says; get the file again")
    values = np.array(listed, dtype) if listed else np.frombuffer(tensor.raw_data, dtype)
    return values.reshape(shape)


def _listed(tensor: Any) -> Any:
    """Numbers that are not in `raw_data`; float16 always is, as exporters write it."""
    fields = {1: "float_data", 6: "int32_data", 7: "int64_data", 11: "double_data"}
    field = fields.get(tensor.data_type)
    return getattr(tensor, field) if field else ()

"""Weights -> NAME.param and NAME.bin, compared with torch where the ncnn package is installed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.files import atomic_write
from srgan_cli.weights.container import Weights
from srgan_cli.weights.graph import Graph, Operation, build_graph
from srgan_cli.weights.graph_match import fold_batch_norm
from srgan_cli.weights.measured_field import max_difference
from srgan_cli.weights.ncnn.pair_files import (
    BATCH_NORM,
    BATCH_NORM_EPSILON,
    NcnnLayer,
    Value,
    format_param,
    format_plain,
    format_weight,
)

INSTALL = "pip install ncnn"

TYPES = {
    "input": "Input",
    "tanh": "TanH",
    "concat": "Concat",
    "pixel_shuffle": "PixelShuffle",
    "pixel_unshuffle": "Reorg",
}

INPUT, OUTPUT = "data", "output"
"""The blobs' names in Upscayl and realesrgan-ncnn-vulkan."""

TOLERANCE = 1e-3  # of values in [0, 1]: a quarter of a level
TEST_SIZES = ((24, 20), (16, 36), (8, 4))
"""Heights and widths at which ncnn must equal torch; multiples of every RRDBNet's unshuffling."""


def export_ncnn(weights: Weights, path: Path, half: bool = True) -> float | None:
    """Write `path` and the .bin beside it; half: weights as float16.

    The float32 form is run by ncnn first: returns its largest difference from torch, None without
    the package. Raises WeightsError if that is above TOLERANCE, and then writes nothing.
    """
    text, data = format_pair(weights, half=half)
    difference = _difference(weights) if find_spec("ncnn") else None
    if difference is not None and not difference <= TOLERANCE:
        raise WeightsError(f"{path}: ncnn would differ by {difference:.2g} from torch; not written")
    with (  # neither replaces an older file before both are written
        atomic_write(path.with_suffix(".bin"), WeightsError) as numbers,
        atomic_write(path, WeightsError) as graph,
    ):
        numbers.write(data)
        numbers.flush()
        graph.write(text.encode())
    return difference


def _difference(weights: Weights) -> float:
    text, data = format_pair(weights, half=False)
    return max_difference(weights, lambda low: run_ncnn(text, data, low[0])[None], TEST_SIZES)


def format_pair(weights: Weights, *, half: bool = True) -> tuple[str, bytes]:
    """The contents of NAME.param and NAME.bin; half: weights as float16.

    Raises WeightsError for an architecture that has no graph here, and for weights beyond float16.
    """
    try:
        graph = build_graph(weights.architecture, weights.hyperparameters)
    except KeyError as error:
        text = f"{weights.architecture} networks cannot be written for ncnn"
        raise WeightsError(text) from error
    state = {name: tensor.float().numpy() for name, tensor in weights.state.items()}
    arrays = _folded(graph, state)
    numbers = range(len(graph.operations))
    layers = _fuse_activations([_layer(graph, number) for number in numbers])
    data = b"".join(_format_arrays(graph, number, arrays, half) for number in numbers)
    return format_param(_with_splits(layers)), data


def _folded(graph: Graph, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The state with every BatchNorm folded into the convolution before it."""
    made = dict(state)
    for number, norm in graph.norms.items():
        name = graph.weights[number]
        zero = np.zeros(len(state[f"{name}.weight"]), np.float32)
        conv = {"weight": state[f"{name}.weight"], "bias": state.get(f"{name}.bias", zero)}
        arrays = {key: state[f"{norm}.{key}"] for key in BATCH_NORM}
        folded = fold_batch_norm(conv, arrays, BATCH_NORM_EPSILON)
        made |= {f"{name}.{key}": values for key, values in folded.items()}
    return made


def _format_arrays(graph: Graph, number: int, state: Mapping[str, np.ndarray], half: bool) -> bytes:
    """The bytes of one operation in the .bin."""
    if number in graph.constants:
        weight, bias = graph.constants[number]
        return format_weight(weight, half) + format_plain(bias)
    if number not in graph.weights:
        return b""
    name = graph.weights[number]
    if graph.operations[number].kind == "prelu":
        return format_plain(state[f"{name}.weight"])
    return format_weight(state[f"{name}.weight"], half) + format_plain(state[f"{name}.bias"])


def _layer(graph: Graph, number: int) -> NcnnLayer:
    operation = graph.operations[number]
    type_, values = _type_and_values(operation)
    inputs = tuple(_blob(graph, x) for x in operation.inputs)
    name = graph.weights.get(number, f"{operation.kind}_{number}")
    return NcnnLayer(type_, name, inputs, (_blob(graph, number),), values)


def _blob(graph: Graph, number: int) -> str:
    return {0: INPUT, graph.output: OUTPUT}.get(number, str(number))


def _type_and_values(operation: Operation) -> tuple[str, dict[int, Value]]:
    kind, sizes = operation.kind, operation.sizes
    whole = tuple(int(size) for size in sizes)
    match kind:
        case "conv":
            inputs, outputs, kernel, padding = whole
            count = outputs * inputs * kernel * kernel
            return "Convolution", {0: outputs, 1: kernel, 4: padding, 5: 1, 6: count}
        case "prelu":
            return "PReLU", {0: whole[0]}
        case "average_pool":
            return "Pooling", {0: 1, 1: 2, 2: 1, 3: whole[0], 5: 1, 6: 1}
        case "leaky_relu":
            return "ReLU", {0: sizes[0]}
        case "add" | "sub":
            return "BinaryOp", {0: 0 if kind == "add" else 1}
        case "plus" | "times":
            return "BinaryOp", {0: 0 if kind == "plus" else 2, 1: 1, 2: sizes[0]}
        case "nearest" | "bilinear":
            return "Interp", {0: 1 if kind == "nearest" else 2, 1: sizes[0], 2: sizes[0]}
        case "replicate_padding":
            return "Padding", {**dict.fromkeys(range(4), whole[0]), 4: 1}
    return TYPES[kind], {0: whole[0]} if whole else {}


def _fuse_activations(layers: list[NcnnLayer]) -> list[NcnnLayer]:
    """A (leaky) ReLU that alone reads a convolution's blob becomes a part of that layer."""
    readers = Counter(blob for layer in layers for blob in layer.inputs)
    fused: list[NcnnLayer] = []
    for layer in layers:
        before = fused[-1] if fused else layer
        single = layer.inputs == before.outputs and readers[before.outputs[0]] == 1
        if layer.type == "ReLU" and before.type == "Convolution" and single:
            slope = layer.number(0, 0.0)
            activation: dict[int, Value] = {9: 2, 10: (slope,)} if slope else {9: 1}
            values = dict(before.values) | activation
            fused[-1] = replace(before, outputs=layer.outputs, values=values)
        else:
            fused.append(layer)
    return fused


def _with_splits(layers: list[NcnnLayer]) -> list[NcnnLayer]:
    """ncnn requires one copy of a blob for each of its readers."""
    readers = Counter(blob for layer in layers for blob in layer.inputs)
    copies: dict[str, list[str]] = {}
    made: list[NcnnLayer] = []
    for layer in layers:
        inputs = tuple(copies[blob].pop() if blob in copies else blob for blob in layer.inputs)
        made.append(replace(layer, inputs=inputs))
        for blob in layer.outputs:
            if readers[blob] > 1:
                copies[blob] = [f"{blob}_{number}" for number in range(readers[blob])]
                made.append(NcnnLayer("Split", f"split_{blob}", (blob,), tuple(copies[blob])))
    return made


def run_ncnn(text: str, data: bytes, low: Tensor) -> Tensor:
    """(3, H, W) in [0, 1] -> (3, sH, sW): a pair in ncnn's own runtime, float32, on the CPU.

    Raises OptionError where the package `ncnn` is missing, WeightsError where it refuses the pair.
    """
    try:
        ncnn = import_module("ncnn")
    except ImportError as error:
        raise OptionError(f"this needs the package ncnn: {INSTALL}") from error
    network = ncnn.Net()
    network.opt.use_vulkan_compute = False
    network.opt.num_threads = torch.get_num_threads()
    for option in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(network.opt, f"use_{option}", False)
    with TemporaryDirectory() as folder:
        param, numbers = Path(folder, "network.param"), Path(folder, "network.bin")
        param.write_text(text)
        numbers.write_bytes(data)
        if network.load_param(str(param)) or network.load_model(str(numbers)):
            raise WeightsError("ncnn does not load it")
    extractor = network.create_extractor()
    pixels = low.contiguous().numpy()  # Mat does not keep it alive
    extractor.input(INPUT, ncnn.Mat(pixels).clone())
    failed, made = extractor.extract(OUTPUT)
    if failed:
        raise WeightsError("ncnn does not run it")
    return torch.from_numpy(np.array(made))

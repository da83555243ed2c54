"""An ncnn pair -> a network of ours, if its graph is exactly that network's.

Networks that Real-ESRGAN published are recognized by the checksum of their .bin. Ids of values:
https://github.com/Tencent/ncnn/blob/master/docs/developer-guide/operators.md.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from srgan_cli.errors import WeightsError
from srgan_cli.files import open_regular, read_regular
from srgan_cli.weights.container import Weights
from srgan_cli.weights.graph import Arrays, GraphLayer, Steps, resize_step, step, summary
from srgan_cli.weights.graph_match import match_network
from srgan_cli.weights.ncnn.pair_files import (
    BATCH_NORM_EPSILON,
    TYPES,
    NcnnLayer,
    first_dtype,
    parse_bin,
    parse_param,
)
from srgan_cli.weights.tensor_files import BINARY_GRAPH, BINARY_MAGIC, MAX_FILE

SUFFIXES = (".param", ".bin")
MAX_SIZE = {".param": 1 << 22, ".bin": MAX_FILE}
"""Bytes; words of a graph take a hundred times as many in memory."""

REAL_ESRGAN = {
    "origin": "Real-ESRGAN by Xintao Wang et al., https://github.com/xinntao/Real-ESRGAN",
    "license": "BSD-3-Clause",
}

NAMES = {
    "713ee713b0353afaa27976f0563a64a5043bd70b9bd8936c2e26e25ebcdbcddf": "realesrgan-x4plus",
    "fe01c269cfd10cdef8e018ab66ebe750cf79c7af4d1f9c16c737e1295229bacc": "realesrgan-x4plus-anime",
    "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d": "realesr-animevideov3",
    "85ee266b632a765a725425ba6a5620c088c8aa2939a03063b2d83b3462724cc1": "realesr-general-x4v3",
}
"""SHA-256 of the .bin -> the name it was published under; all are Real-ESRGAN's."""

ALIASES = ("Split", "Noop", "Dropout")
"""Layers that pass on what they are given."""

INTERP = {1: "nearest", 2: "bilinear"}


def is_ncnn(path: Path) -> bool:
    """Whether it is half of a pair, by its name; a .bin without its .param, by its first bytes."""
    suffix = path.suffix.lower()
    if suffix != ".bin" or path.with_suffix(".param").exists():
        return suffix in SUFFIXES
    try:
        with open_regular(path) as file:
            start = file.read(4)
    except OSError:
        return False
    return start in (flag.to_bytes(4, "little") for flag in TYPES)


def pair_paths(path: Path) -> list[Path]:
    """NAME.param and NAME.bin; `path` is either."""
    return [path if path.suffix.lower() == each else path.with_suffix(each) for each in SUFFIXES]


def read_ncnn(path: Path) -> Weights:
    """Read NAME.param and NAME.bin; `path` is either. Raises WeightsError that does not name it."""
    graph, numbers = map(_read_half, pair_paths(path))
    if graph.startswith(BINARY_MAGIC):
        raise WeightsError(f"a graph {BINARY_GRAPH}")
    try:
        text = graph.decode()
    except UnicodeDecodeError as error:
        raise WeightsError("not an ncnn graph in text form") from error
    return read_pair(text, numbers)


def ncnn_dtypes(path: Path) -> list[str]:
    """The type of a pair's weights; `path` is either file. Raises WeightsError."""
    found = first_dtype(_read_half(pair_paths(path)[1]))
    return [] if found is None else [found]


def _read_half(path: Path) -> bytes:
    if not path.exists():
        raise WeightsError(f"ncnn networks are pairs, and {summary(path.name)} does not exist")
    try:
        return read_regular(path, MAX_SIZE[path.suffix.lower()])
    except OSError as error:
        raise WeightsError(f"{summary(path.name)} cannot be read ({error.strerror})") from error


def read_pair(text: str, data: bytes) -> Weights:
    """The contents of NAME.param and NAME.bin as a network. Raises WeightsError."""
    layers, reduction = _without_reduction(parse_param(text))
    check_layer_types(layers)
    arrays = parse_bin(layers, data)
    graph = [graph_layer(layer, arrays.get(layer.outputs[0], {})) for layer in layers]
    found = match_network(graph, arrays, "ncnn")
    training = found.metadata.training | _origin(data)
    if reduction is not None:
        training["left out"] = f"its graph's bicubic reduction to {reduction:g}: use --scale"
    return replace(found, metadata=replace(found.metadata, training=training))


def _origin(data: bytes) -> dict[str, str]:
    """Name, origin and license of the network with this .bin; empty if it is not a known one."""
    name = NAMES.get(hashlib.sha256(data).hexdigest())
    return {} if name is None else {"published as": name, **REAL_ESRGAN}


def _without_reduction(layers: list[NcnnLayer]) -> tuple[list[NcnnLayer], float | None]:
    """realesr-animevideov3-x2 and -x3 are its x4 network with a bicubic reduction at the end."""
    last = layers[-1] if layers else NcnnLayer("", "", (), ())
    if last.type != "Interp" or last.integer(0, 0) != 3 or len(last.inputs) != 1:
        return layers, None
    factors = {last.number(1, 1.0), last.number(2, 1.0)}
    factor = factors.pop()
    return (layers, None) if factors or not 0 < factor < 1 else (layers[:-1], factor)


def check_layer_types(layers: Sequence[NcnnLayer]) -> None:
    unknown = {summary(layer.type): layer for layer in layers if layer.type not in STEPS}
    if unknown:
        first = next(iter(unknown.values()))
        kinds = ", ".join(list(unknown)[:4]) + (", ..." if len(unknown) > 4 else "")
        raise WeightsError(f"an unsupported model: it has layers of type {kinds} (first: {first})")
    if [layer.type for layer in layers].count("Input") != 1:
        raise WeightsError("an unsupported model: it does not have exactly one Input layer")
    for layer in layers:
        single = len(layer.outputs) == 1 or (layer.outputs and layer.type == "Split")
        if not single or not (layer.inputs or layer.type == "Input"):
            raise WeightsError(f"layer {layer}: wrong numbers of blobs")
    made = [blob for layer in layers for blob in layer.outputs]
    read = {blob for layer in layers for blob in layer.inputs}
    outputs = [blob for blob in made if blob not in read]
    if len(outputs) != 1:
        raise WeightsError(f"an unsupported model: it has {len(outputs)} outputs, not one")


def graph_layer(layer: NcnnLayer, arrays: Arrays) -> GraphLayer:
    """Raises WeightsError for values of a wrong type."""
    inputs = () if layer.type == "Input" else layer.inputs
    factors = layer.array(1) if layer.type == "Eltwise" else ()
    factors = tuple(float(f"{factor:.5g}") for factor in factors)
    return GraphLayer(str(layer), inputs, layer.outputs, STEPS[layer.type](layer, arrays), factors)


def _convolution(layer: NcnnLayer, arrays: Arrays) -> Steps | None:
    kernel, padding = layer.integer(1, 0), layer.integer(4, 0)
    sides = {11: kernel, 14: padding, 15: padding, 16: padding}
    if not layer.has(sides | dict.fromkeys((2, 12, 3, 13), 1)):  # dilation and stride
        return None
    if layer.number(18, 0.0) or layer.integer(19, 0):
        return None
    outputs, inputs = arrays["weight"].shape[:2]
    conv = ("conv", (inputs, outputs, kernel, padding))
    match layer.integer(9, 0):
        case 0:
            return (conv,)
        case 1:
            return conv, ("leaky_relu", (0.0,))
        case 2 if len(layer.array(10)) == 1:
            return conv, ("leaky_relu", layer.array(10))
    return None


def _interpolation(layer: NcnnLayer, _: Arrays) -> Steps | None:
    kind = INTERP.get(layer.integer(0, 0))
    factors = {layer.number(1, 1.0), layer.number(2, 1.0)}
    if kind is None or len(factors) > 1 or not layer.has({3: 0, 4: 0, 6: 0}):
        return None
    return resize_step(kind, factors.pop())


def _shuffle(layer: NcnnLayer, _: Arrays) -> Steps | None:
    kind = "pixel_shuffle" if layer.type == "PixelShuffle" else "pixel_unshuffle"
    factor = float(layer.integer(0, 1))
    return None if layer.integer(1, 0) else resize_step(kind, factor)  # another order of channels


def _padding(layer: NcnnLayer, _: Arrays) -> Steps | None:
    pixels = layer.integer(0, 0)
    plain = layer.has({1: pixels, 2: pixels, 3: pixels, 4: 1, 7: 0, 8: 0}, default=0)
    return step("replicate_padding", pixels) if plain else None


def _pooling(layer: NcnnLayer, _: Arrays) -> Steps | None:
    """Means of 2 x 2 with stride 1 that count the border of zeros."""
    padding = layer.integer(3, 0)
    plain = layer.has({0: 1, 1: 2, 4: 0, 5: 1, 6: 1, 7: 0}, default=0)  # 4, 7: global or adaptive
    square = layer.has({2: 1, 11: 2, 12: 1, 13: padding, 14: padding, 15: padding})
    return step("average_pool", padding) if plain and square else None


def _sum(layer: NcnnLayer, _: Arrays) -> Steps | None:
    is_sum = layer.integer(0, 0) == 1 and len(layer.array(1)) in (0, len(layer.inputs))
    return step("add") if is_sum else None


def _binary(layer: NcnnLayer, _: Arrays) -> Steps | None:
    """A BinaryOp; where parameter 1 is set, parameter 2 is the second operand, a number."""
    kind, number = layer.integer(0, 0), layer.number(2, 0.0)
    if not layer.integer(1, 0):
        names = {0: "add", 1: "sub"}
        return step(names[kind]) if kind in names and len(layer.inputs) == 2 else None
    if len(layer.inputs) != 1:
        return None
    match kind:
        case 0:
            return step("plus", number)
        case 2:
            return step("times", number)
        case 3 if number:
            return step("times", 1 / number)
    return None


STEPS: Mapping[str, Callable[[NcnnLayer, Arrays], Steps | None]] = {
    "Input": lambda *_: (),
    **dict.fromkeys(ALIASES, lambda layer, _: () if layer.number(0, 1.0) != 0.0 else None),
    "Convolution": _convolution,
    "BatchNorm": lambda layer, _: step("batch_norm", layer.number(1, BATCH_NORM_EPSILON)),
    "PReLU": lambda _, arrays: step("prelu", *arrays["weight"].shape),
    "ReLU": lambda layer, _: step("leaky_relu", layer.number(0, 0.0)),
    "TanH": lambda *_: step("tanh"),
    "Interp": _interpolation,
    "PixelShuffle": _shuffle,
    "Reorg": _shuffle,
    "Padding": _padding,
    "Pooling": _pooling,
    "Concat": lambda layer, _: step("concat") if layer.integer(0, 0) == 0 else None,
    "Eltwise": _sum,
    "BinaryOp": _binary,
}
"""Layer type -> its function of a layer and its arrays; None for what no network of ours has."""

"""An ncnn pair -> a network of ours, if its graph is exactly that network's.

Networks that Real-ESRGAN published are recognized by the checksum of their .bin.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

from srgan_cli.errors import WeightsError
from srgan_cli.files import open_regular, read_regular
from srgan_cli.weights.container import Weights
from srgan_cli.weights.graphs.graph import summary
from srgan_cli.weights.graphs.graph_match import match_network
from srgan_cli.weights.ncnn.bin_file import TYPES, first_dtype, parse_bin
from srgan_cli.weights.ncnn.layer_operations import check_layer_types, graph_layer
from srgan_cli.weights.ncnn.param_file import NcnnLayer, parse_param
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


def read_ncnn(path: Path) -> Weights:
    """Read NAME.param and NAME.bin; `path` is either. Raises WeightsError that does not name it."""
    names = [path if path.suffix.lower() == each else path.with_suffix(each) for each in SUFFIXES]
    graph, numbers = map(_read_half, names)
    if graph.startswith(BINARY_MAGIC):
        raise WeightsError(f"a graph {BINARY_GRAPH}")
    try:
        text = graph.decode()
    except UnicodeDecodeError as error:
        raise WeightsError("not an ncnn graph in text form") from error
    return read_pair(text, numbers)


def ncnn_dtypes(path: Path) -> list[str]:
    """The type of a pair's weights; `path` is either file. Raises WeightsError."""
    found = first_dtype(_read_half(path.with_suffix(SUFFIXES[1])))
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

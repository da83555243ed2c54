"""The halves of an ncnn pair: NAME.param, a graph of layers in text, and NAME.bin, their numbers.

7767517
LAYERS BLOBS
TYPE NAME INPUTS OUTPUTS [input blobs] [output blobs] [id=value ...]

Numbers follow in the layers' order, little-endian. Weights of convolutions begin with a flag that
tells their type; all else is plain float32.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from srgan_cli.errors import WeightsError
from srgan_cli.weights.graph import Arrays, summary

MAGIC = "7767517"
ARRAY = -23300  # an array's id is written as ARRAY - id, its value as LENGTH,first,second,..
LONGEST_NUMBER = 60  # characters

FLOAT16 = 0x01306B47
INT8 = 0x000D4B38
TYPES: dict[int, "np.dtype[Any]"] = {
    0: np.dtype("<f4"),
    0x0002C056: np.dtype("<f4"),
    FLOAT16: np.dtype("<f2"),
    INT8: np.dtype("i1"),
}

BATCH_NORM = ("weight", "running_mean", "running_var", "bias")
"""A BatchNorm layer's arrays in their order in the file."""

BATCH_NORM_EPSILON = 1e-5  # where a layer states none

Value = int | float | tuple[float, ...]


@dataclass(frozen=True)
class NcnnLayer:
    """One line of a .param file; `values` by their ids, whose meaning depends on the type."""

    type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    values: Mapping[int, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{summary(self.name)} ({summary(self.type)})"

    def integer(self, key: int, default: int) -> int:
        value = self.values.get(key, default)
        if not isinstance(value, int):
            raise WeightsError(f"layer {self}: {key}= is not an integer")
        return value

    def number(self, key: int, default: float) -> float:
        value = self.values.get(key, default)
        if isinstance(value, tuple):
            raise WeightsError(f"layer {self}: {key}= is not a single number")
        return float(value)

    def has(self, expected: Mapping[int, int], default: int | None = None) -> bool:
        """Whether these are its values. default: of those not stated; None: the expected ones."""
        return all(
            self.integer(key, value if default is None else default) == value
            for key, value in expected.items()
        )

    def array(self, key: int) -> tuple[float, ...]:
        value = self.values.get(key, ())
        return value if isinstance(value, tuple) else (float(value),)


def parse_param(text: str) -> list[NcnnLayer]:
    """The layers in their order. Raises WeightsError for any other text, and for contradictions.

    Every blob is made by one layer, before it is read, and read by at most one: ncnn requires Split
    layers where a blob is needed twice.
    """
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or lines[0] != [MAGIC]:
        raise WeightsError(f"not an ncnn graph: its first line is not {MAGIC}")
    counts = _integers(lines[1])
    if len(counts) != 2:
        raise WeightsError("the second line does not hold the numbers of layers and blobs")
    layers = [_parse_layer(words) for words in lines[2:]]
    if counts[0] != len(layers):
        raise WeightsError(f"it says {counts[0]} layers and has {len(layers)}; get it again")
    _check_blob_order(layers, counts[1])
    return layers


def _integers(words: Sequence[str]) -> list[int]:
    try:
        return [int(word) for word in words if len(word) < 20]
    except ValueError as error:
        raise WeightsError("a number is expected where there is none") from error


def _parse_layer(words: list[str]) -> NcnnLayer:
    numbers = _integers(words[2:4])
    if len(numbers) != 2 or min(numbers) < 0 or sum(numbers) > len(words) - 4:
        raise WeightsError(f"layer {summary(' '.join(words[:2]))}: wrong numbers of blobs")
    made, end = 4 + numbers[0], 4 + sum(numbers)
    inputs, outputs = tuple(words[4:made]), tuple(words[made:end])
    return NcnnLayer(words[0], words[1], inputs, outputs, _parse_values(words[1], words[end:]))


def _parse_values(name: str, words: Sequence[str]) -> dict[int, Value]:
    values: dict[int, Value] = {}
    for word in words:
        key, equals, value = word.partition("=")
        try:
            number = int(key)
            if not equals or len(key) > 8:
                raise ValueError(word)
            array = number <= ARRAY
            values[ARRAY - number if array else number] = _array(value) if array else _scalar(value)
        except ValueError as error:
            raise WeightsError(
                f"layer {summary(name)}: {summary(word)} is not ID=NUMBER"
            ) from error
    return values


def _scalar(text: str) -> Value:
    """Newer files may hold an array under its plain id."""
    if len(text) > LONGEST_NUMBER:
        raise ValueError(text)
    if "," in text:
        return tuple(float(part) for part in text.split(","))
    return float(text) if set(text) & set(".eEnN") else int(text)


def _array(text: str) -> tuple[float, ...]:
    count, *values = text.split(",")
    if int(count) != len(values):
        raise ValueError(text)
    return tuple(float(value) for value in values)


def _check_blob_order(layers: Sequence[NcnnLayer], declared: int) -> None:
    pending: set[str] = set()
    made: set[str] = set()
    for layer in layers:
        for blob in layer.inputs:
            if blob not in pending:
                why = "twice, without a Split" if blob in made else "before it is made"
                raise WeightsError(f"layer {layer} reads the blob {summary(blob)} {why}")
            pending.remove(blob)
        for blob in layer.outputs:
            if blob in made:
                raise WeightsError(f"layer {layer} makes the blob {summary(blob)} a second time")
            made.add(blob)
            pending.add(blob)
    if declared < len(made):
        raise WeightsError(f"it says {declared} blobs and has {len(made)}; get it again")


def format_param(layers: Sequence[NcnnLayer]) -> str:
    """The inverse of `parse_param`."""
    count = sum(len(layer.outputs) for layer in layers)
    lines = [MAGIC, f"{len(layers)} {count}", *map(_format_layer, layers)]
    return "\n".join(lines) + "\n"


def _format_layer(layer: NcnnLayer) -> str:
    values = [
        f"{ARRAY - key}={len(value)},{','.join(map(_format_number, value))}"
        if isinstance(value, tuple)
        else f"{key}={_format_number(value)}"
        for key, value in layer.values.items()
    ]
    counts = f"{len(layer.inputs)} {len(layer.outputs)}"
    words = [f"{layer.name:<24}", counts, *layer.inputs, *layer.outputs, *values]
    return f"{layer.type:<16} {' '.join(words)}"


def _format_number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.9e}"


@dataclass
class _Cursor:
    """Takes array after array; nothing is allocated before it is known to be in the file."""

    data: bytes
    place: int = 0

    def flagged(self, layer: NcnnLayer, count: int) -> np.ndarray:
        """(count,) float32 or float16, or int8 that is still to be scaled."""
        flag = int(self._take(layer, np.dtype("<u4"), 1)[0])
        if flag not in TYPES:
            raise WeightsError(f"layer {layer}: numbers of an unsupported type, 0x{flag:08X}")
        found = self._take(layer, TYPES[flag], count)
        self.place = min(len(self.data), -(-self.place // 4) * 4)
        return found

    def plain(self, layer: NcnnLayer, count: int) -> np.ndarray:
        """(count,) float32."""
        return self._take(layer, np.dtype("<f4"), count)

    def _take(self, layer: NcnnLayer, kind: "np.dtype[Any]", count: int) -> np.ndarray:
        size = count * kind.itemsize
        if count < 0 or size > len(self.data) - self.place:
            missing = f"layer {layer} needs {size} bytes and {len(self.data) - self.place} are left"
            raise WeightsError(f"the .bin is cut off, or belongs to another .param: {missing}")
        found = np.frombuffer(self.data, kind, count, self.place)
        self.place += size
        return found


def first_dtype(data: bytes) -> str | None:
    """Type of the first convolution's weights, such as "float16"; None for an unsupported one."""
    found = TYPES.get(int.from_bytes(data[:4], "little"))
    return None if found is None else found.name


def parse_bin(layers: Sequence[NcnnLayer], data: bytes) -> dict[str, Arrays]:
    """The arrays of each layer that has some, by its output blob, float32.

    "weight" (outputs, inputs, k, k) and "bias" of a convolution; "weight" of a PReLU; those of
    BATCH_NORM. Raises WeightsError where `data` is shorter or longer than the layers say.
    """
    cursor = _Cursor(data)
    found = {layer.outputs[0]: dict(_read_arrays(cursor, layer)) for layer in layers}
    if cursor.place != len(data):
        rest = len(data) - cursor.place
        raise WeightsError(f"the .bin has {rest} bytes more than its .param says: not a pair")
    return {
        blob: {name: values.astype(np.float32) for name, values in arrays.items()}
        for blob, arrays in found.items()
        if arrays
    }


def _read_arrays(cursor: _Cursor, layer: NcnnLayer) -> Iterator[tuple[str, np.ndarray]]:
    match layer.type:
        case "Convolution":
            yield from _read_convolution(cursor, layer)
        case "PReLU":
            yield "weight", cursor.plain(layer, layer.integer(0, 0))
        case "BatchNorm":
            for name in BATCH_NORM:
                yield name, cursor.plain(layer, layer.integer(0, 0))


def _read_convolution(cursor: _Cursor, layer: NcnnLayer) -> Iterator[tuple[str, np.ndarray]]:
    outputs, kernel, count = (layer.integer(key, 0) for key in (0, 1, 6))
    width = outputs * kernel * kernel
    if min(outputs, kernel, count) < 1 or count % width:
        raise WeightsError(
            f"layer {layer}: {count} weights are none of {outputs} outputs, kernel {kernel}"
        )
    weight = cursor.flagged(layer, count)
    bias = cursor.plain(layer, outputs) if layer.integer(5, 0) else np.zeros(outputs, np.float32)
    if scaled := layer.integer(8, 0):
        scales = cursor.plain(layer, outputs)
        cursor.plain(layer, 1 + (scaled > 100))  # of activations, which stay floats here
    if weight.dtype == np.int8:
        if not scaled or not (scales > 0).all():
            raise WeightsError(f"layer {layer}: int8 weights without their scales")
        weight = weight.reshape(outputs, -1) / scales[:, None]
    yield "weight", weight.reshape(outputs, -1, kernel, kernel)
    yield "bias", bias


def format_weight(values: np.ndarray, half: bool) -> bytes:
    """A convolution's weights with their flag, as float16 or float32.

    Raises WeightsError where float16 cannot hold them.
    """
    flag, kind = (FLOAT16, "<f2") if half else (0, "<f4")
    with np.errstate(over="ignore"):
        made = values.astype(kind)
    if not np.isfinite(made).all():
        raise WeightsError("float16 cannot hold its weights; write float32: --full")
    data = np.uint32(flag).astype("<u4").tobytes() + made.tobytes()
    return data + bytes(-len(data) % 4)


def format_plain(values: np.ndarray) -> bytes:
    return values.astype("<f4").tobytes()

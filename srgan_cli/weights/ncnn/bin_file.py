"""The binary half of an ncnn pair: the layers' numbers in their order, little-endian.

Weights of convolutions begin with a flag that tells their type; all else is plain float32.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from srgan_cli.errors import WeightsError
from srgan_cli.weights.graphs.graph import Arrays
from srgan_cli.weights.ncnn.param_file import NcnnLayer

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
    """The arrays of each layer that has some, by its output blob, finite float32.

    "weight" (outputs, inputs, k, k) and "bias" of a convolution; "weight" of a PReLU; those of
    BATCH_NORM. Raises WeightsError where `data` is shorter or longer than the layers say.
    """
    cursor = _Cursor(data)
    found = {layer.outputs[0]: dict(_read(cursor, layer)) for layer in layers if layer.outputs}
    if cursor.place != len(data):
        rest = len(data) - cursor.place
        raise WeightsError(f"the .bin has {rest} bytes more than its .param says: not a pair")
    return {blob: arrays for blob, arrays in found.items() if arrays}


def _read(cursor: _Cursor, layer: NcnnLayer) -> Iterator[tuple[str, np.ndarray]]:
    for name, values in _read_raw(cursor, layer):
        made = values.astype(np.float32)
        if not np.isfinite(made).all():
            raise WeightsError(f"layer {layer} holds values that are not finite numbers")
        yield name, made


def _read_raw(cursor: _Cursor, layer: NcnnLayer) -> Iterator[tuple[str, np.ndarray]]:
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

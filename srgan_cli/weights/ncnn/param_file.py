"""The text half of an ncnn pair: a graph of layers, one a line.

7767517
LAYERS BLOBS
TYPE NAME INPUTS OUTPUTS [input blobs] [output blobs] [id=value ...]
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from srgan_cli.errors import WeightsError
from srgan_cli.weights.graphs.graph import summary

MAGIC = "7767517"
ARRAY = -23300  # an array's id is written as ARRAY - id, its value as LENGTH,first,second,..
LONGEST_NUMBER = 60  # characters

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

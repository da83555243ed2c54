"""Layers and their arrays -> the network of ours whose graph is exactly theirs.

The layers are those of a file, whatever its format, under the names that ncnn has for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from srgan_cli.errors import WeightsError
from srgan_cli.weights.ncnn.architectures import build_graph
from srgan_cli.weights.ncnn.bin_file import Arrays
from srgan_cli.weights.ncnn.candidates import TITLES, Candidate, list_candidates
from srgan_cli.weights.ncnn.graph import Graph, canonical
from srgan_cli.weights.ncnn.layer_operations import LAYER_TYPES, is_alias, layer_steps
from srgan_cli.weights.ncnn.param_file import NcnnLayer, summary

Layers = Sequence[NcnnLayer]

CONSTANT_TOLERANCE = 1e-3  # of fixed kernels, which may be float16
BATCH_NORM_EPSILON = 1e-5  # a layer's default in files

SUPPORTED = "RRDBNet, Compact, SRResNet and srgan's own fast networks can be read"


@dataclass(frozen=True, eq=False)
class MatchedNetwork:
    """A network of ours; `state` is float32, finite and complete. origin: for its metadata."""

    architecture: str
    hyperparameters: Mapping[str, Any]
    state: Mapping[str, Tensor]
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return TITLES[self.architecture]


def match_network(layers: Layers, arrays: Mapping[str, Arrays]) -> MatchedNetwork:
    """arrays: of the layers that have some, by their output blob.

    Raises WeightsError that names the first layer which fits no network of ours.
    """
    folded = fold_batch_norms(layers, arrays)
    candidates = list_candidates(layers, folded)
    if not candidates:
        raise WeightsError(f"an unsupported model: its graph is of no known kind; {SUPPORTED}")
    matches = [_match(layers, folded, candidate) for candidate in candidates]
    best = max(matches, key=lambda match: match.layers)
    if best.problem:
        raise WeightsError(f"an unsupported model: {best.problem}; {SUPPORTED}")
    found = best.candidate
    return MatchedNetwork(found.architecture, found.hyperparameters, best.state)


def check_layer_types(layers: Layers) -> None:
    unknown = {summary(layer.type): layer for layer in layers if layer.type not in LAYER_TYPES}
    if unknown:
        first = next(iter(unknown.values()))
        kinds = ", ".join(list(unknown)[:4]) + (", ..." if len(unknown) > 4 else "")
        raise WeightsError(f"an unsupported model: it has layers of type {kinds} (first: {first})")
    if [layer.type for layer in layers].count("Input") != 1:
        raise WeightsError("an unsupported model: it does not have exactly one Input layer")
    for layer in layers:
        if (layer.type != "Split" and len(layer.outputs) != 1) or (
            layer.type != "Input" and not layer.inputs
        ):
            raise WeightsError(f"layer {layer}: wrong numbers of blobs")
    made = [blob for layer in layers for blob in layer.outputs]
    read = {blob for layer in layers for blob in layer.inputs}
    outputs = [blob for blob in made if blob not in read]
    if len(outputs) != 1:
        raise WeightsError(f"an unsupported model: it has {len(outputs)} outputs, not one")


def fold_batch_norms(layers: Layers, arrays: Mapping[str, Arrays]) -> dict[str, Arrays]:
    """The arrays of convolutions that do what the BatchNorm layers behind them did."""
    folded = dict(arrays)
    makers = {blob: layer for layer in layers for blob in layer.outputs}
    for layer in layers:
        if layer.type != "BatchNorm":
            continue
        before = makers[layer.inputs[0]]
        if before.type != "Convolution" or before.integer(9, 0):
            raise WeightsError(f"an unsupported model: {layer} does not follow a convolution")
        norm = folded.pop(layer.outputs[0])
        epsilon = layer.number(1, BATCH_NORM_EPSILON)
        folded[before.outputs[0]] = fold_batch_norm(folded[before.outputs[0]], norm, epsilon)
    return folded


def fold_batch_norm(conv: Arrays, norm: Arrays, epsilon: float) -> Arrays:
    """conv, norm: weight, bias, and the running statistics. Raises WeightsError."""
    if len(conv["bias"]) != len(norm["bias"]) or (norm["running_var"] < 0).any():
        raise WeightsError("a BatchNorm of another width, or with negative variances")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        gain = norm["weight"] / np.sqrt(norm["running_var"] + np.float32(max(epsilon, 0.0)))
        bias = (conv["bias"] - norm["running_mean"]) * gain + norm["bias"]
        weight = conv["weight"] * gain[:, None, None, None]
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise WeightsError("a BatchNorm whose variances are zero")
    return {"weight": weight, "bias": bias}


@dataclass(frozen=True, eq=False)
class _Match:
    """Number of first layers that fit a candidate; `problem` names the first that does not."""

    candidate: Candidate
    layers: int
    state: Mapping[str, Tensor]
    problem: str | None = None


def _match(layers: Layers, arrays: Mapping[str, Arrays], candidate: Candidate) -> _Match:
    graph = build_graph(candidate.architecture, candidate.hyperparameters)
    walk = _Walk(graph, arrays, {}, {})
    for count, layer in enumerate(layers):
        if not walk.follow(layer):
            where = f"{candidate}, and layer {layer} has no place there"
            return _Match(candidate, count, {}, f"it is most like {where}")
    missing = len(graph.weights) + len(graph.constants) - len(walk.used)
    if missing or walk.places[layers[-1].outputs[0]] != graph.output:
        return _Match(candidate, len(layers), {}, f"it ends before {candidate} does")
    return _Match(candidate, len(layers) + 1, walk.state)


@dataclass
class _Walk:
    """Goes through a file's layers and finds each one's operation in the graph expected.

    places: blob -> operation. used: operation with parameters -> the blob it gave.
    """

    graph: Graph
    arrays: Mapping[str, Arrays]
    places: dict[str, int]
    used: dict[int, str]

    def __post_init__(self) -> None:
        self.state: dict[str, Tensor] = {}

    def follow(self, layer: NcnnLayer) -> bool:
        if layer.type == "Input":
            self.places[layer.outputs[0]] = 0
            return True
        inputs = [self.places[blob] for blob in layer.inputs]
        made: int | None = inputs[0] if is_alias(layer) else self._find(layer, inputs)
        if made is None:
            return False
        self.places |= dict.fromkeys(layer.outputs, made)
        return True

    def _find(self, layer: NcnnLayer, inputs: list[int]) -> int | None:
        arrays = self.arrays.get(layer.outputs[0], {})
        steps = layer_steps(layer, arrays)
        if steps is None:
            return None
        scaled = [
            self.graph.find(canonical("times", [x], [factor])) if factor != 1 else x
            for x, factor in zip(inputs, steps.factors or [1.0] * len(inputs), strict=True)
        ]
        current = [x for x in scaled if x is not None]
        if len(current) != len(scaled):
            return None
        for kind, sizes in steps.chain:
            found = self._find_operation(kind, current, sizes)
            if found is None or not self._take(found, arrays, layer):
                return None
            current = [found]
        return current[0] if len(current) == 1 else None

    def _find_operation(self, kind: str, inputs: list[int], sizes: tuple[float, ...]) -> int | None:
        if kind == "concat":
            inputs = [part for x in inputs for part in self._parts(x)]
        found = self.graph.find(canonical(kind, inputs, sizes))
        if found is None and kind == "prelu":  # one slope for all channels, or equal ones
            other = [n for n in self.graph.weights if self.graph.operations[n].inputs == (*inputs,)]
            return next((n for n in other if self.graph.operations[n].kind == "prelu"), None)
        return found

    def _parts(self, x: int) -> tuple[int, ...]:
        operation = self.graph.operations[x]
        return operation.inputs if operation.kind == "concat" else (x,)

    def _take(self, number: int, arrays: Arrays, layer: NcnnLayer) -> bool:
        """Keep the arrays of an operation that has some; False where they are not its own."""
        operation = self.graph.operations[number]
        if operation.kind not in ("conv", "prelu"):
            return True
        if number in self.used:
            return False
        self.used[number] = layer.outputs[0]
        if number in self.graph.constants:
            return self._is_constant(number, arrays)
        name = self.graph.weights[number]
        if operation.kind == "prelu":
            slopes = _fit_slopes(arrays["weight"], int(operation.sizes[0]))
            if slopes is None:
                return False
            arrays = {"weight": slopes}
        for key, values in arrays.items():
            self.state[f"{name}.{key}"] = torch.from_numpy(values.copy())
        return True

    def _is_constant(self, number: int, arrays: Arrays) -> bool:
        expected = self.graph.constants[number]
        given = (arrays["weight"], arrays["bias"])
        return all(
            np.allclose(a, b, rtol=0, atol=CONSTANT_TOLERANCE)
            for a, b in zip(given, expected, strict=True)
        )


def _fit_slopes(slopes: np.ndarray, expected: int) -> np.ndarray | None:
    if len(slopes) == expected:
        return slopes
    if len(slopes) == 0 or (slopes != slopes[0]).any():
        return None
    return np.full(expected, slopes[0], np.float32)

"""A file's layers and their arrays -> the network of ours whose graph is exactly theirs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from srgan_cli.errors import WeightsError
from srgan_cli.weights.container import Weights
from srgan_cli.weights.generators import join_problems, non_finite
from srgan_cli.weights.graph import Arrays, GraphLayer, Size, build_graph, canonical
from srgan_cli.weights.graph_candidates import TITLES, Candidate, list_candidates
from srgan_cli.weights.metadata import Metadata

Layers = Sequence[GraphLayer]

CONSTANT_TOLERANCE = 1e-3  # of fixed kernels, which may be float16

SUPPORTED = "RRDBNet, Compact, SRResNet and srgan's own fast networks can be read"


def match_network(layers: Layers, arrays: Mapping[str, Arrays], origin: str) -> Weights:
    """arrays: of the layers that have some, by their output. origin: such as "ncnn".

    float32, finite and complete. Raises WeightsError that names the first layer which fits no
    network of ours.
    """
    layers, arrays = fold_batch_norms(layers, arrays)
    candidates = list_candidates(layers, arrays)
    if not candidates:
        raise WeightsError(f"an unsupported model: its graph is of no known kind; {SUPPORTED}")
    matches = [_Match(candidate, layers, arrays) for candidate in candidates]
    best = max(matches, key=lambda match: match.count)
    if best.problem:
        raise WeightsError(f"an unsupported model: {best.problem}; {SUPPORTED}")
    if problems := non_finite(best.state):
        raise WeightsError(join_problems(problems))
    kind, sizes = best.candidate.architecture, best.candidate.hyperparameters
    family = f"{TITLES[kind]}, from {origin}"
    metadata = Metadata(scale=sizes["scale"], training={"family": family})
    return Weights(kind, sizes, best.state, metadata, family)


def fold_batch_norms(
    layers: Layers, arrays: Mapping[str, Arrays]
) -> tuple[list[GraphLayer], dict[str, Arrays]]:
    """Convolutions do what the BatchNorm layers behind them did; these do nothing more.

    Raises WeightsError for a BatchNorm behind something else, or behind a convolution that other
    layers read too.
    """
    folded, plain = dict(arrays), list[GraphLayer]()
    makers = {output: layer for layer in layers for output in layer.outputs}
    readers = Counter(name for layer in layers for name in layer.inputs)
    for layer in layers:
        if not (layer.steps and layer.steps[0][0] == "batch_norm"):
            plain.append(layer)
            continue
        before = makers[layer.inputs[0]]
        if [kind for kind, _ in before.steps or ()] != ["conv"]:
            raise WeightsError(f"an unsupported model: {layer} does not follow a convolution")
        if readers[layer.inputs[0]] > 1:
            text = f"other layers than {layer} read the convolution before it"
            raise WeightsError(f"an unsupported model: {text}")
        norm, conv = folded.pop(layer.outputs[0]), folded[before.outputs[0]]
        folded[before.outputs[0]] = fold_batch_norm(conv, norm, layer.steps[0][1][0])
        plain.append(replace(layer, steps=()))
    return plain, folded


def fold_batch_norm(conv: Arrays, norm: Arrays, epsilon: float) -> Arrays:
    """conv, norm: weight, bias, and the running statistics. Raises WeightsError."""
    widths = {conv["bias"].shape, *(array.shape for array in norm.values())}
    if len(widths) > 1 or (norm["running_var"] < 0).any():
        raise WeightsError("a BatchNorm of another width, or with negative variances")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        gain = norm["weight"] / np.sqrt(norm["running_var"] + np.float32(max(epsilon, 0.0)))
        bias = (conv["bias"] - norm["running_mean"]) * gain + norm["bias"]
        weight = conv["weight"] * gain[:, None, None, None]
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise WeightsError("a BatchNorm whose results are not finite numbers")
    return {"weight": weight, "bias": bias}


class _Match:
    """A candidate's graph beside a file's layers: which operation each layer is.

    count: the number of first layers that fit. problem: names the first that does not. state: the
    network's tensors, complete if there is no problem.
    """

    def __init__(self, candidate: Candidate, layers: Layers, arrays: Mapping[str, Arrays]) -> None:
        self.candidate = candidate
        self.state: dict[str, Tensor] = {}
        self.problem: str | None = None
        self.count = 0
        self._graph = build_graph(candidate.architecture, candidate.hyperparameters)
        self._arrays = arrays
        self._places: dict[str, int] = {}  # a layer's output -> operation
        self._used: set[int] = set()  # operations whose parameters were found
        self._compare(layers)

    def _compare(self, layers: Layers) -> None:
        for layer in layers:
            made = self._find(layer) if layer.inputs else 0
            if made is None:
                where = f"{self.candidate}, and layer {layer} has no place there"
                self.problem = f"it is most like {where}"
                return
            self._places |= dict.fromkeys(layer.outputs, made)
            self.count += 1
        missing = len(self._graph.weights) + len(self._graph.constants) - len(self._used)
        if missing or self._places[layers[-1].outputs[0]] != self._graph.output:
            self.problem = f"it ends before {self.candidate} does"
        else:
            self.count += 1

    def _find(self, layer: GraphLayer) -> int | None:
        inputs = [self._places[name] for name in layer.inputs]
        scaled = [
            self._graph.find(canonical("times", [x], [factor])) if factor != 1 else x
            for x, factor in zip(inputs, layer.factors or [1.0] * len(inputs), strict=True)
        ]
        current = [x for x in scaled if x is not None]
        if layer.steps is None or len(current) != len(scaled):
            return None
        for kind, sizes in layer.steps:
            found = self._find_operation(kind, current, sizes)
            if found is None or not self._take(found, self._arrays.get(layer.outputs[0], {})):
                return None
            current = [found]
        return current[0] if len(current) == 1 else None

    def _find_operation(self, kind: str, inputs: list[int], sizes: Sequence[Size]) -> int | None:
        operations = self._graph.operations
        if kind == "concat":
            parts = [operations[x] for x in inputs]
            nested = [
                p.inputs if p.kind == "concat" else (x,) for p, x in zip(parts, inputs, strict=True)
            ]
            inputs = [part for group in nested for part in group]
        found = self._graph.find(canonical(kind, inputs, sizes))
        if found is None and kind == "prelu":  # one slope for all channels, or equal ones
            other = [n for n in self._graph.weights if operations[n].inputs == (*inputs,)]
            return next((n for n in other if operations[n].kind == "prelu"), None)
        return found

    def _take(self, number: int, arrays: Arrays) -> bool:
        """Keep the arrays of an operation that has some; False where they are not its own."""
        operation = self._graph.operations[number]
        if operation.kind not in ("conv", "prelu"):
            return True
        if number in self._used:
            return False
        self._used.add(number)
        if number in self._graph.constants:
            return self._is_constant(number, arrays)
        if operation.kind == "prelu":
            slopes = _fit_slopes(arrays["weight"], int(operation.sizes[0]))
            if slopes is None:
                return False
            arrays = {"weight": slopes}
        name = self._graph.weights[number]
        for key, values in arrays.items():
            self.state[f"{name}.{key}"] = torch.from_numpy(values.copy())
        return True

    def _is_constant(self, number: int, arrays: Arrays) -> bool:
        expected = self._graph.constants[number]
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

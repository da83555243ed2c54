"""Which networks a file's layers may be: sizes from its convolutions, as a first guess.

Whether it is one of them is decided by comparing the whole graph.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt, prod
from typing import Any

import numpy as np

from srgan_cli.networks.srresnet import FORMS
from srgan_cli.weights.ncnn.architectures import COMPACT_SLOPE
from srgan_cli.weights.ncnn.bin_file import Arrays
from srgan_cli.weights.ncnn.param_file import NcnnLayer

LARGEST_FACTOR = 16

TITLES = {
    "rrdbnet": "RRDBNet",
    "compact": "Compact",
    "srresnet": "SRResNet",
    "fast": "srgan's fast",
}


@dataclass(frozen=True)
class Candidate:
    architecture: str
    hyperparameters: Mapping[str, Any]

    def __str__(self) -> str:
        sizes = ", ".join(f"{name} {value}" for name, value in self.hyperparameters.items())
        return f"{TITLES[self.architecture]} ({sizes})"


@dataclass(frozen=True, eq=False)
class _Summary:
    """convolutions: their weights (outputs, inputs, k, k). upscaled: factors of Interp layers.
    shuffled: factors of PixelShuffle layers."""

    convolutions: Sequence[np.ndarray]
    types: Counter[str]
    upscaled: Sequence[int]
    shuffled: Sequence[int]
    slope: float | None

    def width(self, number: int) -> int:
        return self.convolutions[number].shape[0]

    def inputs(self, number: int) -> int:
        return self.convolutions[number].shape[1]


def list_candidates(layers: Sequence[NcnnLayer], arrays: Mapping[str, Arrays]) -> list[Candidate]:
    summary = _summarize(layers, arrays)
    if len(summary.convolutions) < 2:
        return []
    found = [*_rrdbnet(summary), *_compact(summary), *_fast(summary), *_srresnet(summary)]
    return [one for one in found if 1 <= one.hyperparameters["scale"] <= LARGEST_FACTOR]


def _summarize(layers: Sequence[NcnnLayer], arrays: Mapping[str, Arrays]) -> _Summary:
    convolutions = [arrays[n.outputs[0]]["weight"] for n in layers if n.type == "Convolution"]
    slopes = [slope for layer in layers if (slope := _slope(layer)) is not None]
    upscaled = [_factor(n.number(1, 1.0)) for n in layers if n.type == "Interp"]
    shuffled = [_factor(n.number(0, 1.0)) for n in layers if n.type == "PixelShuffle"]
    slope = slopes[0] if slopes else None
    return _Summary(convolutions, Counter(n.type for n in layers), upscaled, shuffled, slope)


def _slope(layer: NcnnLayer) -> float | None:
    """Negative slope of a ReLU or LeakyReLU, on its own or fused into a convolution."""
    if layer.type == "ReLU":
        return layer.number(0, 0.0)
    fused = layer.integer(9, 0) if layer.type == "Convolution" else 0
    return {0: None, 2: sum(layer.array(10))}.get(fused, 0.0)


def _factor(number: float) -> int:
    """A factor by which networks here upscale; 0, with which none fits, for any other."""
    return int(number) if number in range(1, LARGEST_FACTOR + 1) else 0


def _rrdbnet(summary: _Summary) -> Iterator[Candidate]:
    unshuffle = isqrt(summary.inputs(0) // 3)
    blocks = (len(summary.convolutions) - 4 - len(summary.upscaled)) // 15
    if not summary.types["Concat"] or unshuffle < 1 or blocks < 1:
        return
    sizes = {
        "scale": prod(summary.upscaled) // unshuffle,
        "features": summary.width(0),
        "blocks": blocks,
        "growth": summary.width(1),
        "unshuffle": unshuffle,
    }
    yield Candidate("rrdbnet", sizes)


def _compact(summary: _Summary) -> Iterator[Candidate]:
    activation = "prelu"
    if not summary.types["PReLU"]:
        activation = "leakyrelu" if round(summary.slope or 0.0, 5) == COMPACT_SLOPE else "relu"
    sizes = {
        "scale": isqrt(summary.width(-1) // 3),
        "features": summary.width(0),
        "convolutions": len(summary.convolutions) - 2,
        "activation": activation,
    }
    yield Candidate("compact", sizes)


def _fast(summary: _Summary) -> Iterator[Candidate]:
    """The last PixelShuffle is that of the bicubic base, a convolution of another size."""
    scale = summary.shuffled[-1] if summary.shuffled else 0
    blocks = (len(summary.convolutions) - 4 - (len(summary.shuffled) - 1)) // 2
    if summary.types["Padding"] and blocks >= 0 and len(summary.convolutions) > 4:
        thin = next((w.shape[1] for w in summary.convolutions[::-1] if w.shape[2] == 3), 0)
        sizes = {"scale": scale, "features": summary.width(0), "blocks": blocks, "thin": thin}
        newer = {"negative_slope": round(summary.slope or 0.0, 5), "binomial": True}
        middle = [summary.width(1 + 2 * block) for block in range(blocks)]
        pruned = {} if set(middle) <= {sizes["features"]} else {"middle": middle}
        yield Candidate("fast", sizes | pruned | (newer if summary.types["Pooling"] else {}))


def _srresnet(summary: _Summary) -> Iterator[Candidate]:
    for name, form in FORMS.items():
        steps = summary.upscaled if form.nearest else summary.shuffled
        fixed = 2 + len(steps) + (form.body_end is not None) + form.conv_hr
        blocks = (len(summary.convolutions) - fixed) // 2
        if blocks < 0 or summary.convolutions[0].shape[2] != form.kernel:
            continue
        sizes = {"scale": prod(steps), "features": summary.width(0), "blocks": blocks}
        options = {"norm": False, "bias": True, "form": name}
        output = {"output": "tanh" if summary.types["TanH"] else "linear"}
        yield Candidate("srresnet", sizes | options | output)

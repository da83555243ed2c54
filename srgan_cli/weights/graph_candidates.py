"""Which networks a file's layers may be: sizes from its convolutions, as a first guess.

Whether it is one of them is decided by comparing the whole graph.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt, prod

import numpy as np

from srgan_cli.networks.layers import upscale_factors
from srgan_cli.networks.srresnet import FORMS
from srgan_cli.weights.generators import MAX_DEPTH, Hyperparameters
from srgan_cli.weights.graph import Arrays, GraphLayer

LARGEST_FACTOR = 16
COMPACT_SLOPE = 0.1  # of Compact's LeakyReLU

TITLES = {
    "rrdbnet": "RRDBNet",
    "compact": "Compact",
    "srresnet": "SRResNet",
    "fast": "srgan's fast",
}


@dataclass(frozen=True)
class Candidate:
    architecture: str
    hyperparameters: Hyperparameters

    def __str__(self) -> str:
        sizes = ", ".join(f"{name} {value}" for name, value in self.hyperparameters.items())
        return f"{TITLES[self.architecture]} ({sizes})"


@dataclass(frozen=True, eq=False)
class _Summary:
    """convolutions: their weights (outputs, inputs, k, k). sizes: kind of an operation -> the first
    size of each."""

    convolutions: Sequence[np.ndarray]
    sizes: Mapping[str, Sequence[float]]

    def width(self, number: int) -> int:
        return self.convolutions[number].shape[0]

    def factors(self, kind: str) -> list[int]:
        """By which networks here upscale; 0, with which none fits, for any other."""
        possible = range(1, LARGEST_FACTOR + 1)
        return [int(size) if size in possible else 0 for size in self.sizes.get(kind, ())]

    def has_outputs(self, numbers: Iterable[int]) -> bool:
        """Whether convolutions make so many channels: building others takes more than the file."""
        return {*numbers} <= {weight.shape[0] for weight in self.convolutions}

    @property
    def slope(self) -> float:
        """Below 0, of the first ReLU or LeakyReLU."""
        return round(next(iter(self.sizes.get("leaky_relu", ())), 0.0), 5)


def list_candidates(layers: Sequence[GraphLayer], arrays: Mapping[str, Arrays]) -> list[Candidate]:
    weights = [arrays[n.outputs[0]]["weight"] for n in layers if n.outputs[0] in arrays]
    convolutions = [weight for weight in weights if weight.ndim == 4]
    sizes = defaultdict[str, list[float]](list)
    for layer in layers:
        for kind, numbers in layer.steps or ():
            sizes[kind] += numbers[:1] or (0,)
    if len(convolutions) < 2:
        return []
    summary = _Summary(convolutions, sizes)
    found = [*_rrdbnet(summary), *_compact(summary), *_fast(summary), *_srresnet(summary)]
    return [one for one in found if _is_possible(one.hyperparameters)]


def _is_possible(sizes: Hyperparameters) -> bool:
    depth = max(sizes.get("blocks", 0), sizes.get("convolutions", 0))
    return 1 <= sizes["scale"] <= LARGEST_FACTOR and depth <= MAX_DEPTH


def _rrdbnet(summary: _Summary) -> Iterator[Candidate]:
    inputs, steps = summary.convolutions[0].shape[1], summary.factors("nearest")
    unshuffle, blocks = isqrt(inputs // 3), (len(summary.convolutions) - 4 - len(steps)) // 15
    if "concat" not in summary.sizes or unshuffle < 1 or blocks < 1:
        return
    sizes = {
        "scale": prod(steps) // unshuffle,
        "features": summary.width(0),
        "blocks": blocks,
        "growth": summary.width(1),
        "unshuffle": unshuffle,
    }
    yield Candidate("rrdbnet", sizes)


def _compact(summary: _Summary) -> Iterator[Candidate]:
    activation = "prelu"
    if "prelu" not in summary.sizes:
        activation = "leakyrelu" if summary.slope == COMPACT_SLOPE else "relu"
    sizes = {
        "scale": isqrt(summary.width(-1) // 3),
        "features": summary.width(0),
        "convolutions": len(summary.convolutions) - 2,
        "activation": activation,
    }
    yield Candidate("compact", sizes)


def _fast(summary: _Summary) -> Iterator[Candidate]:
    """The last PixelShuffle is that of the bicubic base, a convolution of another size."""
    steps = summary.factors("pixel_shuffle")
    blocks = (len(summary.convolutions) - 4 - (len(steps) - 1)) // 2
    wide = (weight for weight in summary.convolutions[::-1] if weight.shape[2] == 3)
    thin = next((weight.shape[1] for weight in wide), 1)
    if "replicate_padding" not in summary.sizes or not steps or 0 in steps or blocks < 0:
        return
    places = enumerate(reversed(upscale_factors(steps[-1])))
    if not summary.has_outputs(thin * 2**place * factor**2 for place, factor in places):
        return
    sizes = {"scale": steps[-1], "features": summary.width(0), "blocks": blocks, "thin": thin}
    newer = {"negative_slope": summary.slope, "binomial": True}
    middle = [summary.width(1 + 2 * block) for block in range(blocks)]
    pruned = {} if set(middle) <= {sizes["features"]} else {"middle": middle}
    yield Candidate("fast", sizes | pruned | (newer if "average_pool" in summary.sizes else {}))


def _srresnet(summary: _Summary) -> Iterator[Candidate]:
    for name, form in FORMS.items():
        steps = summary.factors("nearest" if form.nearest else "pixel_shuffle")
        fixed = 2 + len(steps) + (form.body_end is not None) + form.conv_hr
        blocks = (len(summary.convolutions) - fixed) // 2
        scale, features = prod(steps), summary.width(0)
        if blocks < 0 or not scale or summary.convolutions[0].shape[2] != form.kernel:
            continue
        sub_pixel = () if form.nearest else (features * factor**2 for factor in steps)
        if summary.has_outputs(sub_pixel):
            sizes = {"scale": scale, "features": features, "blocks": blocks}
            options = {"norm": False, "bias": True, "form": name}
            output = {"output": "tanh" if "tanh" in summary.sizes else "linear"}
            yield Candidate("srresnet", sizes | options | output)

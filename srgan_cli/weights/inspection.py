"""What is to be known of a weights file, measured where it does not say it itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from srgan_cli.weights.container import Weights, load_generator
from srgan_cli.weights.foreign.spandrel_models import Described
from srgan_cli.weights.loading import open_weights, written_here

SIDE = 64  # low pixels of the square whose operations are counted
MEGAPIXEL = 1_000_000


@dataclass(frozen=True)
class Description:
    """Every field is JSON-able; None where it is not known."""

    file: str
    bytes: int
    kind: str
    """"srgan" for our own, else the family of other programs' networks."""
    architecture: str
    hyperparameters: dict[str, Any]
    scale: int
    reach: int
    effective_reach: int | None
    mirrored: int | None
    parameters: int
    precision: list[str]
    flop_per_megapixel: int
    """Of input; a multiplication and an addition count as two."""
    objective: str
    lineage: str
    training: dict[str, Any]
    figures: dict[str, Any]


def describe(path: Path, scale: int | None = None, activation: str | None = None) -> Description:
    """Raises WeightsError."""
    weights = open_weights(path, scale, activation)
    network, facts = load_generator(weights), weights.facts
    return Description(
        file=str(path),
        bytes=path.stat().st_size,
        kind="srgan" if written_here(path) else facts.training["family"],
        architecture=weights.architecture,
        hyperparameters=dict(weights.hyperparameters),
        scale=facts.scale,
        reach=int(network.receptive_field),  # type: ignore[arg-type]
        effective_reach=facts.effective_reach,
        mirrored=facts.mirrored,
        parameters=sum(values.numel() for values in network.parameters()),
        precision=_precision(weights),
        flop_per_megapixel=flop_per_megapixel(network),
        objective=facts.objective,
        lineage=facts.lineage,
        training=facts.training,
        figures=facts.figures,
    )


def _precision(weights: Weights) -> list[str]:
    """Of the floats, in memory: what other programs wrote is float32 by now."""
    types = {tensor.dtype for tensor in weights.state.values() if tensor.is_floating_point()}
    return sorted(str(dtype).removeprefix("torch.") for dtype in types)


@torch.no_grad()
def flop_per_megapixel(network: nn.Module) -> int:
    """Counted in every convolution and matrix product while a square runs through.

    Ours run without numbers, which takes no time; `network` is of no use afterwards.
    """
    place = "cpu" if isinstance(network, Described) else "meta"
    with FlopCounterMode(display=False) as counter:
        network.to(place)(torch.zeros(1, 3, SIDE, SIDE, device=place))
    return int(counter.get_total_flops()) * MEGAPIXEL // SIDE**2

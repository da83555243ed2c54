"""What is to be known of a weights file, measured where it does not say it itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from srgan_cli.weights.container import Weights
from srgan_cli.weights.foreign.spandrel_models import Described
from srgan_cli.weights.loading import load_generator, load_weights

SIDE = 64  # low pixels of the square whose operations are counted
MEGAPIXEL = 1_000_000


@dataclass(frozen=True)
class WeightsDescription:
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


def describe_weights(
    path: Path, scale: int | None = None, activation: str | None = None
) -> WeightsDescription:
    """Raises WeightsError."""
    weights = load_weights(path, scale, activation)
    network, metadata = load_generator(weights), weights.metadata
    return WeightsDescription(
        file=str(path),
        bytes=path.stat().st_size,
        kind=weights.family,
        architecture=weights.architecture,
        hyperparameters=dict(weights.hyperparameters),
        scale=metadata.scale,
        reach=int(network.receptive_field),  # type: ignore[arg-type]
        effective_reach=metadata.measured_receptive_field,
        mirrored=metadata.reflect_padding,
        parameters=sum(values.numel() for values in network.parameters()),
        precision=_precision(weights),
        flop_per_megapixel=flop_per_megapixel(network),
        objective=metadata.objective,
        lineage=metadata.lineage,
        training=metadata.training,
        figures=metadata.figures,
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

"""Network interpolation, and the check that two networks can be expected to blend.

ESRGAN, Wang et al., https://arxiv.org/abs/1809.00219, section 3.4. Only networks that were trained
from one another blend well: others give dark or broken images.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from statistics import median

import torch
from torch import Tensor

from srgan_cli.errors import WeightsError
from srgan_cli.weights.container import Weights
from srgan_cli.weights.generators import (
    Hyperparameters,
    default_hyperparameters,
    join_problems,
    state_mismatches,
)
from srgan_cli.weights.loading import load_generator
from srgan_cli.weights.measured_field import pattern_image
from srgan_cli.weights.metadata import blend_metadata

MAX_DISTANCE = 0.9
"""Networks of unknown lineage with a larger distance are taken for unrelated.

Measured: our PSNR network and its GAN end after 400 steps lie 0.08 apart, no layer more than 0.19;
that network and itself with noise of half a layer's size, 0.47. Fresh networks lie 1.41 apart,
whatever the architecture; unrelated published ones, in the layers of one shape that two of them
have, 1.27 and 1.40, no layer less than 1.24; a network and its own initialization, 12,000 steps
before, 1.2. Anything from 0.5 to 1.2 would tell these apart: 0.9 is nearer to the unrelated ones,
as a long training goes farther than 400 steps.
"""

TEST_SIDE = 32  # of the test image, in pixels


def interpolate(psnr: Weights, gan: Weights, blend: float) -> Weights:
    """`(1 - blend) * psnr + blend * gan`, over all parameters and float buffers.

    blend: from 0 (faithful) to 1 (vivid). Raises WeightsError for two networks whose tensors
    differ in name or shape, or which use them differently.
    """
    return blend_all((psnr, gan), (1 - blend, blend))


def blend_all(networks: Sequence[Weights], shares: Sequence[float]) -> Weights:
    """The weighted sum of the networks; integer buffers are those of the first.

    shares: they add up to 1; a share of 1 and none besides gives that network itself, with all
    its metadata. Negative ones subtract: (1, 1, -1) is the arithmetic of Ilharco et al., "Editing
    models with task arithmetic", https://arxiv.org/abs/2212.04089. Raises WeightsError.
    """
    first = networks[0]
    for other in networks[1:]:
        if problems := blend_problems(first, other):
            raise WeightsError(f"cannot blend {first} with {other}: {join_problems(problems)}")
    if _is_no_blend(shares):
        return networks[shares.index(1)]
    states = [network.state for network in networks]
    state = {name: _weighted_sum([one[name] for one in states], shares) for name in first.state}
    metadata = blend_metadata([network.metadata for network in networks], shares)
    return replace(first, state=state, metadata=metadata)


def _is_no_blend(shares: Sequence[float]) -> bool:
    return sorted(shares) == [0] * (len(shares) - 1) + [1]


def blend_related(networks: Sequence[Weights], shares: Sequence[float]) -> Weights:
    """Like `blend_all`, for networks that were trained from one another.

    Raises WeightsError for networks that do not fit, or are unrelated.
    """
    made = blend_all(networks, shares)
    parts = [(one, share) for one, share in zip(networks, shares, strict=True) if share]
    found = lineage_warning(*zip(*parts, strict=True)) if len(parts) > 1 else None
    if found:
        raise WeightsError(f"{found}; srgan interp --force blends them into a file anyway")
    return made


def blend_problems(a: Weights, b: Weights) -> list[str]:
    """Why the two cannot be blended, one phrase each."""
    if a.architecture != b.architecture:
        return [f"one is of the kind {a.architecture}, the other {b.architecture}"]
    ours, others = _with_defaults(a), _with_defaults(b)
    sizes = [f"{n} is {others.get(n)}, not {ours[n]}" for n in ours if ours[n] != others.get(n)]
    return [*sizes, *state_mismatches(a.state, b.state)]


def _with_defaults(weights: Weights) -> Hyperparameters:
    return default_hyperparameters(weights.architecture) | dict(weights.hyperparameters)


def _weighted_sum(tensors: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    if not tensors[0].is_floating_point():
        return tensors[0]
    parts = [tensor.float() * share for tensor, share in zip(tensors, shares, strict=True)]
    return torch.stack(parts).sum(dim=0)


def lineage_warning(networks: Sequence[Weights], shares: Sequence[float]) -> str | None:
    """What their blend would do to an image, if they are unrelated; None if they are related."""
    if not different_lineage(networks):
        return None
    even = [1 / len(networks)] * len(networks)  # a share of 1 is no blend to measure
    measured = describe_blend(networks, even if _is_no_blend(shares) else shares)
    return f"these networks were not trained from one another: {measured}"


def different_lineage(networks: Sequence[Weights]) -> bool:
    """Whether two of them share no lineage and lie far apart. All must have the same shapes."""
    return any(
        not _same_lineage(a, b) and distance(a.state, b.state) > MAX_DISTANCE
        for a, b in combinations(networks, 2)
    )


def _same_lineage(a: Weights, b: Weights) -> bool:
    return bool(a.metadata.lineage) and a.metadata.lineage == b.metadata.lineage


def distance(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    """Median relative distance of the layers: 0 for equal networks, 1.41 for independent ones."""
    layers = [name for name in a if a[name].dim() > 1]
    return median(_layer_distance(a[name].float(), b[name].float()) for name in layers or a)


def _layer_distance(a: Tensor, b: Tensor) -> float:
    size = ((a.square().sum() + b.square().sum()) / 2).sqrt()
    return float((a - b).norm() / size) if size else 0.0


@torch.inference_mode()
def describe_blend(networks: Sequence[Weights], shares: Sequence[float]) -> str:
    """How far the blend's output is from the mean of its parts' outputs, on a test image."""
    low_res = torch.from_numpy(pattern_image(TEST_SIDE))[None]
    outputs = [load_generator(one)(low_res).clamp(0, 1) for one in networks]
    blend_output = load_generator(blend_all(networks, shares))(low_res).clamp(0, 1)
    mean = sum(output * share for output, share in zip(outputs, shares, strict=True))
    error = _levels(blend_output - mean)
    spread = max(_levels(a - b) for a, b in combinations(outputs, 2))
    drop = 255 * float((mean - blend_output).mean())
    change = f", {abs(drop):.0f} levels {'darker' if drop > 0 else 'brighter'} on the whole"
    return (
        f"on a test image the blend is off by {error:.1f} levels, where the networks "
        f"themselves differ by {spread:.1f}{change if abs(drop) >= 1 else ''}"
    )


def _levels(difference: Tensor) -> float:
    return 255 * float(difference.abs().mean())

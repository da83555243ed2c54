"""Whether networks can be expected to blend: only those trained from one another can."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import median

import torch
from torch import Tensor

from srgan_cli.weights.container import Weights, blend_all, load_generator

FAR = 0.9
"""The distance of strangers, for networks whose lineage is not recorded.

Measured: our PSNR network and its GAN end after 400 steps lie 0.08 apart, no layer more than 0.19;
that network and itself with noise of half a layer's size, 0.47. Fresh networks lie 1.41 apart,
whatever the architecture; unrelated published ones, in the layers of one shape that two of them
have, 1.27 and 1.40, no layer less than 1.24; a network and the random numbers that its 12,000 steps
began with, 1.2. Anything from 0.5 to 1.2 would tell these apart: 0.9 is nearer to the strangers, as
a long training goes further than 400 steps.
"""

SIDE = 32  # of the test picture, in pixels


def strangers(networks: Sequence[Weights]) -> bool:
    """Whether two of them, all of one shape, have no lineage in common and lie far apart."""
    return any(
        not related(a, b) and distance(a.state, b.state) > FAR for a, b in combinations(networks, 2)
    )


def objection(networks: Sequence[Weights], shares: Sequence[float]) -> str | None:
    """What speaks against their blend, for people; None if nothing does."""
    if not strangers(networks):
        return None
    even = [1 / len(networks)] * len(networks)  # of one network alone there is nothing to show
    shown = what_a_blend_shows(networks, even if 1 in shares else shares)
    return f"these networks were not trained from one another: {shown}"


def related(a: Weights, b: Weights) -> bool:
    return bool(a.facts.lineage) and a.facts.lineage == b.facts.lineage


def distance(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> float:
    """Of the typical layer, in units of its size: 0 for equal ones, 1.41 for independent ones."""
    layers = [name for name in a if a[name].dim() > 1]
    return median(_apart(a[name].float(), b[name].float()) for name in layers or a)


def _apart(a: Tensor, b: Tensor) -> float:
    size = ((a.square().sum() + b.square().sum()) / 2).sqrt()
    return float((a - b).norm() / size) if size else 0.0


def sample_picture() -> Tensor:
    """(1, 3, 32, 32) in [0, 1]: a slope, a disc with a sharp edge, stripes, and some noise."""
    y, x = torch.meshgrid(torch.linspace(0, 1, SIDE), torch.linspace(0, 1, SIDE), indexing="ij")
    slope = torch.stack([x, y, 1 - x]) * 0.6 + 0.2
    disc = ((x - 0.35) ** 2 + (y - 0.4) ** 2 < 0.06).float() * 0.4
    stripes = torch.sin(40 * x + 25 * y) * (y > 0.65) * 0.2
    noise = torch.rand((3, SIDE, SIDE), generator=torch.Generator().manual_seed(0)) * 0.05
    return (slope - disc + stripes + noise).clamp(0, 1)[None]


@torch.inference_mode()
def what_a_blend_shows(networks: Sequence[Weights], shares: Sequence[float]) -> str:
    """How far what the blend makes of a test picture is from the mean of what its parts make."""
    low = sample_picture()
    parts = [load_generator(one)(low).clamp(0, 1) for one in networks]
    made = load_generator(blend_all(networks, shares))(low).clamp(0, 1)
    mean = sum(part * share for part, share in zip(parts, shares, strict=True))
    off, apart = _levels(made - mean), max(_levels(a - b) for a, b in combinations(parts, 2))
    darker = 255 * float((mean - made).mean())
    change = f", {abs(darker):.0f} levels {'darker' if darker > 0 else 'brighter'} on the whole"
    return (
        f"on a test picture the blend is off by {off:.1f} levels, where the networks "
        f"themselves differ by {apart:.1f}{change if abs(darker) >= 1 else ''}"
    )


def _levels(difference: Tensor) -> float:
    return 255 * float(difference.abs().mean())

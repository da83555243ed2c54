"""Network interpolation, and the check that two networks can be expected to blend.

ESRGAN, Wang et al., https://arxiv.org/abs/1809.00219, section 3.4. Only networks that were trained
from one another blend well: others give dark or broken images. The files of clean and photo at x4,
faithful and vivid, declare that they are such a family: any bilinear mix of the four is a network.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from srgan_cli.errors import OptionError, SrganError, WeightsError
from srgan_cli.weights.container import Weights
from srgan_cli.weights.generators import (
    Hyperparameters,
    default_hyperparameters,
    join_problems,
    state_mismatches,
)
from srgan_cli.weights.loading import load_generator, load_weights
from srgan_cli.weights.measured_field import pattern_image
from srgan_cli.weights.metadata import blend_metadata
from srgan_cli.weights.zoo import DENOISE_ENDS, ENDS, FAMILY_SCALE, End, find_weights_file

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

MOST_DIFFERENCES = 2
"""Most differences between two networks that a message names."""


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
        not (a.metadata.lineage and a.metadata.lineage == b.metadata.lineage)
        and distance(a.state, b.state) > MAX_DISTANCE
        for a, b in combinations(networks, 2)
    )


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


@dataclass(frozen=True, eq=False)
class Corner:
    """One of the four networks. denoise, end: its place, by the name of its file."""

    path: Path
    denoise: float
    end: End
    weights: Weights

    @property
    def name(self) -> str:
        return self.path.stem

    def share(self, blend: float, denoise: float) -> float:
        """Its bilinear weight at `blend` and `denoise`, both in [0, 1]."""
        across = blend if self.end == "gan" else 1 - blend
        return across * (denoise if self.denoise else 1 - denoise)


def mix_family(blend: float, denoise: float) -> Weights:
    """The bilinear mix of the four; at a corner that file's network itself.

    blend: 0 faithful, 1 vivid. denoise: 0 clean, 1 photo. Raises OptionError where the files are no
    family, WeightsError for a file that cannot be used and for unrelated networks.
    """
    used = [corner for corner in load_family() if corner.share(blend, denoise)]
    shares = [corner.share(blend, denoise) for corner in used]
    return blend_related([corner.weights for corner in used], shares)


def has_family() -> bool:
    try:
        load_family()
    except SrganError:
        return False
    return True


def load_family() -> list[Corner]:
    """Clean before photo, the faithful end first. Raises OptionError, WeightsError."""
    corners = [_load_corner(model, end) for model in DENOISE_ENDS for end in ENDS]
    if problems := family_problems(corners):
        own = ", ".join(f"-m {model} is {end:g}" for model, end in DENOISE_ENDS.items())
        raise OptionError(
            f"--denoise cannot mix {' and '.join(DENOISE_ENDS)}, whose files are no family: "
            f"{join_problems(problems)}. Without the option, {own}"
        )
    return corners


def _load_corner(model: str, end: End) -> Corner:
    try:
        path = find_weights_file(model, FAMILY_SCALE, end)
    except WeightsError as error:
        models = " and ".join(DENOISE_ENDS)
        raise OptionError(f"--denoise mixes both ends of {models}: {error}") from error
    return Corner(path, DENOISE_ENDS[model], end, load_weights(path))


def family_problems(corners: Sequence[Corner]) -> list[str]:
    """Why they are none, one phrase each."""
    without = [one.name for one in corners if one.weights.metadata.family is None]
    silent = [f"{', '.join(without)} declare{'s' * (len(without) == 1)} none"]
    return [*silent[: len(without)], *_wrong_declarations(corners), *_differences(corners)]


def _wrong_declarations(corners: Sequence[Corner]) -> Iterator[str]:
    names = [one.weights.metadata.family.name for one in corners if one.weights.metadata.family]
    for corner in corners:
        family = corner.weights.metadata.family
        if family is not None and family.denoise != corner.denoise:
            yield f"{corner.name} declares denoise {family.denoise:g}, not {corner.denoise:g}"
        elif family is not None and family.name != names[0]:
            yield f"{corner.name} declares {family.name!r}, not {names[0]!r}"


def _differences(corners: Sequence[Corner]) -> Iterator[str]:
    """The first of those that cannot be blended."""
    first = corners[0]
    for corner in corners:
        if corner.weights.metadata.scale != FAMILY_SCALE:
            yield f"{corner.name} enlarges by {corner.weights.metadata.scale}, not {FAMILY_SCALE}"
            return
        if differences := blend_problems(first.weights, corner.weights):
            named = join_problems(differences, MOST_DIFFERENCES)
            yield f"{corner.name} differs from {first.name}: {named}"
            return

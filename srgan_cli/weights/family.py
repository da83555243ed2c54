"""The family of clean and photo at x4, faithful and vivid: any mix of the four is a network.

The files' metadata declare the family. The mix is bilinear, over all parameters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from srgan_cli.errors import OptionError, SrganError, WeightsError
from srgan_cli.weights.blending import blend_problems, blend_related
from srgan_cli.weights.container import Weights
from srgan_cli.weights.generators import join_problems
from srgan_cli.weights.loading import load_weights
from srgan_cli.weights.zoo import DENOISE_ENDS, ENDS, FAMILY_SCALE, End, find_weights_file

MOST_DIFFERENCES = 2
"""Most differences between two networks that a message names."""


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

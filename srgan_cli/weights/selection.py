"""Models by name or file, whose networks are loaded when they are first used."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.settings import BICUBIC, ModelChoice
from srgan_cli.weights.blending import blend_related, mix_family
from srgan_cli.weights.container import Weights
from srgan_cli.weights.loading import load_weights
from srgan_cli.weights.zoo import (
    BLEND_ENDS,
    DEFAULT_BLEND,
    DENOISE_ENDS,
    ENDS,
    FAMILY_SCALE,
    End,
    find_model,
    paths_by_scale,
)

Value = TypeVar("Value")


class LazyMapping(Mapping[int, Value], Generic[Value]):
    """A value per scale, which `load` makes when it is first asked for. Thread-safe."""

    def __init__(self, scales: Iterable[int], load: Callable[[int], Value]) -> None:
        self._scales = tuple(scales)
        self._load = load
        self._loaded: dict[int, Value] = {}
        self._lock = Lock()

    def __getitem__(self, scale: int) -> Value:
        if scale not in self._scales:
            raise KeyError(scale)
        with self._lock:
            if scale not in self._loaded:
                self._loaded[scale] = self._load(scale)
            return self._loaded[scale]

    def __iter__(self) -> Iterator[int]:
        return iter(self._scales)

    def __len__(self) -> int:
        return len(self._scales)

    def __contains__(self, scale: object) -> bool:
        return scale in self._scales


@dataclass(frozen=True)
class SelectedModel:
    """Networks by their scale, loaded when they are first used, and the model's name.

    Asking `weights` for a scale raises WeightsError for a file that cannot be used.
    """

    name: str
    weights: Mapping[int, Weights]
    blend: float | None = None
    denoise: float | None = None
    """None where the model is not one that --denoise mixes."""
    other_scales: tuple[int, ...] = ()
    """Scales at which the model has networks, but none for this `denoise`."""

    @property
    def is_mixed(self) -> bool:
        """Whether its `denoise` is not the model's own."""
        return self.denoise is not None and self.denoise != DENOISE_ENDS.get(self.name)

    def check_scale(self, scale: Fraction | int | None) -> None:
        """Raises OptionError where another network of the model would make images so much larger.

        scale: as it was asked for; None for the model's own, and for sizes in pixels.
        """
        if scale is None or scale <= 1:
            return
        sufficient = [one for one in (*self.weights, *self.other_scales) if one >= scale]
        if sufficient and min(sufficient) in self.other_scales:
            raise OptionError(
                f"--denoise {self.denoise:g} is for x{FAMILY_SCALE}: model {self.name!r} cannot be "
                f"mixed at x{min(sufficient)}. Take --scale {FAMILY_SCALE}, or leave --denoise out"
            )


def select_model(choice: ModelChoice) -> SelectedModel:
    """Find the files of a model; those whose names tell no scale are loaded at once.

    Raises OptionError and WeightsError.
    """
    if choice.files:
        return _from_files(choice)
    assert choice.model is not None
    if choice.model == BICUBIC:
        return SelectedModel(BICUBIC, {})
    scales = paths_by_scale(choice.model)
    own_denoise = DENOISE_ENDS.get(choice.model) if scales else None
    if choice.denoise is not None and own_denoise is None:
        raise OptionError(
            f"--denoise mixes the models {' and '.join(DENOISE_ENDS)}: {choice.model!r} is neither"
        )
    if not scales:
        return _single(choice)
    if choice.denoise not in (None, own_denoise):
        return _from_family(choice, scales)
    blend = _blend_of(choice, scales)
    load = partial(_load_scale, scales, choice)
    return SelectedModel(choice.model, LazyMapping(scales, load), blend, own_denoise)


def _from_family(choice: ModelChoice, scales: Iterable[int]) -> SelectedModel:
    assert choice.model is not None
    assert choice.denoise is not None
    blend, denoise = DEFAULT_BLEND if choice.blend is None else choice.blend, choice.denoise
    weights = LazyMapping([FAMILY_SCALE], lambda scale: mix_family(blend, denoise))
    others = tuple(scale for scale in scales if scale != FAMILY_SCALE)
    return SelectedModel(choice.model, weights, blend, denoise, others)


def _from_files(choice: ModelChoice) -> SelectedModel:
    name = " + ".join(path.stem for path in choice.files)
    weights = load_weights(choice.files[0])
    if choice.blend is not None:
        ends = (weights, load_weights(choice.files[1]))
        weights = blend_related(ends, (1 - choice.blend, choice.blend))
    return SelectedModel(name, {weights.metadata.scale: weights}, choice.blend)


def _single(choice: ModelChoice) -> SelectedModel:
    assert choice.model is not None
    if choice.blend is not None:
        raise OptionError(f"--blend needs two ends, and model {choice.model!r} is a single network")
    weights = load_weights(find_model(choice.model)[0].path)
    return SelectedModel(choice.model, {weights.metadata.scale: weights})


def _blend_of(choice: ModelChoice, scales: Mapping[int, Mapping[End, Path]]) -> float | None:
    """The blend; None where no scale has two ends."""
    has_both_objectives = any(len(ends) == len(ENDS) for ends in scales.values())
    if choice.blend is not None and not has_both_objectives:
        available = next(iter(next(iter(scales.values()))))
        raise OptionError(
            f"--blend needs two ends, and model {choice.model!r} has only its {available} end"
        )
    if not has_both_objectives:
        return None
    return choice.blend if choice.blend is not None else DEFAULT_BLEND


def _load_scale(
    scales: Mapping[int, Mapping[End, Path]], choice: ModelChoice, scale: int
) -> Weights:
    """Raises WeightsError if a file is not of the scale that its name tells, and for a blend of
    the user's that would need an end which there is not at this scale.
    """
    ends = scales[scale]
    if len(ends) == 1 and choice.blend not in (None, *(BLEND_ENDS[end] for end in ends)):
        raise WeightsError(
            f"--blend {choice.blend:g} needs two ends, and model {choice.model!r} has only its "
            f"{next(iter(ends))} end at x{scale}"
        )
    weights = _load_blend(ends, DEFAULT_BLEND if choice.blend is None else choice.blend)
    if weights.metadata.scale != scale:
        named = next(iter(ends.values()))
        raise WeightsError(f"{named}: it enlarges by {weights.metadata.scale}, not by {scale}")
    return weights


def _load_blend(ends: Mapping[End, Path], blend: float) -> Weights:
    """The blend; at an end the file itself, so that its figures hold exactly."""
    if len(ends) == 1:
        return load_weights(next(iter(ends.values())))
    if blend in (0.0, 1.0):
        return load_weights(ends["gan" if blend else "psnr"])
    networks = [load_weights(ends[end]) for end in ENDS]
    return blend_related(networks, (1 - blend, blend))

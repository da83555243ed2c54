"""Models by name or file, whose networks are loaded when they are first used."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.settings import BICUBIC, ModelChoice
from srgan_cli.weights.blending import interpolate, lineage_warning
from srgan_cli.weights.container import Weights
from srgan_cli.weights.loading import load_weights
from srgan_cli.weights.zoo import DEFAULT_BLEND, ENDS, End, find_model, paths_by_scale

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
    if not scales:
        return _single(choice)
    blend = _blend_of(choice, scales)
    load = partial(_load_scale, scales, blend)
    return SelectedModel(choice.model, LazyMapping(scales, load), blend)


def _from_files(choice: ModelChoice) -> SelectedModel:
    name = " + ".join(path.stem for path in choice.files)
    weights = load_weights(choice.files[0])
    if choice.blend is not None:
        weights = _blend_weights(weights, load_weights(choice.files[1]), choice.blend)
    return SelectedModel(name, {weights.metadata.scale: weights}, choice.blend)


def _single(choice: ModelChoice) -> SelectedModel:
    assert choice.model is not None
    if choice.blend is not None:
        raise OptionError(f"--blend needs two ends, and model {choice.model!r} is a single network")
    weights = load_weights(find_model(choice.model)[0].path)
    return SelectedModel(choice.model, {weights.metadata.scale: weights})


def _blend_of(choice: ModelChoice, scales: Mapping[int, Mapping[End, Path]]) -> float | None:
    """None where no scale has two ends."""
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
    scales: Mapping[int, Mapping[End, Path]], blend: float | None, scale: int
) -> Weights:
    """Raises WeightsError if a file is not of the scale that its name tells."""
    weights = _load_blend(scales[scale], blend)
    if weights.metadata.scale != scale:
        named = next(iter(scales[scale].values()))
        raise WeightsError(f"{named}: it enlarges by {weights.metadata.scale}, not by {scale}")
    return weights


def _load_blend(ends: Mapping[End, Path], blend: float | None) -> Weights:
    """At an end the file itself, so that its figures hold exactly; a lone end is all there is."""
    if len(ends) == 1:
        return load_weights(next(iter(ends.values())))
    if blend in (0.0, 1.0):
        return load_weights(ends["gan" if blend else "psnr"])
    assert blend is not None
    return _blend_weights(load_weights(ends["psnr"]), load_weights(ends["gan"]), blend)


def _blend_weights(psnr: Weights, gan: Weights, blend: float) -> Weights:
    """Raises WeightsError for networks that do not fit, or were not trained from one another."""
    result = interpolate(psnr, gan, blend)
    if 0 < blend < 1 and (warning := lineage_warning((psnr, gan), (1 - blend, blend))):
        raise WeightsError(f"{warning}; srgan interp --force blends them all the same, into a file")
    return result

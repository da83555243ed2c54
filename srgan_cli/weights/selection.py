"""Which networks the user means, brought to life: models by name, files, blends of two ends."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.weights.container import Weights, blend
from srgan_cli.weights.lineage import objection
from srgan_cli.weights.loading import open_weights
from srgan_cli.weights.zoo import BICUBIC, DEFAULT_BLEND, ENDS, Choice, End, ends_of, find_model


@dataclass(frozen=True)
class Chosen:
    """Networks by their scale, and what to call them."""

    name: str
    weights: Mapping[int, Weights]
    blend: float | None = None


def choose(choice: Choice) -> Chosen:
    """Read what is chosen. Raises OptionError and WeightsError."""
    if choice.files:
        return _from_files(choice)
    assert choice.model is not None
    if choice.model == BICUBIC:
        return Chosen(BICUBIC, {})
    scales = ends_of(choice.model)
    if not scales:
        return _single(choice)
    amount = _amount(choice, scales)
    read = {scale: _between(ends, amount) for scale, ends in scales.items()}
    return Chosen(choice.model, read, amount)


def _from_files(choice: Choice) -> Chosen:
    name = " + ".join(path.stem for path in choice.files)
    weights = open_weights(choice.files[0])
    if choice.amount is not None:
        weights = _blended(weights, open_weights(choice.files[1]), choice.amount)
    return Chosen(name, {weights.facts.scale: weights}, choice.amount)


def _single(choice: Choice) -> Chosen:
    assert choice.model is not None
    if choice.amount is not None:
        raise OptionError(f"--blend needs two ends, and model {choice.model!r} is a single network")
    weights = open_weights(find_model(choice.model)[0].path)
    return Chosen(choice.model, {weights.facts.scale: weights})


def _amount(choice: Choice, scales: Mapping[int, Mapping[End, Path]]) -> float | None:
    """None where no scale has two ends."""
    two_ended = any(len(ends) == len(ENDS) for ends in scales.values())
    if choice.amount is not None and not two_ended:
        there = next(iter(next(iter(scales.values()))))
        raise OptionError(
            f"--blend needs two ends, and model {choice.model!r} has only its {there} end"
        )
    if not two_ended:
        return None
    return choice.amount if choice.amount is not None else DEFAULT_BLEND


def _between(ends: Mapping[End, Path], amount: float | None) -> Weights:
    """At an end the file itself, so that its figures hold exactly; a lone end is all there is."""
    if len(ends) == 1:
        return open_weights(next(iter(ends.values())))
    if amount in (0.0, 1.0):
        return open_weights(ends["gan" if amount else "psnr"])
    assert amount is not None
    return _blended(open_weights(ends["psnr"]), open_weights(ends["gan"]), amount)


def _blended(psnr: Weights, gan: Weights, amount: float) -> Weights:
    """Raises WeightsError for networks that do not fit, or were not trained from one another."""
    made = blend(psnr, gan, amount)
    if 0 < amount < 1 and (found := objection((psnr, gan), (1 - amount, amount))):
        raise WeightsError(f"{found}; srgan interp --force blends them all the same, into a file")
    return made

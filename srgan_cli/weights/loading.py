"""Any weights file, ours or another program's, as one of ours."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from srgan_cli.errors import WeightsError
from srgan_cli.weights.checksum import is_ours
from srgan_cli.weights.container import Weights, read_weights
from srgan_cli.weights.foreign import adopt
from srgan_cli.weights.foreign import spandrel_models as by_spandrel
from srgan_cli.weights.foreign.layout import UnknownNetworkError
from srgan_cli.weights.foreign.unwrap import unwrapped
from srgan_cli.weights.metadata import Facts
from srgan_cli.weights.pickles import read_tensors

SCALE_IN_NAME = re.compile(r"(?<![a-z0-9])(?:x([1-8])|([1-8])x)(?![0-9])", re.IGNORECASE)


def open_weights(path: Path, scale: int | None = None, activation: str | None = None) -> Weights:
    """What `path` holds, whoever wrote it; code in it is never run.

    `scale` and `activation` are for foreign files whose keys do not tell them; a scale that neither
    tells is taken from the file's name. Raises WeightsError, with the path, in one line.
    """
    if written_here(path):
        return _checked(path, read_weights(path), scale)
    found = read_tensors(path)
    try:
        return _adopted(path, found, scale, activation)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def written_here(path: Path) -> bool:
    """Whether it is a weights file of ours, be it damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            return is_ours(file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def _checked(path: Path, weights: Weights, scale: int | None) -> Weights:
    if scale not in (None, weights.facts.scale):
        raise WeightsError(f"{path}: it enlarges by {weights.facts.scale}, not by {scale}")
    return weights


def _adopted(
    path: Path, found: Mapping[str, Any], scale: int | None, activation: str | None
) -> Weights:
    try:
        adopted = adopt(found, scale, activation, guess=scale_in_name(path.stem))
    except UnknownNetworkError as error:
        if not by_spandrel.installed():
            more = f"{error}; with spandrel more kinds load: {by_spandrel.INSTALL}"
            raise WeightsError(more) from error
        return _checked(path, _by_spandrel(found), scale)
    facts = Facts(scale=adopted.scale, training={"family": adopted.family})
    return Weights(adopted.architecture, adopted.hyperparameters, adopted.state, facts)


def _by_spandrel(found: Mapping[str, Any]) -> Weights:
    state = unwrapped(found)
    network = by_spandrel.generator(state)
    sizes = {"scale": network.scale, "network": network.name}
    facts = Facts(scale=network.scale, training={"family": f"{network.name}, by spandrel"})
    return Weights(by_spandrel.ARCHITECTURE, sizes, state, facts)


def scale_in_name(name: str) -> int | None:
    """4 for anime-x4, 4xAnime, anime_x4v3; None where it says nothing or two things."""
    told = {int(before or after) for before, after in SCALE_IN_NAME.findall(name)}
    return told.pop() if len(told) == 1 else None

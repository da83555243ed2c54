"""Any weights file, srgan's or another program's -> Weights -> a network that runs."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from srgan_cli.errors import WeightsError
from srgan_cli.weights.container import Weights, is_srgan_header, read_weights
from srgan_cli.weights.foreign import spandrel_models
from srgan_cli.weights.foreign.conversion import from_foreign
from srgan_cli.weights.foreign.layout import UnknownNetworkError
from srgan_cli.weights.foreign.unwrap import unwrap_state
from srgan_cli.weights.generators import build_uninitialized, generator_problems, join_problems
from srgan_cli.weights.metadata import Metadata
from srgan_cli.weights.ncnn.reader import is_ncnn, read_ncnn
from srgan_cli.weights.tensor_files import read_tensors

SCALE_IN_NAME = re.compile(r"(?<![a-z0-9])(?:x([1-8])|([1-8])x)(?![0-9])", re.IGNORECASE)


def load_weights(path: Path, scale: int | None = None, activation: str | None = None) -> Weights:
    """Load a weights file of any program; code in it never runs.

    scale, activation ("relu" or "leakyrelu"): for foreign files whose keys do not tell them; a
    scale that neither tells is taken from the file's name. Raises WeightsError that names the path.
    """
    if is_ncnn(path):
        return _with_scale(path, _from_ncnn(path), scale)
    if is_srgan_file(path):
        return _with_scale(path, read_weights(path), scale)
    found = read_tensors(path)
    try:
        return _from_foreign(path, found, scale, activation)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def is_srgan_file(path: Path) -> bool:
    """Whether srgan wrote it, even if it is damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            return is_srgan_header(file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def _with_scale(path: Path, weights: Weights, scale: int | None) -> Weights:
    if scale not in (None, weights.metadata.scale):
        raise WeightsError(f"{path}: it enlarges by {weights.metadata.scale}, not by {scale}")
    return weights


def _from_foreign(
    path: Path, found: Mapping[str, Any], scale: int | None, activation: str | None
) -> Weights:
    try:
        converted = from_foreign(found, scale, activation, guess=scale_in_name(path.stem))
    except UnknownNetworkError as error:
        if not spandrel_models.installed():
            more = f"{error}; with spandrel more kinds load: {spandrel_models.INSTALL}"
            raise WeightsError(more) from error
        return _with_scale(path, _from_spandrel(found), scale)
    metadata = Metadata(scale=converted.scale, training={"family": converted.family})
    return Weights(converted.architecture, converted.hyperparameters, converted.state, metadata)


def _from_ncnn(path: Path) -> Weights:
    try:
        found = read_ncnn(path)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    metadata = Metadata(scale=int(found.hyperparameters["scale"]), training=dict(found.origin))
    return Weights(found.architecture, found.hyperparameters, found.state, metadata)


def _from_spandrel(found: Mapping[str, Any]) -> Weights:
    state = unwrap_state(found)
    network = spandrel_models.generator(state)
    sizes = {"scale": network.scale, "network": network.name}
    training = {"family": f"{network.name}, by spandrel"}
    metadata = Metadata(scale=network.scale, training=training)
    return Weights(spandrel_models.ARCHITECTURE, sizes, state, metadata)


def scale_in_name(name: str) -> int | None:
    """4 for anime-x4, 4xAnime, anime_x4v3; None if it names no scale or two."""
    found = {int(before or after) for before, after in SCALE_IN_NAME.findall(name)}
    return found.pop() if len(found) == 1 else None


def load_generator(weights: Weights) -> nn.Module:
    """The network in float32 and eval mode, with `.scale` and `.receptive_field`.

    Raises WeightsError that lists everything that does not fit.
    """
    if weights.architecture == spandrel_models.ARCHITECTURE:
        return spandrel_models.generator(weights.state)
    kind, sizes = weights.architecture, weights.hyperparameters
    if problems := generator_problems(kind, sizes, weights.state, weights.metadata.scale):
        raise WeightsError(f"the weights do not fit {weights}: {join_problems(problems)}")
    network = build_uninitialized(kind, sizes)
    types = {name: tensor.dtype for name, tensor in network.state_dict().items()}
    state = {name: weights.state[name].to(types[name], copy=True) for name in types}
    network.load_state_dict(state, assign=True)
    return network.eval()

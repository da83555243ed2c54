"""Any weights file, srgan's or another program's -> Weights -> a network that runs."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from srgan_cli.errors import WeightsError
from srgan_cli.files import printable
from srgan_cli.weights.container import Weights, is_srgan_header, parse_weights
from srgan_cli.weights.foreign import spandrel_models
from srgan_cli.weights.foreign.conversion import from_foreign, unwrap_state
from srgan_cli.weights.foreign.layout import UnknownNetworkError
from srgan_cli.weights.generators import build_from_state, fit_problems, join_problems
from srgan_cli.weights.ncnn.reader import is_ncnn, read_ncnn
from srgan_cli.weights.onnx_reader import is_onnx, read_onnx
from srgan_cli.weights.tensor_files import read_tensor_file

SCALE_IN_NAME = re.compile(r"(?<![a-z0-9])(?:x([1-8])|([1-8])x)(?![0-9])", re.IGNORECASE)


def load_weights(path: Path, scale: int | None = None, activation: str | None = None) -> Weights:
    """Load a weights file of any program; code in it never runs.

    scale, activation ("relu" or "leakyrelu"): for foreign files whose keys do not tell them; a
    scale that neither tells is taken from the file's name. Raises WeightsError that names the path.
    """
    if is_ncnn(path) or is_onnx(path):
        with _named(path):
            weights = read_onnx(path) if is_onnx(path) else read_ncnn(path)
    elif is_srgan_header((file := read_tensor_file(path)).header):
        weights = parse_weights(path, file)
    else:
        with _named(path):
            weights = _load_foreign(path, file.tensors, scale, activation)
    if scale not in (None, weights.metadata.scale):
        raise WeightsError(f"{path}: it enlarges by {weights.metadata.scale}, not by {scale}")
    return weights


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except WeightsError as error:
        raise WeightsError(printable(f"{path}: {error}")) from error


def _load_foreign(
    path: Path, found: Mapping[str, Any], scale: int | None, activation: str | None
) -> Weights:
    try:
        return from_foreign(found, scale, activation, guess=scale_in_name(path.stem))
    except UnknownNetworkError as error:
        if not spandrel_models.installed():
            more = f"{error}; with spandrel more kinds load: {spandrel_models.INSTALL}"
            raise WeightsError(more) from error
        return spandrel_models.spandrel_weights(unwrap_state(found))


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
    try:
        network = build_from_state(weights.architecture, weights.hyperparameters, weights.state)
        problems = fit_problems(network, weights.state, weights.metadata.scale)
    except WeightsError as error:
        problems = [str(error)]
    if problems:
        raise WeightsError(f"the weights do not fit {weights}: {join_problems(problems)}")
    types = {name: tensor.dtype for name, tensor in network.state_dict().items()}
    state = {name: weights.state[name].to(types[name], copy=True) for name in types}
    network.load_state_dict(state, assign=True)
    return network

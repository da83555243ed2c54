"""Any weights file, srgan's or another program's -> Weights -> a network that runs.

Architectures that are not ours are run by spandrel where the user has it, which is given tensors
and never files: https://github.com/chaiNNer-org/spandrel.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from srgan_cli.errors import WeightsError
from srgan_cli.files import printable
from srgan_cli.weights.container import Weights, is_srgan_header, parse_weights
from srgan_cli.weights.foreign.conversion import from_foreign, unwrap_state
from srgan_cli.weights.foreign.layout import UnknownNetworkError
from srgan_cli.weights.generators import State, build_from_state, fit_problems, join_problems
from srgan_cli.weights.metadata import Metadata
from srgan_cli.weights.ncnn.reader import is_ncnn, read_ncnn
from srgan_cli.weights.onnx_reader import is_onnx, read_onnx
from srgan_cli.weights.tensor_files import read_tensor_file

SCALE_IN_NAME = re.compile(r"(?<![a-z0-9])(?:x([1-8])|([1-8])x)(?![0-9])", re.IGNORECASE)

SPANDREL = "spandrel"
INSTALL_SPANDREL = "pip install spandrel"

SPANDREL_CONTEXT = 64
"""Assumed receptive field in low-resolution pixels: spandrel does not provide it."""


def load_weights(path: Path, scale: int | None = None, activation: str | None = None) -> Weights:
    """Load a weights file of any program; code in it never runs.

    scale, activation ("relu" or "leakyrelu"): for foreign files whose keys do not tell them; a
    scale that neither tells is taken from the file's name. Raises WeightsError that names the path,
    and OptionError where an ONNX file is given and the package onnx is missing.
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
        if not _has_spandrel():
            more = f"{error}; with spandrel more kinds load: {INSTALL_SPANDREL}"
            raise WeightsError(more) from error
        return _spandrel_weights(unwrap_state(found))


def scale_in_name(name: str) -> int | None:
    """4 for anime-x4, 4xAnime, anime_x4v3; None if it names no scale or two."""
    found = {int(before or after) for before, after in SCALE_IN_NAME.findall(name)}
    return found.pop() if len(found) == 1 else None


def load_generator(weights: Weights) -> nn.Module:
    """The network in float32 and eval mode, with `.scale` and `.receptive_field`.

    Raises WeightsError that lists everything that does not fit.
    """
    if weights.architecture == SPANDREL:
        return _build_with_spandrel(weights.state)
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


class SpandrelNetwork(nn.Module):
    """RGB in [0, 1], (B, 3, H, W) -> RGB, (B, 3, sH, sW): a network built by spandrel."""

    def __init__(self, descriptor: Any) -> None:
        super().__init__()
        self.descriptor = descriptor
        self.model = descriptor.model
        self.name = str(descriptor.architecture.name)
        self.scale = int(descriptor.scale)
        self.alignment = max(1, int(descriptor.size_requirements.multiple_of))
        self.receptive_field = -(-SPANDREL_CONTEXT // self.alignment) * self.alignment

    def forward(self, low_res: Tensor) -> Tensor:
        high_res: Tensor = self.descriptor(low_res)  # pads to the sizes it can do, crops and clips
        return high_res


def _spandrel_weights(state: State) -> Weights:
    """Raises WeightsError as `_build_with_spandrel` does."""
    network = _build_with_spandrel(state)
    sizes = {"scale": network.scale, "network": network.name}
    family = f"{network.name}, by spandrel"
    metadata = Metadata(scale=network.scale, training={"family": family})
    return Weights(SPANDREL, sizes, state, metadata, family)


def _build_with_spandrel(state: State) -> SpandrelNetwork:
    """Raises WeightsError where spandrel is missing, does not know it, or it is not RGB to RGB."""
    spandrel = _import_spandrel()
    unsupported = (spandrel.UnsupportedModelError, LookupError, RuntimeError, TypeError, ValueError)
    try:
        found = spandrel.ModelLoader().load_from_state_dict(dict(state))
    except (*unsupported, AssertionError) as error:
        raise WeightsError(f"spandrel does not know this network either ({error})") from error
    if not isinstance(found, spandrel.ImageModelDescriptor):
        raise WeightsError("spandrel knows this network, but it does not make images larger")
    if (found.input_channels, found.output_channels) != (3, 3):
        raise WeightsError(f"{found.architecture.name} networks are used here for RGB alone")
    return SpandrelNetwork(found).eval()


def _has_spandrel() -> bool:
    try:
        _import_spandrel()
    except WeightsError:
        return False
    return True


def _import_spandrel() -> ModuleType:
    """Importing it also fails with a torchvision that does not fit torch."""
    try:
        return import_module("spandrel")
    except (ImportError, RuntimeError) as error:
        raise WeightsError(f"this network needs spandrel: {INSTALL_SPANDREL} ({error})") from error

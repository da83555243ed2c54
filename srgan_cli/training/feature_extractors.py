"""VGG networks for the perceptual loss, and for the validation metric by other layers.

torchvision's VGG19 is downloaded on request, once.
"""

import hashlib
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.error import URLError

import torch
from torch import Tensor

from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.files import atomic_write, lock_target, open_regular, read_regular
from srgan_cli.folders import cache_folder, create_folder
from srgan_cli.networks.vgg import VGG, available_layers
from srgan_cli.training.loss_terms import PerceptualTerm
from srgan_cli.training.losses import DISTANCES, PerceptualLoss, WeightedFeatures
from srgan_cli.training.stages import Stage
from srgan_cli.training.vgg_file import VggFile
from srgan_cli.weights.tensor_files import read_tensors

METRIC_LAYERS = ("conv1_2", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
"""Layers of the metric, if the file has them and the loss does not use them."""


@dataclass(frozen=True, eq=False)
class LoadedVgg:
    """A VGG file's tensors and the layers named for it."""

    name: str
    state: Mapping[str, Tensor]
    layers: Mapping[str, float]


def load_vggs(files: Sequence[VggFile]) -> list[LoadedVgg]:
    """Raises WeightsError for a file that cannot be read."""
    paths = [file.path or download(VGG19, _download_folder()) for file in files]
    return [
        LoadedVgg(str(path), _read(path), file.layers)
        for path, file in zip(paths, files, strict=True)
    ]


def _download_folder() -> Path:
    try:
        return cache_folder()
    except RuntimeError as error:
        raise WeightsError(f"--vgg download: {error}; name a file with --vgg FILE") from error


def _read(path: Path) -> Mapping[str, Tensor]:
    state = read_tensors(path)
    if not available_layers(state):
        raise WeightsError(f"{path} is no VGG file: it has no features.0.weight")
    return state


def layer_weights(vgg: LoadedVgg, perceptual: PerceptualTerm) -> Mapping[str, float]:
    """Layers of the loss: those named for the file, else the recipe's."""
    return vgg.layers or perceptual.layers


def perceptual_loss(vggs: Sequence[LoadedVgg], perceptual: PerceptualTerm) -> PerceptualLoss:
    """Raises WeightsError for a layer that is missing in its file."""
    features = []
    for vgg in vggs:
        weights = layer_weights(vgg, perceptual)
        try:
            network = VGG(vgg.state, weights, perceptual.after_relu)
            features.append(WeightedFeatures(network, weights))
        except WeightsError as error:
            raise WeightsError(f"{vgg.name}: {error}; name its layers: FILE:conv2_2=1") from error
    return PerceptualLoss(features, DISTANCES[perceptual.distance], perceptual.scale)


def perceptual_terms(stage: Stage) -> list[PerceptualTerm]:
    return [term for term in stage.losses if isinstance(term, PerceptualTerm)]


def require_files(recipe: str, stages: Sequence[Stage], files: Sequence[VggFile]) -> None:
    """Raises OptionError if a stage needs a VGG file and none is given."""
    if not files and any(perceptual_terms(stage) for stage in stages):
        raise OptionError(
            f"--recipe {recipe} compares images by VGG19's features: name a file with --vgg "
            "FILE, or let --vgg download fetch torchvision's (548 MB, once); --stages psnr goes "
            "without"
        )


class FeatureExtractor:
    """Features after activation of the validation metric."""

    def __init__(self, networks: Mapping[str, VGG], device: torch.device) -> None:
        self.networks = {name: network.to(device) for name, network in networks.items()}
        self.device = device

    def __call__(self, rgb: Tensor) -> Iterator[Tensor]:
        for network in self.networks.values():
            yield from (found.cpu() for found in network(rgb.to(self.device)).values())

    @property
    def layers(self) -> dict[str, list[str]]:
        """The layers of each file."""
        return {name: sorted(network.layers) for name, network in self.networks.items()}


def metric_extractor(
    vggs: Sequence[LoadedVgg], stages: Sequence[Stage], device: torch.device
) -> FeatureExtractor | None:
    """The extractor of layers that the losses do not use; None if they use all."""
    networks: dict[str, VGG] = {}
    for vgg in vggs:
        training_layers = {
            layer
            for stage in stages
            for term in perceptual_terms(stage)
            for layer in layer_weights(vgg, term)
        }
        present = [layer for layer in available_layers(vgg.state) if layer not in training_layers]
        layers = [layer for layer in METRIC_LAYERS if layer in present] or present[-2:]
        if layers and vgg.name not in networks:
            networks[vgg.name] = VGG(vgg.state, layers, after_relu=True)
    return FeatureExtractor(networks, device) if networks else None


VGG19 = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
"""Its name ends in the first digits of its SHA-256, as torch's hub has it."""

CHUNK = 1 << 20
WAIT = 1.0
"""Seconds between two looks whether another process has fetched the file."""
DIGEST = 64
"""Characters of a SHA-256."""


def download(url: str, folder: Path) -> Path:
    """`url`'s file in `folder`; WeightsError if it cannot be fetched or its checksum is wrong.

    The name ends in -XXXXXXXX.suffix, the beginning of its SHA-256. All of that is recorded beside
    it and checked at each use; a file that has changed is fetched again. Of several processes one
    fetches it, and the others wait.
    """
    target = folder / url.rsplit("/", 1)[-1]
    if not _is_as_recorded(target):
        create_folder(folder, WeightsError)
        with _wait_for_lock(target):
            if not _is_as_recorded(target):
                _fetch(url, target)
    return target


@contextmanager
def _wait_for_lock(target: Path) -> Iterator[None]:
    while (lock := lock_target(target, WeightsError)) is None:
        time.sleep(WAIT)
    with lock:
        yield


def _fetch(url: str, target: Path) -> None:
    with atomic_write(target, WeightsError) as file:
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                digest = _sha256(answer, file)
        except (URLError, TimeoutError, ConnectionError) as error:
            raise WeightsError(
                f"{url} cannot be fetched ({error}): fetch it elsewhere and name it with --vgg FILE"
            ) from error
        if not _fits_name(target, digest):
            raise WeightsError(f"{url} is not what it should be: its SHA-256 is {digest}")
    _record(target, digest)


def _is_as_recorded(target: Path) -> bool:
    """Whether it is there, with the SHA-256 that was recorded when it was fetched.

    A file that an older version fetched has no record yet: its name says how that begins.
    """
    try:
        with open_regular(target) as file:
            digest = _sha256(file)
    except OSError:
        return False
    try:
        return read_regular(_record_of(target), DIGEST).decode() == digest
    except FileNotFoundError:
        if fits := _fits_name(target, digest):
            _record(target, digest)
        return fits
    except (OSError, ValueError):
        return False


def _sha256(source: BinaryIO, copy: BinaryIO | None = None) -> str:
    """Of all that `source` has left, which is also written to `copy`."""
    digest = hashlib.sha256()
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        if copy is not None:
            copy.write(chunk)
    return digest.hexdigest()


def _fits_name(target: Path, digest: str) -> bool:
    return digest.startswith(target.stem.rsplit("-", 1)[-1])


def _record(target: Path, digest: str) -> None:
    with atomic_write(_record_of(target), WeightsError) as file:
        file.write(digest.encode())


def _record_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")

"""VGG networks for the perceptual loss, and for the validation metric by other layers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.networks.vgg import VGG, available_layers
from srgan_cli.training.download import downloaded_vgg
from srgan_cli.training.loss_terms import PerceptualTerm
from srgan_cli.training.losses import DISTANCES, PerceptualLoss, WeightedFeatures
from srgan_cli.training.recipes import Stage
from srgan_cli.training.train_options import VggFile
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
    paths = [file.path or downloaded_vgg() for file in files]
    return [
        LoadedVgg(str(path), _read(path), file.layers)
        for path, file in zip(paths, files, strict=True)
    ]


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

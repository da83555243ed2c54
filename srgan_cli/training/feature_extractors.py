"""VGG files, read and put to their two uses: to train by, and to judge by other layers."""

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
from srgan_cli.training.vgg_options import VggFile
from srgan_cli.weights.tensor_files import read_tensors

JUDGED = ("conv1_2", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
"""Layers that results are judged by, where a file has them and they are not trained on."""


@dataclass(frozen=True, eq=False)
class Eyes:
    """A VGG file's tensors and the layers of it that were named."""

    name: str
    state: Mapping[str, Tensor]
    layers: Mapping[str, float]


def open_eyes(files: Sequence[VggFile]) -> list[Eyes]:
    """Raises WeightsError for a file that cannot be read."""
    paths = [file.path or downloaded_vgg() for file in files]
    return [
        Eyes(str(path), _read(path), file.layers) for path, file in zip(paths, files, strict=True)
    ]


def _read(path: Path) -> Mapping[str, Tensor]:
    state = read_tensors(path)
    if not available_layers(state):
        raise WeightsError(f"{path} is no VGG file: it has no features.0.weight")
    return state


def weighed(eyes: Eyes, perceptual: PerceptualTerm) -> Mapping[str, float]:
    """The layers to train by: those named for the file, else the recipe's."""
    return eyes.layers or perceptual.layers


def perceptual_loss(opened: Sequence[Eyes], perceptual: PerceptualTerm) -> PerceptualLoss:
    """Raises WeightsError for a layer that its file lacks."""
    features = []
    for eyes in opened:
        weights = weighed(eyes, perceptual)
        try:
            network = VGG(eyes.state, weights, perceptual.activated)
            features.append(WeightedFeatures(network, weights))
        except WeightsError as error:
            raise WeightsError(f"{eyes.name}: {error}; name its layers: FILE:conv2_2=1") from error
    return PerceptualLoss(features, DISTANCES[perceptual.distance], perceptual.scale)


def perceptual_terms(stage: Stage) -> list[PerceptualTerm]:
    return [term for term in stage.losses if isinstance(term, PerceptualTerm)]


def require_files(recipe: str, stages: Sequence[Stage], files: Sequence[VggFile]) -> None:
    """Raises OptionError before a recipe begins that will need what was not named."""
    if not files and any(perceptual_terms(stage) for stage in stages):
        raise OptionError(
            f"--recipe {recipe} compares pictures by VGG19's features: name a file with --vgg "
            "FILE, or let --vgg download fetch torchvision's (548 MB, once); --stages psnr goes "
            "without"
        )


class Judge:
    """The features, after activation, by which results are judged."""

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


def judge(opened: Sequence[Eyes], stages: Sequence[Stage], device: torch.device) -> Judge | None:
    """None where no layer is left that the stages do not train on."""
    networks: dict[str, VGG] = {}
    for eyes in opened:
        trained = {
            layer
            for stage in stages
            for term in perceptual_terms(stage)
            for layer in weighed(eyes, term)
        }
        there = [layer for layer in available_layers(eyes.state) if layer not in trained]
        layers = [layer for layer in JUDGED if layer in there] or there[-2:]
        if layers and eyes.name not in networks:
            networks[eyes.name] = VGG(eyes.state, layers, after_relu=True)
    return Judge(networks, device) if networks else None

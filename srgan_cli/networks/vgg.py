"""VGG19's features, by which perceptual losses compare pictures.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
https://arxiv.org/abs/1409.1556. Layers are built from a file's tensors, so a truncated or a slimmer
network in torchvision's naming serves as well as the full one.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from srgan_cli.errors import WeightsError

STAGES = (2, 2, 4, 4, 4)  # convolutions between two poolings
MEAN = (0.485, 0.456, 0.406)  # of ImageNet's R, G, B in [0, 1]
STD = (0.229, 0.224, 0.225)


def _numbered() -> dict[str, int]:
    """conv1_1 -> 0, conv1_2 -> 2, conv2_1 -> 5, ...: torchvision counts ReLUs and poolings too."""
    places, place = {}, 0
    for stage, length in enumerate(STAGES, 1):
        for layer in range(1, length + 1):
            places[f"conv{stage}_{layer}"] = place
            place += 2
        place += 1
    return places


PLACES = _numbered()


def available(state: Mapping[str, Tensor]) -> list[str]:
    """The layers that a state dict reaches, from conv1_1 without a gap."""
    layers = []
    for name, place in PLACES.items():
        if f"features.{place}.weight" not in state:
            break
        layers.append(name)
    return layers


class VGG(nn.Module):
    """RGB in [0, 1], (B, 3, H, W), or gray, (B, 1, H, W) -> layer name -> (B, C, h, w).

    `layers` are names such as "conv5_4", taken before their ReLU unless `activated`. The weights
    are frozen; gradients flow to the pictures. Raises WeightsError for a layer that is not there.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, state: Mapping[str, Tensor], layers: Iterable[str], activated: bool = False
    ) -> None:
        super().__init__()
        self.wanted, self.activated = frozenset(layers), activated
        there = available(state)
        missing = sorted(self.wanted - set(there))
        if missing or not self.wanted:
            raise WeightsError(
                f"the VGG file has no {', '.join(missing) or 'layer that was asked for'}; "
                f"it has {', '.join(there) or 'no features.0.weight, as torchvision names it'}"
            )
        deepest = max(there.index(name) for name in self.wanted)
        self.convs = nn.ModuleDict(_built(state, there[: deepest + 1]))
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)
        self.eval()

    def forward(self, rgb: Tensor) -> dict[str, Tensor]:
        x = (rgb - self.mean) / self.std  # gray becomes three equal channels
        found = {}
        for name, conv in self.convs.items():
            if name.endswith("_1") and name != "conv1_1":
                x = halved(x)
            before = conv(x)
            x = relu(before)
            if name in self.wanted:
                found[name] = x if self.activated else before
        return found


def halved(x: Tensor) -> Tensor:
    """Largest of each 2 x 2; a side of one pixel stays."""
    return max_pool2d(x, 2, ceil_mode=1 in x.shape[-2:])


def _built(state: Mapping[str, Tensor], layers: list[str]) -> dict[str, nn.Module]:
    built: dict[str, nn.Module] = {}
    inputs = 3
    for name in layers:
        key = f"features.{PLACES[name]}"
        weight, bias = state[f"{key}.weight"], state.get(f"{key}.bias")
        outputs = weight.shape[0] if weight.dim() else 0
        shape = (outputs, inputs, 3, 3)
        if tuple(weight.shape) != shape or bias is None or tuple(bias.shape) != shape[:1]:
            raise WeightsError(
                f"{key} ({name}) does not fit a VGG: its weight has shape {tuple(weight.shape)}, "
                f"{shape} and a bias for each output are expected"
            )
        layer = nn.Conv2d(inputs, outputs, 3, padding=1)
        layer.load_state_dict({"weight": weight.float(), "bias": bias.float()})
        built[name] = layer
        inputs = outputs
    return built

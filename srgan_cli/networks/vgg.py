"""VGG19's features, for perceptual losses and distances.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
https://arxiv.org/abs/1409.1556. Layers are built from a file's tensors, so that truncated and
slimmer networks with torchvision's key names work as well as the full one.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

from srgan_cli.errors import WeightsError

CONVS_PER_STAGE = (2, 2, 4, 4, 4)  # stages are separated by max-pooling
MEAN = (0.485, 0.456, 0.406)  # of ImageNet's R, G, B in [0, 1]
STD = (0.229, 0.224, 0.225)


def _layer_indices() -> dict[str, int]:
    """conv1_1 -> 0, conv1_2 -> 2, conv2_1 -> 5, ...: torchvision counts ReLUs and poolings too."""
    indices, index = {}, 0
    for stage, convs in enumerate(CONVS_PER_STAGE, 1):
        for layer in range(1, convs + 1):
            indices[f"conv{stage}_{layer}"] = index
            index += 2
        index += 1
    return indices


LAYER_INDEX = _layer_indices()
"""Layer name -> its index in torchvision's `features`."""


def available_layers(state: Mapping[str, Tensor]) -> list[str]:
    """The layers in a state dict, from conv1_1 without a gap."""
    layers = []
    for name, index in LAYER_INDEX.items():
        if f"features.{index}.weight" not in state:
            break
        layers.append(name)
    return layers


class VGG(nn.Module):
    """RGB in [0, 1], (B, 3, H, W), or gray, (B, 1, H, W) -> layer name -> (B, C, h, w).

    layers: names such as "conv5_4", taken before their ReLU unless after_relu. The weights are
    frozen; gradients flow to the images. Raises WeightsError for a layer that `state` lacks.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, state: Mapping[str, Tensor], layers: Iterable[str], after_relu: bool = False
    ) -> None:
        super().__init__()
        self.layers, self.after_relu = frozenset(layers), after_relu
        available = available_layers(state)
        missing = sorted(self.layers - set(available))
        if missing or not self.layers:
            raise WeightsError(
                f"the VGG file has no {', '.join(missing) or 'layer of that name'}; "
                f"it has {', '.join(available) or 'no features.0.weight, as torchvision names it'}"
            )
        last = max(available.index(name) for name in self.layers)
        self.convs = nn.ModuleDict(_build(state, available[: last + 1]))
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)
        self.eval()

    def forward(self, rgb: Tensor) -> dict[str, Tensor]:
        x = (rgb - self.mean) / self.std  # gray becomes three equal channels
        features = {}
        for name, conv in self.convs.items():
            if name.endswith("_1") and name != "conv1_1":
                x = _max_pool(x)
            before_relu = conv(x)
            x = relu(before_relu)  # not in place: before_relu is returned
            if name in self.layers:
                features[name] = x if self.after_relu else before_relu
        return features


def _max_pool(x: Tensor) -> Tensor:
    """2 x 2 max pooling; a side of one pixel stays."""
    return max_pool2d(x, 2, ceil_mode=1 in x.shape[-2:])


def _build(state: Mapping[str, Tensor], layers: list[str]) -> dict[str, nn.Module]:
    convs: dict[str, nn.Module] = {}
    inputs = 3
    for name in layers:
        key = f"features.{LAYER_INDEX[name]}"
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
        convs[name] = layer
        inputs = outputs
    return convs

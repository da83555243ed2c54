"""Other architectures, run by spandrel where the user has it: https://github.com/chaiNNer-org/spandrel.

Files are read by `srgan_cli.weights.tensor_files`, never by spandrel itself.
"""

from importlib import import_module
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from srgan_cli.errors import WeightsError
from srgan_cli.weights.container import Weights
from srgan_cli.weights.generators import State
from srgan_cli.weights.metadata import Metadata

ARCHITECTURE = "spandrel"
INSTALL = "pip install spandrel"

CONTEXT = 64
"""Assumed receptive field in low-resolution pixels: spandrel does not provide it."""


class SpandrelNetwork(nn.Module):
    """RGB in [0, 1], (B, 3, H, W) -> RGB, (B, 3, sH, sW): a network built by spandrel."""

    def __init__(self, descriptor: Any) -> None:
        super().__init__()
        self.descriptor = descriptor
        self.model = descriptor.model
        self.name = str(descriptor.architecture.name)
        self.scale = int(descriptor.scale)
        self.alignment = max(1, int(descriptor.size_requirements.multiple_of))
        self.receptive_field = -(-CONTEXT // self.alignment) * self.alignment

    def forward(self, low_res: Tensor) -> Tensor:
        high_res: Tensor = self.descriptor(low_res)  # pads to the sizes it can do, crops and clips
        return high_res


def spandrel_weights(state: State) -> Weights:
    """Raises WeightsError as `generator` does."""
    network = generator(state)
    sizes = {"scale": network.scale, "network": network.name}
    family = f"{network.name}, by spandrel"
    metadata = Metadata(scale=network.scale, training={"family": family})
    return Weights(ARCHITECTURE, sizes, state, metadata, family)


def generator(state: State) -> SpandrelNetwork:
    """Raises WeightsError where spandrel is missing, does not know it, or it is not RGB to RGB."""
    spandrel = _spandrel()
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


def installed() -> bool:
    try:
        _spandrel()
    except WeightsError:
        return False
    return True


def _spandrel() -> ModuleType:
    """Importing it also fails with a torchvision that does not fit torch."""
    try:
        return import_module("spandrel")
    except (ImportError, RuntimeError) as error:
        raise WeightsError(f"this network needs spandrel: {INSTALL} ({error})") from error

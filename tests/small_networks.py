"""One small network of each architecture and variant, with random numbers, and two stand-ins."""

from pathlib import Path

import torch
from torch import nn

from srgan_cli.networks import GENERATORS
from srgan_cli.networks.srresnet import FORMS
from srgan_cli.weights.container import Weights
from srgan_cli.weights.metadata import Metadata

RRDB = {"scale": 4, "features": 3, "blocks": 1, "growth": 2}
NETWORKS = [
    ("fast", {"scale": 4, "features": 3, "blocks": 1, "thin": 2}),
    ("fast", {"scale": 3, "features": 3, "blocks": 1, "thin": 2}),
    (
        "fast",
        {
            "scale": 4,
            "features": 3,
            "blocks": 1,
            "thin": 2,
            "negative_slope": 0.1,
            "binomial": True,
        },
    ),
    ("fast", {"scale": 2, "features": 3, "blocks": 2, "thin": 2, "middle": [2, 5]}),
    ("srcnn", {"scale": 3, "n1": 3, "n2": 2}),
    ("vdsr", {"scale": 2, "depth": 3, "features": 3}),
    ("srresnet", {"scale": 2, "features": 3, "blocks": 1, "output": "tanh"}),
    *(("srresnet", {"scale": 3, "features": 3, "blocks": 1, "form": form}) for form in FORMS),
    ("rrdbnet", RRDB),
    ("rrdbnet", {**RRDB, "scale": 2, "unshuffle": 2}),
    ("rrdbnet", {**RRDB, "scale": 1, "unshuffle": 4}),
    ("compact", {"scale": 4, "features": 3, "convolutions": 1}),
    ("compact", {"scale": 1, "features": 3, "convolutions": 1, "activation": "relu"}),
]


def random_weights(architecture: str, sizes: dict) -> Weights:
    torch.manual_seed(0)
    network = GENERATORS[architecture](**sizes)
    for values in network.parameters():
        if values.dim() > 1:
            torch.nn.init.normal_(values, std=0.1)
    return Weights(architecture, sizes, network.state_dict(), Metadata(scale=sizes["scale"]))


class Blur(nn.Sequential):
    """A stand-in that really looks 2 pixels around: 5x5 mean, then enlarge."""

    scale, receptive_field = 2, 2

    def __init__(self) -> None:
        super().__init__(nn.AvgPool2d(5, stride=1, padding=2), nn.Upsample(scale_factor=2))


class Starved(nn.Module):
    """Runs out of memory on more than so many pixels."""

    def __init__(self, generator: nn.Module, limit: int) -> None:
        super().__init__()
        self.generator, self.limit = generator, limit
        self.scale, self.receptive_field = generator.scale, generator.receptive_field
        self.alignment = getattr(generator, "alignment", 1)
        self.seen: list[tuple[int, int]] = []

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        height, width = low.shape[2:]
        self.seen.append((height, width))
        if height * width > self.limit:
            raise torch.OutOfMemoryError("more than there is")
        return self.generator(low)


def write_pair(folder: Path, text: str, data: bytes) -> Path:
    """An ncnn pair of that content."""
    (folder / "one.param").write_text(text)
    (folder / "one.bin").write_bytes(data)
    return folder / "one.param"

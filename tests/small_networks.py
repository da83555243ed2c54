"""One small network of each architecture and variant, with random numbers."""

import torch

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

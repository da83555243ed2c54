"""Networks, one paper per module.

Every generator takes its hyperparameters, JSON-able, as keyword arguments and maps RGB in [0, 1],
(B, 3, H, W), to RGB, (B, 3, sH, sW). It has `.scale` and `.receptive_field`, a radius in
low-resolution pixels. Discriminators map RGB in [0, 1] to logits: high means real.
"""

from torch import nn

from srgan_cli.networks.compact import Compact
from srgan_cli.networks.discriminators import SRGANDiscriminator, UNetDiscriminator
from srgan_cli.networks.fast import Fast
from srgan_cli.networks.rrdbnet import RRDBNet
from srgan_cli.networks.srcnn import SRCNN
from srgan_cli.networks.srresnet import SRResNet
from srgan_cli.networks.vdsr import VDSR

GENERATORS: dict[str, type[nn.Module]] = {
    "fast": Fast,
    "srcnn": SRCNN,
    "vdsr": VDSR,
    "srresnet": SRResNet,
    "rrdbnet": RRDBNet,
    "compact": Compact,
}

DISCRIMINATORS: dict[str, type[nn.Module]] = {
    "srgan": SRGANDiscriminator,
    "unet": UNetDiscriminator,
}

"""Other ways to run a generator: averaged over eight orientations, and in int8.

Self-ensemble: Timofte et al., "Seven ways to improve example-based single image super resolution",
2016, https://arxiv.org/abs/1511.02228.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from srgan_cli.device import pick_precision
from srgan_cli.errors import DeviceError
from srgan_cli.networks.calibration import MIN_PSNR, Calibration
from srgan_cli.networks.fast import Fast
from srgan_cli.networks.int8 import Int8Fast, int8_problem
from srgan_cli.networks.layers import ORIENTATIONS, upscale_rotated


class Ensemble(nn.Module):
    """A generator that takes eight times as long and errs a little less."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.scale = generator.scale
        self.receptive_field = generator.receptive_field
        self.alignment = getattr(generator, "alignment", 1)

    def forward(self, low: Tensor) -> Tensor:
        made = [upscale_rotated(self.generator, low, *orientation) for orientation in ORIENTATIONS]
        return torch.stack(made).mean(dim=0)


def takes_int8(
    precision: str, network: nn.Module, devices: Sequence[torch.device], psnr: float | None
) -> bool:
    """Whether the network runs in int8 on these devices.

    precision: an option value. psnr: dB from float32 that the network's file records, if it
    does.
    Raises DeviceError where int8 is asked for and cannot be had.
    """
    if precision not in ("auto", "int8"):
        return False
    if precision == "auto" and (psnr is None or psnr < MIN_PSNR):
        return False
    problem = _problem(network, devices)
    if precision == "auto":
        return problem is None
    if problem is not None:
        raise DeviceError(f"{problem}: take --precision auto")
    return True


def _problem(network: nn.Module, devices: Sequence[torch.device]) -> str | None:
    other = next((device for device in devices if device.type != "cpu"), None)
    if other is not None:
        return f"int8 runs on CPUs only, not on {other}"
    return int8_problem(network)


def quantize(network: nn.Module, calibration: Calibration) -> Int8Fast:
    """For the CPU; what is not in int8 runs as by `--precision auto` without it.

    network: one for which `takes_int8` is true. calibration: one that fits it.
    """
    assert isinstance(network, Fast)
    return Int8Fast(network, calibration, pick_precision("auto", torch.device("cpu")))

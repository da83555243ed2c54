"""Weights and a machine make something that runs."""

from collections.abc import Mapping

from srgan_cli.device import pick_device, pick_precision
from srgan_cli.engine.corrections import NONE, Corrections
from srgan_cli.engine.enlarger import Enlarger
from srgan_cli.engine.ensemble import Ensemble
from srgan_cli.engine.settings import Machine
from srgan_cli.engine.size import Size
from srgan_cli.engine.upscaler import Upscaler
from srgan_cli.weights import Weights, load_generator

FAR = 64
"""Low-resolution pixels that a tile sees at most where the effective reach was not measured."""


def upscaler(weights: Weights, machine: Machine) -> Upscaler:
    """Raises DeviceError for a device that is missing, WeightsError for unfit weights."""
    device = pick_device(machine.device)
    generator = load_generator(weights).to(device)
    whole = int(generator.reach)  # type: ignore[arg-type]
    margin = whole if machine.exact else min(whole, weights.facts.effective_reach or FAR)
    dtype = pick_precision(machine.precision, device)
    running = Ensemble(generator) if machine.tta else generator
    return Upscaler(running, device, dtype, machine.tile, margin)


def enlarger(
    weights: Mapping[int, Weights],
    machine: Machine,
    size: Size,
    corrections: Corrections = NONE,
) -> Enlarger:
    """For networks by their scale; none is plain bicubic.

    16-bit pictures run in float32 unless `machine` names a precision.
    """
    built = {scale: upscaler(one, machine) for scale, one in weights.items()}
    larger = {scale: one for scale, one in built.items() if scale > 1}
    restorer = None if larger else built.get(1)
    return Enlarger(larger, size, corrections, restorer, precise=machine.precision == "auto")

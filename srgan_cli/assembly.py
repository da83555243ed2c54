"""Weights and a machine make something that runs."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock

from srgan_cli.device import keep_memory, pick_devices, pick_precision
from srgan_cli.engine.corrections import NONE, Corrections
from srgan_cli.engine.effective import effective_reach
from srgan_cli.engine.enlarger import Enlarger
from srgan_cli.engine.ensemble import Ensemble
from srgan_cli.engine.settings import Machine
from srgan_cli.engine.size import Size
from srgan_cli.engine.upscaler import Place, Upscaler
from srgan_cli.engine.worker import Say, warn
from srgan_cli.weights import Weights, load_generator, read_weights, write_weights

FAR = 64
"""Low-resolution pixels that a tile sees at most where the effective reach was not measured."""


def upscaler(weights: Weights, machine: Machine, say: Say = warn) -> Upscaler:
    """Raises DeviceError for a device that is missing, WeightsError for unfit weights."""
    keep_memory()
    devices = pick_devices(machine.device)
    generator = load_generator(weights)
    whole = int(generator.reach)  # type: ignore[arg-type]
    known = weights.facts.effective_reach
    margin = whole if machine.exact else min(whole, FAR if known is None else known)
    running = Ensemble(generator) if machine.tta else generator
    helpers = [Place(copy.deepcopy(running).to(device), device) for device in devices[1:]]
    return Upscaler(
        generator=running.to(devices[0]),
        device=devices[0],
        dtype=pick_precision(machine.precision, *devices),
        tile=machine.tile,
        margin=margin,
        helpers=tuple(helpers),
        say=say,
    )


def enlarger(
    weights: Mapping[int, Weights],
    machine: Machine,
    size: Size,
    corrections: Corrections = NONE,
    say: Say = warn,
) -> Enlarger:
    """For networks by their scale; none is plain bicubic. `say` is told each thing once.

    16-bit pictures run in float32 unless `machine` names a precision.
    """
    told = once(say)
    built = {scale: upscaler(one, machine, told) for scale, one in weights.items()}
    larger = {scale: one for scale, one in built.items() if scale > 1}
    restorer = None if larger else built.get(1)
    return Enlarger(larger, size, corrections, restorer, precise=machine.precision == "auto")


def once(say: Say) -> Say:
    """What passes each text on to `say` only the first time."""
    said: set[str] = set()
    lock = Lock()

    def told(text: str) -> None:
        with lock:
            new = text not in said
            said.add(text)
        if new:
            say(text)

    return told


def measured(weights: Weights, say: Say) -> Weights:
    """With the effective reach, if the whole is too large to pay and none is known: see `FAR`."""
    generator = load_generator(weights)
    whole = int(generator.reach)  # type: ignore[arg-type]
    if weights.facts.effective_reach is not None or whole <= FAR:
        return weights
    say(f"measuring how much of the {whole} pixels around matters: this may take minutes")
    reach = effective_reach(generator)
    return replace(weights, facts=replace(weights.facts, effective_reach=reach))


def record_reach(path: Path, say: Say) -> None:
    """Put the effective reach into our weights file at `path`: see `measured`."""
    weights = read_weights(path)
    known = measured(weights, say)
    if known is not weights:
        write_weights(known, path)

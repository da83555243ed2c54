"""Weights and a machine make something that runs."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock

from srgan_cli.device import keep_memory, pick_devices, pick_precision
from srgan_cli.inference.engine import Place, TiledEngine
from srgan_cli.inference.measured_field import effective_reach
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.inference.tta import Ensemble
from srgan_cli.inference.worker import Say, warn
from srgan_cli.settings import NO_POSTPROCESS, Machine, OutputSize, Postprocess
from srgan_cli.weights.container import Weights, read_weights, write_weights
from srgan_cli.weights.loading import load_generator

FAR = 64
"""Low-resolution pixels that a tile sees at most where the effective field was not measured."""

MIRRORED_TOLERANCE = 1
"""Levels by which a picture's border may differ from mirroring by the whole receptive field.
"""


def build_engine(weights: Weights, machine: Machine, say: Say = warn) -> TiledEngine:
    """Raises DeviceError for a device that is missing, WeightsError for unfit weights."""
    keep_memory()
    devices = pick_devices(machine.device)
    generator = load_generator(weights)
    whole = int(generator.receptive_field)  # type: ignore[arg-type]
    known = weights.metadata.measured_receptive_field
    margin = whole if machine.exact else min(whole, FAR if known is None else known)
    running = Ensemble(generator) if machine.tta else generator
    helpers = [Place(copy.deepcopy(running).to(device), device) for device in devices[1:]]
    return TiledEngine(
        generator=running.to(devices[0]),
        device=devices[0],
        dtype=pick_precision(machine.precision, *devices),
        tile=machine.tile,
        margin=margin,
        mirrored=weights.metadata.reflect_padding,
        helpers=tuple(helpers),
        say=say,
    )


def build_pipeline(
    weights: Mapping[int, Weights],
    machine: Machine,
    size: OutputSize,
    postprocess: Postprocess = NO_POSTPROCESS,
    say: Say = warn,
) -> UpscalePipeline:
    """For networks by their scale; none is plain bicubic. `say` is told each thing once.

    16-bit pictures run in float32 unless `machine` names a precision.
    """
    told = once(say)
    built = {scale: build_engine(one, machine, told) for scale, one in weights.items()}
    larger = {scale: one for scale, one in built.items() if scale > 1}
    restorer = None if larger else built.get(1)
    return UpscalePipeline(larger, size, postprocess, restorer, precise=machine.precision == "auto")


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
    """With what is not known yet of how far the network sees so that it shows.

    The effective reach is only of use where the whole is too large to pay: see `FAR`.
    """
    generator, metadata = load_generator(weights), weights.metadata
    whole = int(generator.receptive_field)  # type: ignore[arg-type]
    enough = whole <= FAR or metadata.measured_receptive_field is not None
    if enough and metadata.reflect_padding is not None:
        return weights
    if whole > FAR and metadata.measured_receptive_field is None:
        say(f"measuring how much of the {whole} pixels around matters: this may take minutes")
        metadata = replace(metadata, measured_receptive_field=effective_reach(generator))
    metadata = replace(metadata, reflect_padding=effective_reach(generator, MIRRORED_TOLERANCE))
    return replace(weights, metadata=metadata)


def record_reach(path: Path, say: Say) -> None:
    """Put into our weights file at `path` how far the network sees: see `measured`."""
    weights = read_weights(path)
    known = measured(weights, say)
    if known is not weights:
        write_weights(known, path)

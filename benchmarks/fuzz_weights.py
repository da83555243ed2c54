"""For fuzz.py: weights files of srgan, torch and ncnn, described, built and run."""

import random
import resource
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save

from srgan_cli.errors import SrganError
from srgan_cli.images.image import Image
from srgan_cli.inference.engine import TiledEngine
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.networks import GENERATORS
from srgan_cli.weights.container import (
    HEADER_CHECKSUM,
    Weights,
    _header_checksum,
    state_checksum,
    write_weights,
)
from srgan_cli.weights.description import describe_weights
from srgan_cli.weights.loading import load_generator, load_weights
from srgan_cli.weights.metadata import Metadata
from srgan_cli.weights.ncnn.writer import format_pair

NETWORKS = {
    "fast": {"scale": 4, "features": 4, "blocks": 1, "thin": 2},
    "srcnn": {"scale": 3, "n1": 3, "n2": 2},
    "vdsr": {"scale": 2, "depth": 3, "features": 3},
    "srresnet": {"scale": 2, "features": 4, "blocks": 1},
    "rrdbnet": {"scale": 4, "features": 4, "blocks": 1, "growth": 2},
    "compact": {"scale": 4, "features": 4, "convolutions": 1},
}
OF_NCNN = ("rrdbnet", "compact")
ROOM = 1 << 30
"""Bytes above what the sound files take."""

PIXELS = np.arange(12 * 12 * 3, dtype=np.uint8).reshape(12, 12, 3)


class WeightsSubjects:
    """`made` holds the sound files, `work` one mutant after another."""

    def __init__(self, made: Path, work: Path) -> None:
        self._made, self._work = made, work
        self.base: int | None = None

    def seeds(self) -> list[Path]:
        torch.manual_seed(0)
        for name, sizes in NETWORKS.items():
            state = GENERATORS[name](**sizes).state_dict()
            weights = Weights(name, sizes, state, Metadata(sizes["scale"], training={"steps": 3}))
            write_weights(weights, self._made / f"{name}.safetensors")
            if name in OF_NCNN:
                text, data = format_pair(weights, half=True)
                (self._made / f"{name}.param").write_text(text)
                (self._made / f"{name}.bin").write_bytes(data)
                torch.save({"params_ema": state}, self._made / f"{name}.pth")
                old = self._made / f"{name}-old.pth"
                torch.save(state, old, _use_new_zipfile_serialization=False)
                (self._made / f"{name}-plain.safetensors").write_bytes(save(state))
        return sorted(self._made.iterdir())

    def label(self, origin: Path) -> str:
        return origin.suffix

    def finished(self, data: bytes, draw: random.Random) -> bytes:
        """Most of srgan's own files with checksums that are right, for what lies behind them."""
        if draw.random() < 0.8:
            path = self._work / "changed"
            path.write_bytes(data)
            with suppress(Exception):
                data = resealed(path)
            path.unlink()
        return data

    def attempt(self, origin: Path, data: bytes) -> str:
        """Raises AssertionError, or what was raised, for a fault."""
        path = self._work / f"in{origin.suffix}"
        path.write_bytes(data)
        for other in (".param", ".bin"):
            pair = origin.with_suffix(other)
            if origin.suffix in (".param", ".bin") and other != origin.suffix:
                path.with_suffix(other).write_bytes(pair.read_bytes())
        try:
            return used(path)
        except SrganError as error:
            text = str(error)
        finally:
            for each in self._work.iterdir():
                each.unlink()
            above = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - (self.base or 0)
            assert self.base is None or above < ROOM, f"{above >> 20} MiB"
        assert text.isprintable(), "not one line"
        assert path.stem in text, f"does not name the file: {text}"
        return "error"


def used(path: Path) -> str:
    """The network built and run, and the file described."""
    describe_weights(path, None, None)
    weights = load_weights(path)
    engine = TiledEngine(load_generator(weights), tile=64)
    try:
        UpscalePipeline({weights.metadata.scale: engine})(Image(PIXELS), lambda done, of: None)
    except SrganError as error:  # a network that gives NaN does not know its file
        raise type(error)(f"{path}: {error}") from error
    return "network"


def resealed(path: Path) -> bytes:
    """With both checksums of what the file holds."""
    with safe_open(path, "pt") as file:
        header = dict(file.metadata())
    state = load_file(path)
    header["sha256"] = state_checksum(state)
    header[HEADER_CHECKSUM] = _header_checksum(header)
    return bytes(save(state, metadata=header))

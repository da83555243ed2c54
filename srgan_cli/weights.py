"""Weights files: read, write, blend, bring to life.

On disk: safetensors whose header says everything else, with a SHA-256 of the tensors.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from srgan_cli.errors import WeightsError
from srgan_cli.images.atomic import atomically
from srgan_cli.models import GENERATORS

FORMAT = "srgan 1"
HEADER = ("architecture", "hyperparameters", "facts", "sha256")

State = Mapping[str, Tensor]
Hyperparameters = Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    """What is known of a network beyond its numbers."""

    scale: int
    objective: str = "unknown"
    """"psnr" (faithful), "gan" (vivid), "blend" or "unknown"."""

    lineage: str = ""
    """An id that networks fine-tuned from one another share; "" when not known."""

    effective_reach: int | None = None
    """The measured context, in low-resolution pixels, beyond which no 8-bit value changes."""

    training: dict[str, Any] = field(default_factory=dict)
    """Recipe, options, steps, data, version, validation figures."""

    figures: dict[str, Any] = field(default_factory=dict)
    """Measured on benchmarks after training: set -> {"psnr_y": dB, "ssim_y": ...}."""


@dataclass(frozen=True, eq=False)
class Weights:
    """A network at rest: which one, how large, its numbers, and where it comes from."""

    architecture: str
    hyperparameters: Hyperparameters
    state: State
    facts: Facts

    def __str__(self) -> str:
        sizes = ", ".join(f"{name} {value}" for name, value in self.hyperparameters.items())
        return f"{self.architecture} ({sizes})"


def read_weights(path: Path) -> Weights:
    """Our own weights file, checked against its checksum.

    Raises WeightsError for a file that is missing, damaged, incomplete or not ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise WeightsError(f"{path} does not exist") from error
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a readable weights file: {error}") from error
    return _assembled(path, about, state)


def _assembled(path: Path, about: Mapping[str, str], state: State) -> Weights:
    if about.get("format") != FORMAT:
        raise WeightsError(f"{path} was not written by srgan: its header does not say {FORMAT!r}")
    missing = [name for name in HEADER if name not in about]
    if missing:
        raise WeightsError(f"{path} is incomplete: its header lacks {', '.join(missing)}")
    if about["sha256"] != checksum(state):
        raise WeightsError(f"{path} is damaged: its tensors do not match their checksum")
    try:
        facts = _facts(json.loads(about["facts"]))
        sizes = json.loads(about["hyperparameters"])
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{path} has a damaged header: {error}") from error
    return Weights(about["architecture"], sizes, state, facts)


def _facts(record: dict[str, Any]) -> Facts:
    known = {field.name for field in fields(Facts)}
    return Facts(**{name: value for name, value in record.items() if name in known})


def write_weights(weights: Weights, path: Path) -> None:
    """Put `weights` at `path`, whole or not at all."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.state.items()}
    about = {
        "format": FORMAT,
        "architecture": weights.architecture,
        "hyperparameters": json.dumps(dict(weights.hyperparameters)),
        "facts": json.dumps(asdict(weights.facts)),
        "sha256": checksum(state),
    }
    with atomically(path, WeightsError) as part:
        part.write_bytes(save(state, metadata=about))


def checksum(state: State) -> str:
    """SHA-256 over the name, type, shape and bytes of each tensor, in order of names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def halved(weights: Weights) -> Weights:
    """The same network with its floats in 16 bits: half the size on disk."""
    state = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in weights.state.items()
    }
    return replace(weights, state=state)


def load_generator(weights: Weights) -> nn.Module:
    """The network that `weights` describe, float32, ready to run: it has `.scale` and `.reach`.

    Raises WeightsError with everything that does not fit.
    """
    network = build_generator(weights.architecture, weights.hyperparameters)
    faults = [*mismatches(network.state_dict(), weights.state), *_not_finite(weights.state)]
    if faults:
        raise WeightsError(f"the weights do not fit {weights}: {'; '.join(faults)}")
    network.load_state_dict(dict(weights.state))
    return network.eval()


def build_generator(architecture: str, hyperparameters: Hyperparameters) -> nn.Module:
    """A network of that kind and size, freshly initialised."""
    if architecture not in GENERATORS:
        known = ", ".join(GENERATORS)
        raise WeightsError(f"unknown architecture {architecture!r}: this version knows {known}")
    try:
        return GENERATORS[architecture](**hyperparameters)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{architecture} cannot be built so: {error}") from error


def mismatches(expected: State, given: State) -> list[str]:
    """What of `given` is missing, unknown or of another shape, one phrase each."""
    missing = [f"{name} is missing" for name in expected if name not in given]
    unknown = [f"{name} is unknown" for name in given if name not in expected]
    shapes = [
        f"{name} has shape {list(given[name].shape)}, not {list(expected[name].shape)}"
        for name in expected
        if name in given and given[name].shape != expected[name].shape
    ]
    return [*missing, *unknown, *shapes]


def _not_finite(state: State) -> list[str]:
    return [
        f"{name} holds values that are not numbers"
        for name, tensor in state.items()
        if tensor.is_floating_point() and not tensor.isfinite().all()
    ]


def blend(psnr: Weights, gan: Weights, amount: float) -> Weights:
    """`(1 - amount) * psnr + amount * gan`, over all parameters and float buffers.

    ESRGAN, https://arxiv.org/abs/1809.00219, section 3.4. Raises WeightsError for two networks
    whose tensors differ in name or shape.
    """
    faults = mismatches(psnr.state, gan.state)
    if psnr.architecture != gan.architecture or faults:
        detail = f": {'; '.join(faults)}" if faults else ""
        raise WeightsError(f"cannot blend {psnr} with {gan}{detail}")
    state = {name: _mixed(psnr.state[name], gan.state[name], amount) for name in psnr.state}
    lineage = psnr.facts.lineage if psnr.facts.lineage == gan.facts.lineage else ""
    facts = replace(
        psnr.facts,
        objective="blend",
        lineage=lineage,
        effective_reach=_larger(psnr.facts.effective_reach, gan.facts.effective_reach),
        training={"alpha": amount, "psnr": psnr.facts.training, "gan": gan.facts.training},
    )
    return replace(psnr, state=state, facts=facts)


def _mixed(a: Tensor, b: Tensor, amount: float) -> Tensor:
    return a.float().lerp(b.float(), amount) if a.is_floating_point() else a


def _larger(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else max(a, b)

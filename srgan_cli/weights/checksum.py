"""What shows that a weights file of ours is whole: checksums over its tensors and its header."""

import hashlib
import json
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

FORMAT = "srgan 1"
HEADER = ("architecture", "hyperparameters", "facts", "sha256")
SEAL = "header_sha256"

State = Mapping[str, Tensor]


def is_ours(about: Mapping[str, str]) -> bool:
    """Also a header of ours of which a part is damaged."""
    return about.get("format", "").startswith("srgan") or len(about.keys() & {*HEADER}) > 1


def broken_seals(about: Mapping[str, str], state: State) -> Iterator[str]:
    """What is not as it was written; older files have no seal on the header."""
    if about.get("format") != FORMAT:
        yield f"its format is {about.get('format')!r}, and this version reads {FORMAT!r}"
    known = {"format", *HEADER, SEAL}
    strange = sorted(f"an unknown {name!r}" for name in about.keys() - known)
    missing = sorted(f"no {name!r}" for name in known - about.keys() - {SEAL})
    if strange or missing:
        yield f"its header has {', '.join([*missing, *strange])}"
    if about.get("sha256") != checksum(state):
        yield "its tensors do not match their checksum"
    if about.get(SEAL, seal(about)) != seal(about):
        yield "its header does not match its checksum"


def checksum(state: State) -> str:
    """SHA-256 over the name, type, shape and bytes of each tensor, in order of names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def seal(about: Mapping[str, str]) -> str:
    """SHA-256 over all else that the header says."""
    said = sorted((name, value) for name, value in about.items() if name != SEAL)
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()

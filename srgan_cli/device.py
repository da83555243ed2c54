"""Where to compute, and in which precision."""

import ctypes
import os
import sys

import torch

from srgan_cli.errors import DeviceError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Of glibc's mallopt."""

KEPT, MAPPED = 1 << 30, 1 << 28
"""Bytes that may lie unused, and of a buffer that is given back all the same."""


def pick_devices(names: str) -> tuple[torch.device, ...]:
    """One device, or of names with commas between them several."""
    return tuple(pick_device(local_device(name.strip())) for name in names.split(","))


def local_device(name: str) -> str:
    """Each process that torchrun starts on a machine takes a GPU of its own."""
    if "LOCAL_RANK" in os.environ and name in ("auto", "cuda") and torch.cuda.is_available():
        number = int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count()
        torch.cuda.set_device(number)
        return f"cuda:{number}"
    return name


def pick_device(name: str) -> torch.device:
    """The device of that name; "auto" takes the first accelerator there is, else the CPU."""
    if name == "auto":
        return torch.device(_best())
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise DeviceError(f"cannot compute on {name!r}: {reason}; --device cpu works") from error
    return device


def _best() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def pick_precision(name: str, *devices: torch.device) -> torch.dtype:
    """The type in which convolutions run; "auto" takes half precision only where it is faster.

    bf16 where the chip has it, fp16 on CUDA devices that lack it, fp32 everywhere else, and where
    several devices would differ: a picture has one precision.
    """
    if name != "auto":
        return PRECISIONS[name]
    fastest = {_fastest(device) for device in devices}
    return fastest.pop() if len(fastest) == 1 else torch.float32


def _fastest(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16
    if device.type == "cpu" and _cpu_multiplies_bf16():
        return torch.bfloat16
    return torch.float32


def _cpu_multiplies_bf16() -> bool:
    tells = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(tells and tells())


def keep_memory() -> None:
    """Let the C library keep what tensors on the CPU free, for the next ones.

    glibc gives large buffers back at once, and the system must clear the same pages again for the
    next layer. Measured on two cores: 5 % of a picture's time, 18 % of the first one's, 12 % of a
    training step's; peak memory stayed. Other systems' libraries are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, MAPPED)
        mallopt(M_TRIM_THRESHOLD, KEPT)


def out_of_memory(error: RuntimeError) -> bool:
    """CPUs and Apple's GPUs say it in words alone."""
    words = ("can't allocate memory", "out of memory")
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in words)

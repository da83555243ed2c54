"""Where to compute, in which precision, and how much memory may be used."""

import ctypes
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import torch

from srgan_cli.errors import MissingDeviceError

PRECISIONS = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "int8": torch.int8,
}

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt."""

KEPT_BYTES, MMAP_BYTES = 1 << 30, 1 << 28
"""Bytes that may stay unused, and of a buffer that is given back even then."""


def pick_devices(names: str) -> tuple[torch.device, ...]:
    """The devices of one name, or of several with commas between them."""
    return tuple(pick_device(name.strip()) for name in names.split(","))


def local_device(name: str) -> str:
    """Its name in this process: each process of torchrun on a machine takes a GPU of its own."""
    if "LOCAL_RANK" in os.environ and name in ("auto", "cuda") and torch.cuda.is_available():
        number = int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count()
        torch.cuda.set_device(number)
        return f"cuda:{number}"
    return name


def pick_device(name: str) -> torch.device:
    """The device of that name for this process: see `local_device`.

    "auto" takes the first accelerator there is, else the CPU. Raises MissingDeviceError.
    """
    name = local_device(name)
    if name == "auto":
        return torch.device(_best())
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise MissingDeviceError(
            f"this machine, or this PyTorch, has no device {name!r}; --device {_best()} works"
        ) from error
    return device


def _best() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def pick_precision(name: str, *devices: torch.device) -> torch.dtype:
    """The type in which convolutions run; "auto" takes half precision only where it is faster.

    bf16 where the chip has it, fp16 on CUDA devices that lack it, fp32 everywhere else, and where
    several devices would differ: an image has one precision.
    """
    if name != "auto":
        return PRECISIONS[name]
    defaults = {_default_dtype(device) for device in devices}
    return defaults.pop() if len(defaults) == 1 else torch.float32


def dtype_name(dtype: torch.dtype) -> str:
    """Such as "float32"."""
    return str(dtype).removeprefix("torch.")


def _default_dtype(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16
    if device.type == "cpu" and _cpu_has_bf16():
        return torch.bfloat16
    return torch.float32


def _cpu_has_bf16() -> bool:
    """Whether it has, unless ATEN_CPU_CAPABILITY limits PyTorch to less."""
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        return False
    is_supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(is_supported and is_supported())


def keep_memory() -> None:
    """Let the C library keep what tensors on the CPU free, for the next ones.

    glibc gives large buffers back at once, and the system must clear the same pages again for the
    next layer. Measured on two cores: 5 % of an image's time, 18 % of the first one's, 12 % of a
    training step's; peak memory stayed. Other systems' libraries are left alone.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def out_of_memory(error: RuntimeError) -> bool:
    """Whether it means that; CPUs and Apple's GPUs only say so in the message."""
    words = ("can't allocate memory", "out of memory")
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in words)


def free_bytes(device: torch.device) -> int:
    """Bytes that can be allocated now; on an unknown system a cautious guess."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return int(min(_machine_bytes(), cgroup_free_bytes()))


def _machine_bytes() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        fields = dict(line.split(":") for line in lines)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return 2 << 30


# Control groups: https://docs.kernel.org/admin-guide/cgroup-v2.html, and cgroup-v1/memory.rst
CGROUP_ROOT = Path("/sys/fs/cgroup")
CGROUP_FILE = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class CgroupVersion:
    """Names of a control group's files about memory."""

    folder: str
    """Below the place where groups are mounted."""
    limit: str
    usage: str
    cache: str
    """Key in memory.stat of the part of the usage that is freed when memory runs short."""


CGROUP_V1 = CgroupVersion(
    "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
)
CGROUP_V2 = CgroupVersion("", "memory.max", "memory.current", "inactive_file")


def cgroup_free_bytes(root: Path = CGROUP_ROOT, own: Path = CGROUP_FILE) -> float:
    """Bytes that this process's groups may still take; infinite where none is limited."""
    try:
        lines = own.read_text().splitlines()
    except OSError:  # not Linux
        return math.inf
    return min((left for line in lines for left in _free_of_groups(root, line)), default=math.inf)


def _free_of_groups(root: Path, line: str) -> Iterator[float]:
    """Free bytes of each group from that of a line like "4:memory:/service" up to the root."""
    _, controllers, path = line.split(":", 2)
    version = CGROUP_V2 if controllers == "" else CGROUP_V1
    if version is CGROUP_V1 and "memory" not in controllers.split(","):
        return
    group = PurePosixPath(path)
    for one in (group, *group.parents):
        folder = root / version.folder / one.relative_to("/")
        try:
            yield _free_of_group(folder, version)
        except (OSError, ValueError, KeyError):  # not visible from inside a container
            continue


def _free_of_group(folder: Path, version: CgroupVersion) -> float:
    limit = (folder / version.limit).read_text().strip()
    if limit == "max":
        return math.inf
    usage = int((folder / version.usage).read_text())
    lines = (folder / "memory.stat").read_text().splitlines()
    cache = int(dict(line.split() for line in lines)[version.cache])
    return max(0.0, int(limit) - (usage - cache))

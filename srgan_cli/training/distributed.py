"""Several processes, one training: what `torchrun` starts. A single process is the simplest case.

Every process computes a part of each batch; process 0 writes and speaks.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.nn.parallel import DistributedDataParallel

TIMEOUT = timedelta(hours=6)
"""How long processes wait for the first one, which decodes and validates alone."""


@dataclass(frozen=True)
class ProcessGroup:
    """Which of how many processes this is."""

    rank: int = 0
    world_size: int = 1

    @property
    def is_main_process(self) -> bool:
        return self.rank == 0

    def mean(self, values: list[float]) -> list[float]:
        """Averages over all processes."""
        if self.world_size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64, device=_device())
        dist.all_reduce(total)
        return [float(value) / self.world_size for value in total.cpu()]

    def broadcast(self, value: float) -> float:
        """What process 0 has."""
        if self.world_size == 1:
            return value
        total = torch.tensor([value], dtype=torch.float64, device=_device())
        dist.broadcast(total, 0)
        return total.item()

    def barrier(self) -> None:
        if self.world_size > 1:
            dist.barrier()

    def wrap(self, network: nn.Module, device: torch.device) -> nn.Module:
        """`network`, whose gradients are averaged over all processes when there are several."""
        if self.world_size == 1:
            return network
        if device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        devices = [device.index] if device.index is not None else None
        return DistributedDataParallel(network, device_ids=devices, broadcast_buffers=False)


def unwrap(network: nn.Module) -> nn.Module:
    """The network itself, without what shares it."""
    return network.module if isinstance(network, DistributedDataParallel) else network


def gradient_sync(network: nn.Module, last: bool) -> AbstractContextManager[None]:
    """Inside, gradients are gathered and not yet averaged; the last batch of a step averages."""
    if last or not isinstance(network, DistributedDataParallel):
        return nullcontext()
    return network.no_sync()


def mean_over_processes(logits: Tensor) -> Tensor:
    """The mean over the batches of all processes; the gradient reaches all of them."""
    mean = logits.mean()
    if not (dist.is_available() and dist.is_initialized()):
        return mean
    total: Tensor = all_reduce(mean)
    return total / dist.get_world_size()


@contextmanager
def distributed_context(device: torch.device) -> Iterator[ProcessGroup]:
    """The processes that torchrun has started, if it has."""
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1 or not dist.is_available():
        yield ProcessGroup()
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=TIMEOUT)
    try:
        yield ProcessGroup(dist.get_rank(), world_size)
    finally:
        dist.destroy_process_group()


def is_main_process() -> bool:
    """Whether this process is the first, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def _device() -> torch.device:
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")

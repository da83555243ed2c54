"""Distributed training with torchrun; a single process is the default.

Every process computes a part of each batch; process 0 writes files and output.
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

from srgan_cli.errors import OptionError
from srgan_cli.settings import process_rank

TIMEOUT = timedelta(hours=6)
"""Timeout of other processes while process 0 decodes or validates."""


HINT = "start all with torchrun, or unset RANK and WORLD_SIZE"


@dataclass(frozen=True)
class ProcessGroup:
    """Rank and number of processes."""

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
        """The value of process 0."""
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
    """The network without its DistributedDataParallel wrapper."""
    return network.module if isinstance(network, DistributedDataParallel) else network


def gradient_sync(network: nn.Module, last: bool) -> AbstractContextManager[None]:
    """Gradients are averaged over processes in the last micro-batch of a step only."""
    if last or not isinstance(network, DistributedDataParallel):
        return nullcontext()
    return network.no_sync()


def mean_over_processes(logits: Tensor) -> Tensor:
    """Mean over the batches of all processes, with gradients to all."""
    mean = logits.mean()
    if not (dist.is_available() and dist.is_initialized()):
        return mean
    total: Tensor = all_reduce(mean)
    return total / dist.get_world_size()


@contextmanager
def distributed_context(device: torch.device) -> Iterator[ProcessGroup]:
    """Initialize and destroy the process group, if torchrun started several processes."""
    processes = process_group()
    if processes.world_size == 1:
        yield processes
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    try:
        dist.init_process_group(backend, timeout=TIMEOUT)
    except ValueError as error:  # such as no MASTER_ADDR
        raise OptionError(f"the processes do not find each other ({error}): {HINT}") from error
    try:
        yield processes
    finally:
        dist.destroy_process_group()


def process_group() -> ProcessGroup:
    """The processes that torchrun started. Raises OptionError where its variables make no sense."""
    if not dist.is_available():
        return ProcessGroup()
    return ProcessGroup(*process_rank(os.environ, HINT))


def _device() -> torch.device:
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")

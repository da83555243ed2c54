"""Two processes with half a batch each move as one with the whole batch."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from srgan_cli.errors import OptionError
from srgan_cli.training.assembly import check_batch
from srgan_cli.training.checkpoint import checkpoints, load_state
from srgan_cli.training.distributed import World, local_device
from srgan_cli.training.options import TrainOptions
from srgan_cli.training.runfolder import begin


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def train_in(processes: int, options: TrainOptions) -> Path:
    """The run folder of `srgan train` in so many processes, started as torchrun does."""
    begin(options)
    port = str(free_port())
    command = [sys.executable, "-m", "srgan_cli", "train", "--resume", "-o", str(options.out)]
    started = [
        subprocess.Popen(
            command,
            env=os.environ
            | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
            | {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes)}
            | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port},
            stderr=subprocess.PIPE,
        )
        for rank in range(processes)
    ]
    for process in started:
        _, said = process.communicate(timeout=240)
        assert process.returncode == 0, said.decode()
    return options.out


CANCELLED = {"verdict.bias"}
"""All logits share it, so its gradient is rounding alone, which Adam makes as large as any."""


@pytest.mark.parametrize("stages", ["psnr", "both"])
def test_two_processes_make_the_weights_of_one(make, tmp_path, stages) -> None:
    steps = {"psnr": 4, "both": 10}[stages]
    runs = [
        make(out=tmp_path / f"of-{n}", stages=stages, steps=steps, batch_size=4, accumulate=2)
        for n in (1, 2)
    ]
    ends = [train_in(n, options) for n, options in enumerate(runs, start=1)]
    states = [load_state(checkpoints(end)[-1]) for end in ends]
    assert states[0].step == states[1].step
    networks = ["generator", "discriminator"] if stages == "both" else ["generator"]
    for network in networks:
        one, two = (state.networks[network] for state in states)
        for name in one.keys() - CANCELLED:
            torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=2e-5)


def test_a_batch_must_divide_among_the_processes(make) -> None:
    options = make(batch_size=3)
    assert World(1, 2).leads is False

    class Job:
        """As much of a job as the check looks at."""

    job = Job()
    job.options, job.world = options, World(0, 2)
    with pytest.raises(OptionError, match="--batch-size 3 cannot be divided among 2 processes"):
        check_batch(job, None)


def test_a_lone_process_takes_the_device_it_is_told(monkeypatch) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert local_device("cpu") == "cpu"
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert local_device("cpu") == "cpu"

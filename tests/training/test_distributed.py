"""Two processes with half a batch each move as one with the whole batch."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from srgan_cli.errors import OptionError
from srgan_cli.training.distributed import ProcessGroup, distributed_context, process_group
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.run_folder import begin, checkpoints, load_state
from srgan_cli.training.schedule import resolve_stage
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.training.train_run import check, check_batch


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_together(processes: int, words: list[str]) -> None:
    """Python with these words in so many processes, as torchrun starts them."""
    port = str(free_port())
    started = [
        subprocess.Popen(
            [sys.executable, *words],
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


def train_in(processes: int, options: TrainOptions) -> None:
    """`srgan train` in so many processes."""
    begin(options)
    words = ["-m", "srgan_cli", "train", "--resume", "-o", str(options.out)]
    start_together(processes, words)


CANCELED = {"verdict.bias", "body.6.bias"}
"""All logits share the last bias, so its gradient is rounding alone, which Adam makes as large as
any; they nearly share the one before, where most inputs of the ReLU between have one sign."""


def apart(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> float:
    """The largest distance of two networks' tensors, relative to their norm."""
    names = one.keys() - CANCELED
    return max(float((one[n] - two[n]).norm() / one[n].norm()) for n in names)


@pytest.mark.parametrize(
    ("stages", "steps", "optimizer"),
    [("psnr", 4, "muon"), ("both", 10, "adam")],
)
def test_two_processes_make_the_weights_of_one(
    make, run, tmp_path, stages, steps, optimizer
) -> None:
    """Muon makes small singular values large, and their rounding, which a discriminator magnifies
    once more: so the GAN stage follows one of Adam."""
    of_one_and_two(make, run, tmp_path, stages=stages, steps=steps, optimizer=optimizer)


def test_two_processes_make_one_vivid_end_of_a_given_network(make, run, tmp_path: Path) -> None:
    """From a network without BatchNorms, which on a CPU go by each process's own patches."""
    run(make(out=tmp_path / "begun", steps=3))
    begun = tmp_path / "begun" / "psnr.safetensors"
    given = {"recipe": "steady", "blocks": None, "stages": "gan", "start": begun, "steps": 6}
    of_one_and_two(make, run, tmp_path, **given)


def test_two_processes_learn_from_a_teacher_alike(make, run, tmp_path: Path) -> None:
    run(make(out=tmp_path / "teacher", seed=1, steps=3))
    teacher = tmp_path / "teacher" / "psnr.safetensors"
    of_one_and_two(make, run, tmp_path, stages="psnr", teachers=(teacher,), steps=4)


def of_one_and_two(make, run, folder: Path, **changes: Any) -> None:
    """Train in this process and in two, and compare what came of it."""
    runs = [make(out=folder / f"of-{n}", batch_size=4, accumulate=2, **changes) for n in (1, 2)]
    run(runs[0])
    train_in(2, runs[1])
    states = [load_state(checkpoints(options.out)[-1]) for options in runs]
    assert states[0].step == states[1].step
    one, two = (state.networks for state in states)
    assert apart(one["generator"], two["generator"]) < 1e-3
    if changes["stages"] != "psnr":
        assert apart(one["discriminator"], two["discriminator"]) < 1e-3


GRADIENTS = """
import sys, torch
from torch import nn
from srgan_cli.training.distributed import ProcessGroup, distributed_context, unwrap
from srgan_cli.training.losses import RelativisticAverageGan

def gradients(here):
    torch.manual_seed(0)
    cpu = torch.device("cpu")
    judge = here.wrap(nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1)), cpu)
    maker = here.wrap(nn.Linear(5, 5), cpu)
    part = slice(here.rank * 4 // here.world_size, (here.rank + 1) * 4 // here.world_size)
    real, noise = torch.randn(4, 5)[part], torch.randn(4, 5)[part]
    made = maker(noise)
    verdict = judge(real)
    RelativisticAverageGan().discriminator(verdict, judge(made.detach())).backward()
    unwrap(judge).requires_grad_(False)
    RelativisticAverageGan().generator(verdict.detach(), unwrap(judge)(made)).backward()
    return [p.grad for n in (judge, maker) for p in unwrap(n).parameters() if p.grad is not None]

with distributed_context(torch.device("cpu")) as here:
    torch.save(gradients(here), f"{sys.argv[1]}-{here.rank}-of-{here.world_size}.pt")
"""


def test_relativistic_gradients_reach_all_processes(tmp_path: Path) -> None:
    """Exactly: no optimizer stands between, that would make rounding large."""
    script = tmp_path / "gradients.py"
    script.write_text(GRADIENTS)
    for processes in (1, 2):
        start_together(processes, [str(script), str(tmp_path / "g")])
    whole, first, second = (
        torch.load(tmp_path / f"g-{name}.pt", weights_only=True)
        for name in ("0-of-1", "0-of-2", "1-of-2")
    )
    for gradients in zip(whole, first, second, strict=True):
        torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(gradients[2], gradients[0], rtol=1e-4, atol=1e-6)


def test_a_batch_must_divide_among_the_processes(make) -> None:
    options = make(batch_size=3)
    assert ProcessGroup(1, 2).is_main_process is False

    with pytest.raises(OptionError, match="--batch-size 3 cannot be divided among 2 processes"):
        check_batch(resolve_stage(options, RECIPES["clean"].stages[0]), ProcessGroup(0, 2))


def test_a_batch_is_checked_before_a_run_is_made(make, monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(OptionError, match="--batch-size 3 cannot be divided among 2 processes"):
        check(make(batch_size=3))


@pytest.mark.parametrize(
    "variables",
    [
        {"WORLD_SIZE": "2"},
        {"WORLD_SIZE": "2", "RANK": "2"},
        {"WORLD_SIZE": "x", "RANK": "0"},
        {"WORLD_SIZE": "2", "RANK": "0"},
    ],
    ids=["no rank", "rank too large", "no number", "no address"],
)
def test_variables_that_torchrun_would_not_set_are_one_error(monkeypatch, variables) -> None:
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(OptionError, match=r"torchrun.*unset RANK and WORLD_SIZE"),
        distributed_context(torch.device("cpu")),
    ):
        pass


def test_without_several_processes_a_rank_means_nothing(monkeypatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("RANK", "1")
    assert process_group() == ProcessGroup(0, 1)

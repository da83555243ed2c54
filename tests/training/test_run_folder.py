"""Checkpoints are read as weights files are: without trusting them."""

import io
import os
import zipfile
from pathlib import Path

import pytest
import torch

from srgan_cli.errors import OptionError, TrainingError
from srgan_cli.training import run_folder
from srgan_cli.training.run_folder import (
    TrainingState,
    begin,
    checkpoints,
    load_state,
    read_options,
    save_state,
)
from srgan_cli.weights.tensor_files import MAX_FILE, write_torch_file


def saved(folder: Path, **changes: object) -> Path:
    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    networks = {"generator": layer.state_dict(), "optimizer": optimizer.state_dict()}
    state = TrainingState("psnr", 3, networks, layer.state_dict(), 1.0, 2.5, 0, torch.zeros(4))
    path = save_state(state, folder)
    if changes:
        with path.open("wb") as file:
            write_torch_file(vars(state) | changes, file)
    return path


def test_what_was_saved_is_loaded(tmp_path) -> None:
    path = saved(tmp_path)
    plain, state = torch.load(path, weights_only=True), load_state(path)
    assert (state.step, state.best, state.seconds) == (3, 1.0, 2.5)
    assert (
        state.networks["optimizer"]["param_groups"]
        == (plain["networks"]["optimizer"]["param_groups"])
    )
    moments = state.networks["optimizer"]["state"][0]["exp_avg"]
    assert torch.equal(moments, plain["networks"]["optimizer"]["state"][0]["exp_avg"])


@pytest.mark.parametrize(
    "changes",
    [{"step": "3"}, {"networks": [1]}, {"rng": 0}, {"unknown": 1}, {"best": None}, {"step": -1}],
)
def test_values_of_another_type_are_refused(tmp_path, changes) -> None:
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        load_state(saved(tmp_path, **changes))


def test_a_run_that_failed_before_its_first_step_is_begun_again(make) -> None:
    begin(make(steps=3))
    begin(make(steps=4))
    assert read_options(make().out).steps == 4


@pytest.mark.parametrize("name", ["log.jsonl", "psnr.safetensors", "checkpoint-psnr-00000001.pt"])
def test_a_run_that_has_trained_is_not_begun_again(make, name) -> None:
    begin(make())
    (make().out / name).write_bytes(b"")
    with pytest.raises(OptionError, match="holds a run already"):
        begin(make(steps=4))


def test_weights_that_a_gan_stage_only_starts_from_are_no_result(make, tmp_path) -> None:
    options = make(stages="gan", start=tmp_path / "start.safetensors")
    begin(options)
    (options.out / "psnr.safetensors").write_bytes(b"")
    begin(options)
    (options.out / "gan.safetensors").write_bytes(b"")
    with pytest.raises(OptionError, match="holds a run already"):
        begin(options)


def test_other_names_are_no_checkpoints(tmp_path) -> None:
    for name in ("checkpoint-x.pt", "checkpoint-psnr-.pt", "checkpoint-psnr-1e9.pt"):
        (tmp_path / name).write_bytes(b"")
    assert checkpoints(tmp_path) == []
    assert checkpoints(saved(tmp_path).parent) == [tmp_path / "checkpoint-psnr-00000003.pt"]


def test_checkpoints_may_be_larger_than_weights_files(tmp_path, monkeypatch) -> None:
    """Two networks and their optimizers: of RRDB with 70 blocks more than 1 GiB."""
    assert run_folder.MAX_CHECKPOINT >= 16 * MAX_FILE
    path = saved(tmp_path)
    monkeypatch.setattr(run_folder, "MAX_CHECKPOINT", path.stat().st_size)
    load_state(path)
    monkeypatch.setattr(run_folder, "MAX_CHECKPOINT", path.stat().st_size - 1)
    with pytest.raises(TrainingError, match="too large"):
        load_state(path)


def test_pipes_code_and_nothing_are_refused(tmp_path) -> None:
    os.mkfifo(tmp_path / "checkpoint-psnr-00000001.pt")
    program = io.BytesIO()
    with zipfile.ZipFile(program, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02cos\nsystem\nX\4\0\0\0true\x85R.")
    (tmp_path / "code.pt").write_bytes(program.getvalue())
    for name in ("checkpoint-psnr-00000001.pt", "code.pt", "missing.pt"):
        with pytest.raises(TrainingError, match="not a readable checkpoint"):
            load_state(tmp_path / name)

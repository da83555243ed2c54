"""Batches whose low pictures the device makes: the same for the same number, in any run."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_helpers import Listener, StopAfter, last_state, same

from srgan_cli.training.builder import Job, build_trainer
from srgan_cli.training.checkpoint import checkpoints, load_state
from srgan_cli.training.data import Loading, load_batches, load_data
from srgan_cli.training.dataset import Cache, at_least, load_photographs
from srgan_cli.training.distributed import World
from srgan_cli.training.high_batches import HighBatches, with_lows
from srgan_cli.training.patches import Batches, Cut, MadePairs, bicubic_low
from srgan_cli.training.progress import Watcher
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.training.trainer import Interrupted
from srgan_cli.training.treatments import only_shrunk, spoiled

CPU = torch.device("cpu")


@pytest.fixture
def patches(photos: Path, tmp_path: Path) -> MadePairs:
    cache = Cache(tmp_path / "c.bytes")
    photographs, _ = load_photographs(sorted(photos.iterdir()), cache, at_least(1), [])
    return MadePairs(photographs, Cut(patch=16, scale=2, shrink=0.5), bicubic_low)


def test_a_batch_is_a_function_of_its_number(patches) -> None:
    batches = HighBatches(patches, spoiled, seed=1, places=range(6))
    pairs = [with_lows(batches[number], patches.cut, CPU) for number in (4, 5, 4)]
    assert all(torch.equal(pairs[0][name], pairs[2][name]) for name in ("low", "high"))
    assert not torch.equal(pairs[0]["low"], pairs[1]["low"])
    assert pairs[0]["low"].shape == (6, 3, 8, 8)
    other = HighBatches(patches, spoiled, seed=2, places=range(6))[4]
    assert not torch.equal(with_lows(other, patches.cut, CPU)["low"], pairs[0]["low"])


def test_the_patches_are_those_of_the_other_way(patches) -> None:
    ours = HighBatches(patches, only_shrunk, seed=3, places=range(4, 8))
    theirs = Batches(patches, 8, seed=3, rank=1, world=2)
    for number in range(5):
        pair = with_lows(ours[number], patches.cut, CPU)
        assert torch.equal(pair["high"], theirs[number]["high"])
        assert (pair["low"].int() - theirs[number]["low"]).abs().max() <= 1


def test_workers_deliver_the_same_batches(patches) -> None:
    batches = HighBatches(patches, spoiled, seed=1, places=range(4))
    ways = [load_batches(batches, 3, Loading(workers)) for workers in (0, 2)]
    for _ in range(4):
        alone, helped = (with_lows(next(way), patches.cut, CPU) for way in ways)
        assert torch.equal(alone["low"], helped["low"])


Trained = Callable[[TrainOptions, Watcher], None]


@pytest.fixture
def at_once() -> Trained:
    """One stage on the CPU, with low pictures as a GPU makes them, from the newest checkpoint."""

    def trained(options: TrainOptions, watcher: Watcher) -> None:
        options.out.mkdir(exist_ok=True)
        recipe = RECIPES[options.recipe]
        data = load_data(options, recipe)
        job = Job(options, recipe, data, [], CPU, World(), watcher, "", at_once=True)
        trainer = build_trainer(job, job.stages[0])
        for saved in checkpoints(options.out)[-1:]:
            trainer.restore(load_state(saved))
        trainer.train()

    return trained


def test_a_stopped_run_goes_on_as_if_nothing_had_happened(make, at_once, tmp_path) -> None:
    whole = make(recipe="photo", steps=3, batch_size=4)
    at_once(whole, Listener())
    stopped = replace(whole, out=tmp_path / "stopped")
    with pytest.raises(Interrupted):
        at_once(stopped, StopAfter("psnr", 1))
    assert load_state(checkpoints(stopped.out)[-1]).step == 1
    at_once(stopped, Listener())
    assert same(last_state(stopped), last_state(whole))


def test_a_run_on_a_cpu_makes_its_low_pictures_one_by_one(make, run, at_once, tmp_path) -> None:
    usual = make(recipe="photo", steps=2, batch_size=6)
    run(usual)
    forced = replace(usual, out=tmp_path / "forced")
    at_once(forced, Listener())
    assert not same(last_state(usual), last_state(forced))


def test_a_gpu_makes_low_pictures_unless_they_are_given(make) -> None:
    options = make()
    data = load_data(options, RECIPES["clean"])
    job = Job(options, RECIPES["clean"], data, [], torch.device("cuda"), World(), Listener(), "")
    assert job.makes_lows
    assert not replace(job, device=CPU).makes_lows
    given = replace(data, training=replace(data.training, low=data.training.high))
    assert not replace(job, data=given).makes_lows

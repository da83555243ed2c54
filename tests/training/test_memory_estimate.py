"""The memory of a step, and what is suggested where it does not suffice."""

import pytest
import torch

from srgan_cli.errors import DeviceError
from srgan_cli.networks import GENERATORS
from srgan_cli.training.callbacks import NoCallback, Progress
from srgan_cli.training.memory_estimate import (
    SHARE,
    MemoryEstimate,
    MemoryRequest,
    memory_hint,
    saved_tensor_bytes,
    stage_memory,
)
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.schedule import chosen_stages
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.training.train_run import check, train


class OutOfMemory(NoCallback):
    """Fails as a GPU does."""

    def progress(self, now: Progress) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")


def needs(options: TrainOptions) -> MemoryEstimate:
    (stage,) = chosen_stages(options, RECIPES[options.recipe])
    return stage_memory(options, stage, [], torch.device("cpu"))


@pytest.mark.parametrize(("fitting", "expected"), [(7, (6, 4)), (5, (4, 6)), (1, (1, 24))])
def test_too_little_memory_suggests_the_batch_that_fits(make, fitting, expected) -> None:
    options = make(batch_size=12, accumulate=2)
    options.out.mkdir()
    limit = needs(options).of(fitting) / SHARE + 1
    wanted = "--batch-size {} --accumulate {} makes".format(*expected)
    with pytest.raises(DeviceError, match=wanted):
        train(options, check(options), OutOfMemory(), "", memory=lambda device: limit)


def test_where_a_device_does_not_tell_its_memory_half_the_batch_is_suggested(make) -> None:
    options = make(batch_size=4, accumulate=2)
    options.out.mkdir()
    with pytest.raises(DeviceError, match="--batch-size 2 --accumulate 4"):
        train(options, check(options), OutOfMemory(), "")


@pytest.mark.parametrize(("share", "side"), [(0.3, 68), (0.26, 64), (0.1, 40), (2.0, 64)])
def test_where_not_even_one_patch_fits_a_smaller_one_is_suggested(share, side) -> None:
    """What it keeps grows with its area; 128 pixels become the next multiple of 4 below."""
    what = MemoryRequest(torch.device("cuda"), size=1, accumulate=2, side=128, scale=4)
    line = memory_hint(what, MemoryEstimate(fixed=1e9, sample=8e9), (1e9 + share * 8e9) / SHARE)
    assert line.endswith(f"for one patch: take a smaller --patch, {side}")


def test_no_patch_is_suggested_that_is_too_small_to_train_on() -> None:
    what = MemoryRequest(torch.device("cuda"), size=1, accumulate=1, side=32, scale=4)
    line = memory_hint(what, MemoryEstimate(fixed=1e9, sample=8e9), 5e9 / SHARE)
    assert "--patch" not in line
    assert "fewer --blocks" in line


def test_networks_that_do_not_fit_need_another_device() -> None:
    what = MemoryRequest(torch.device("cuda"), size=16, accumulate=1, side=128, scale=4)
    line = memory_hint(what, MemoryEstimate(fixed=3e9, sample=1e9), available=2e9)
    assert "the networks alone take 3.0 GB" in line
    assert line.endswith("another --device")


def test_each_process_has_a_device_for_its_part_of_the_batch() -> None:
    what = MemoryRequest(
        torch.device("cuda"), size=24, accumulate=1, side=128, scale=4, processes=2
    )
    line = memory_hint(what, MemoryEstimate(fixed=1e9, sample=1e9), available=6e9 / SHARE)
    assert "--batch-size 8 --accumulate 3" in line  # 4 a device; 12 would be 6


def test_memory_is_counted_without_computing() -> None:
    network = GENERATORS["fast"](scale=2, blocks=1).to("meta")
    sizes = [
        saved_tensor_bytes(
            [network], lambda side=side: network(torch.zeros(1, 3, side, side, device="meta"))
        )
        for side in (16, 32)
    ]
    assert sizes[1] == pytest.approx(4 * sizes[0], rel=0.2)
    assert sizes[0] > 16 * 16 * 64 * 4 * 3  # three layers of 64 channels at least

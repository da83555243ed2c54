"""Warnings, advice, and what is fetched."""

import hashlib
from pathlib import Path

import pytest
import torch
from training_helpers import save_image

from srgan_cli.errors import DeviceError, WeightsError
from srgan_cli.networks import GENERATORS
from srgan_cli.training.callbacks import NoCallback, Progress
from srgan_cli.training.download import download
from srgan_cli.training.dry_run import describe_run
from srgan_cli.training.gan_monitor import GanMonitor
from srgan_cli.training.memory_estimate import (
    SHARE,
    MemoryEstimate,
    MemoryRequest,
    memory_hint,
    saved_tensor_bytes,
    stage_memory,
)
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.training.train_run import check, train


def follow(accuracy: float, steps: int = 2000) -> list[str]:
    monitor = GanMonitor()
    warnings = [monitor({"discriminator_accuracy": accuracy}) for _ in range(steps)]
    return [line for line in warnings if line is not None]


def test_a_discriminator_between_chance_and_certainty_is_not_warned_about() -> None:
    assert follow(0.7) == []
    assert follow(0.97) == []
    assert GanMonitor()({"pixel": 1.0}) is None


def test_a_discriminator_that_is_always_right_is_warned_about_once() -> None:
    (line,) = follow(1.0)
    assert "always right" in line


def test_a_discriminator_at_chance_is_warned_about_after_300_steps() -> None:
    (line,) = follow(0.5)
    assert "at chance" in line
    assert follow(0.5, steps=299) == []
    assert len(follow(0.5, steps=300)) == 1


class OutOfMemory(NoCallback):
    """Fails as a GPU does."""

    def progress(self, now: Progress) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")


def needs(options: TrainOptions) -> MemoryEstimate:
    (stage,) = RECIPES[options.recipe].chosen(options.stages)
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


def test_a_plan_says_it_all(make) -> None:
    options = make(stages="both", steps=1000)
    text = "\n".join(describe_run(options, check(options)))
    for expected in (
        "recipe clean",
        "images: 4 images can be used",
        "stage psnr: 800 steps of 2 patches, 16 pixels (8 low-resolution)",
        "stage gan: 200 steps",
        "l1 x 1 to the original, features before activation (l1) x 0.4 to the original, of",
        "conv2_2 x 0.5, conv3_1 x 1",
        "vanilla GAN x 0.01, real is the original",
        "discriminator: unet, ",
        "memory: about",
        "judged by",
    ):
        assert expected in text
    assert "color augmentation: 15% of the patches" in text
    assert not options.out.exists()


def test_a_plan_tells_of_color_augmentation_where_patches_are_made(make, tmp_path: Path) -> None:
    line = "color augmentation: 25% of the patches"
    assert line in [*describe_run(make(recipe="srresnet", stages="psnr"), [])]
    (tmp_path / "low").mkdir()
    given = make(recipe="srresnet", stages="psnr", low=tmp_path / "low")
    for seed in range(4):
        save_image(given.low / f"{seed}.png", seed, height=36, width=40)
    assert line not in [*describe_run(given, [])]


@pytest.fixture
def published(tmp_path: Path) -> str:
    data = b"weights" * 1000
    digest = hashlib.sha256(data).hexdigest()[:8]
    path = tmp_path / f"net-{digest}.pth"
    path.write_bytes(data)
    return path.as_uri()


def test_a_file_is_fetched_once(published: str, tmp_path: Path) -> None:
    target = download(published, tmp_path / "cache")
    assert target.read_bytes() == b"weights" * 1000
    Path(published.removeprefix("file://")).unlink()
    assert download(published, tmp_path / "cache") == target


def test_a_fetched_file_is_checked_at_each_use(published: str, tmp_path: Path) -> None:
    target = download(published, tmp_path / "cache")
    record = target.with_name(f"{target.name}.sha256")
    assert record.read_text() == hashlib.sha256(b"weights" * 1000).hexdigest()
    target.write_bytes(b"w" + b"eights" * 1000)
    assert download(published, tmp_path / "cache").read_bytes() == b"weights" * 1000
    target.write_bytes(b"changed")
    Path(published.removeprefix("file://")).unlink()
    with pytest.raises(WeightsError, match="cannot be fetched"):
        download(published, tmp_path / "cache")


def test_a_file_of_an_older_version_gets_its_record(published: str, tmp_path: Path) -> None:
    target = download(published, tmp_path / "cache")
    record = target.with_name(f"{target.name}.sha256")
    before = record.read_text()
    record.unlink()
    Path(published.removeprefix("file://")).unlink()
    assert download(published, tmp_path / "cache") == target
    assert record.read_text() == before


def test_a_file_that_is_not_what_its_name_says_is_refused(published: str, tmp_path: Path) -> None:
    Path(published.removeprefix("file://")).write_bytes(b"something else")
    with pytest.raises(WeightsError, match="its SHA-256 is"):
        download(published, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_file_that_cannot_be_fetched_names_the_other_way(tmp_path: Path) -> None:
    missing = (tmp_path / "no-00000000.pth").as_uri()
    with pytest.raises(WeightsError, match="--vgg FILE"):
        download(missing, tmp_path / "cache")

"""The pictures of a run: found, checked, decoded, divided; and the batches made of them."""

import atexit
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from srgan_cli.errors import DatasetError
from srgan_cli.training.dataset import (
    Check,
    ImageSet,
    SkippedFile,
    find_images,
    min_side_check,
    validation_indices,
)
from srgan_cli.training.degradation import bicubic_downsample, degrade
from srgan_cli.training.image_cache import Cache, load_images
from srgan_cli.training.paired_images import LowResImages, all_checks, raise_for_bad_pairs
from srgan_cli.training.patches import (
    HALF,
    MARGIN,
    Cut,
    Downsampler,
    PairSampler,
    StoredPairs,
    SyntheticPairs,
)
from srgan_cli.training.pool import HIGH, LOW, TEACHER, PoolProgress, fill_pool, load_pool
from srgan_cli.training.recipes import Recipe, Stage
from srgan_cli.training.train_options import TrainOptions

Batch = TypeVar("Batch")

SMALLEST_JUDGED = 11
"""Pixels a side that SSIM needs inside the border."""


@dataclass(frozen=True)
class Source:
    """High pictures, and the low ones that belong to them, if they are given."""

    high: ImageSet
    low: ImageSet | None = None
    teacher: ImageSet | None = None

    def subset(self, numbers: list[int]) -> "Source":
        return Source(self.high.subset(numbers), self.low and self.low.subset(numbers))

    @property
    def changes(self) -> tuple[str, ...]:
        return tuple(one.changes for one in (self.high, self.low) if one and one.changes)


@dataclass(frozen=True)
class Data:
    """The pictures of a run."""

    training: Source
    validation: Source
    skipped: list[SkippedFile]
    changes: tuple[str, ...] = ()
    """How the images differ from those that an interrupted run had decoded."""


def patch_side(options: TrainOptions, stage: Stage) -> int:
    return options.patch or stage.patch * options.scale // 4


def batch_size(options: TrainOptions, stage: Stage) -> int:
    """Of all processes together."""
    return options.batch_size or stage.batch_size


def needed_side(options: TrainOptions, recipe: Recipe) -> int:
    """The shorter side that a picture must have to be trained on, in pixels."""
    stages = recipe.chosen(options.stages)
    margin = 0 if options.low else 2 * MARGIN * options.scale
    patch = max(patch_side(options, stage) for stage in stages)
    return max(patch + margin, judged_side(options))


def judged_side(options: TrainOptions) -> int:
    """The shorter side that a picture must have to be validated with, in pixels."""
    return 3 * options.scale + SMALLEST_JUDGED


def half_size_from(options: TrainOptions, recipe: Recipe) -> float:
    """The shorter side from which on patches are cut from a picture's half, too, in pixels."""
    if recipe.shrink >= HALF:
        return float("inf")
    stages = recipe.chosen(options.stages)
    return min(_cut(options, recipe, stage).padded for stage in stages) / HALF


def needed_check(options: TrainOptions, recipe: Recipe) -> Check:
    """What a picture to be trained on must pass."""
    check = min_side_check(needed_side(options, recipe))
    return (
        all_checks(check, LowResImages.of(options.low, options.scale).check)
        if options.low
        else check
    )


def no_progress(made: int, wanted: int) -> None:
    """Says nothing of how a pool is filled."""


def load_data(
    options: TrainOptions, recipe: Recipe, pool_progress: PoolProgress = no_progress
) -> Data:
    """The images to train and to validate with, decoded into RUN/cache; a pool is filled first."""
    data = _load_photographs(options, recipe)
    if options.pool is None:
        return data
    fill_pool(options, data.training.high, downsampler(recipe), pool_progress)
    side = max(patch_side(options, stage) for stage in recipe.chosen(options.stages))
    pool = load_pool(options, side)
    return replace(data, training=Source(pool[HIGH], pool[LOW], pool[TEACHER]))


def _load_photographs(options: TrainOptions, recipe: Recipe) -> Data:
    needed = needed_side(options, recipe)
    half_from = half_size_from(options, recipe)
    loaded, skipped = _loaded(options, options.folders, "training", needed, half_from)
    if options.val is None:
        apart = validation_indices(len(loaded.high))
        rest = [i for i in range(len(loaded.high)) if i not in set(apart)] or apart
        return Data(loaded.subset(rest), loaded.subset(apart), skipped, loaded.changes)
    validation, more = _loaded(options, (options.val,), "validation", judged_side(options))
    changes = (*loaded.changes, *validation.changes)
    return Data(loaded, validation, [*skipped, *more], changes)


def _loaded(
    options: TrainOptions,
    folders: Sequence[Path],
    name: str,
    smallest: int,
    half_from: float = float("inf"),
) -> tuple[Source, list[SkippedFile]]:
    paths, others = find_images(folders, exclude=options.out)
    cache = Cache(options.out / "cache" / f"{name}.bytes", options.cache)
    if options.low is not None:
        return _loaded_pairs(options, paths, cache, smallest), others
    images, skipped = load_images(paths, cache, min_side_check(smallest), [smallest], half_from)
    return Source(images), [*others, *skipped]


def _loaded_pairs(
    options: TrainOptions, paths: Sequence[Path], cache: Cache, smallest: int
) -> Source:
    """Raises DatasetError unless all of them are right."""
    assert options.low is not None
    low_res_images = LowResImages.of(options.low, options.scale)
    check = all_checks(min_side_check(smallest), low_res_images.check)
    check_key = [
        smallest,
        options.scale,
        sorted(str(path.absolute()) for path in low_res_images.names.values()),
    ]
    high, skipped = load_images(paths, cache, check, check_key)
    raise_for_bad_pairs(skipped)
    low_paths = [low_res_images.of_picture(Path(entry.path)) for entry in high.entries]
    low, _ = load_images(low_paths, cache.sibling("low"), min_side_check(1), [])
    _refuse_unequal(high, low, options.scale)
    return Source(high, low)


def _refuse_unequal(high: ImageSet, low: ImageSet, scale: int) -> None:
    """Pictures may have been changed since they were decoded."""
    if len(high) != len(low):
        raise DatasetError("a low picture has become unreadable since it was checked")
    for large, small in zip(high.entries, low.entries, strict=True):
        if (large.height, large.width) != (small.height * scale, small.width * scale):
            raise DatasetError(f"{small.path} is no longer 1/{scale} of {large.path}")


def pair_sampler(
    options: TrainOptions, recipe: Recipe, stage: Stage, source: Source
) -> PairSampler:
    """Where the samples of a stage come from."""
    if source.low is not None:
        augmentation = recipe.color_augmentation if options.pool is not None else 0.0
        cut = Cut(patch_side(options, stage), options.scale, color_augmentation=augmentation)
        return StoredPairs(source.low, source.high, cut, source.teacher)
    return synthetic_pairs(options, recipe, stage, source)


def synthetic_pairs(
    options: TrainOptions, recipe: Recipe, stage: Stage, source: Source
) -> SyntheticPairs:
    """Where they come from if no low pictures are given."""
    return SyntheticPairs(source.high, _cut(options, recipe, stage), downsampler(recipe))


def _cut(options: TrainOptions, recipe: Recipe, stage: Stage) -> Cut:
    return Cut(patch_side(options, stage), options.scale, recipe.shrink, recipe.color_augmentation)


def downsampler(recipe: Recipe) -> Downsampler:
    return degrade if recipe.degrade else bicubic_downsample


@dataclass(frozen=True)
class Loading:
    """How batches come to the training."""

    workers: int = 0
    pinned: bool = False
    """Whether they wait in memory that a GPU reads directly."""


def load_batches(batches: Dataset[Batch], first: int, loading: Loading) -> Iterator[Batch]:
    """Batch number `first` and all that follow."""
    if loading.workers:
        atexit.register(_leave_no_workers)
    loader = DataLoader(
        batches,
        batch_size=None,
        sampler=range(first, 2**62),
        num_workers=loading.workers,
        worker_init_fn=_quiet_worker,
        prefetch_factor=4 if loading.workers else None,
        pin_memory=loading.pinned,
        generator=torch.Generator(),  # so that the training's own random numbers stay untouched
    )
    return iter(loader)


def _leave_no_workers() -> None:
    """At exit Python would ask those that are left to end, and wait: they do not hear it."""
    for process in multiprocessing.active_children():
        process.kill()


def _quiet_worker(number: int) -> None:
    """Ctrl-C, and often SIGTERM, reach the whole group of processes; the main one decides."""
    torch.set_num_threads(1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

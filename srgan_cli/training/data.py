"""The images of a run: found, checked, decoded, split into training and validation; and batches."""

import atexit
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from srgan_cli.errors import DatasetError, ImageError, TrainingError
from srgan_cli.folders import create_folder
from srgan_cli.training.dataset import (
    CachedImage,
    ImageSet,
    SkippedFile,
    check_pair,
    find_training_files,
    min_side_check,
    validation_indices,
)
from srgan_cli.training.degradation import bicubic_downsample, degrade
from srgan_cli.training.distillation import HIGH, LOW, TEACHER, PoolProgress, fill_pool, load_pool
from srgan_cli.training.image_cache import CacheFile, load_images
from srgan_cli.training.image_checks import (
    LowResImages,
    all_checks,
    min_training_side,
    min_validation_side,
    raise_for_bad_pairs,
)
from srgan_cli.training.patches import (
    HALF,
    DownsampleFunction,
    GeneratedPairs,
    PairSampler,
    PatchOptions,
    StoredPairs,
)
from srgan_cli.training.recipes import Recipe
from srgan_cli.training.schedule import chosen_stages
from srgan_cli.training.stages import Stage
from srgan_cli.training.train_options import TrainOptions

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Source:
    """High-resolution images, and low-resolution and teacher images of the same order if given."""

    high_res: ImageSet
    low_res: ImageSet | None = None
    teacher: ImageSet | None = None

    def subset(self, numbers: list[int]) -> "Source":
        return Source(self.high_res.subset(numbers), self.low_res and self.low_res.subset(numbers))

    @property
    def changes(self) -> tuple[str, ...]:
        return tuple(one.changes for one in (self.high_res, self.low_res) if one and one.changes)


@dataclass(frozen=True)
class Data:
    """The images of a run."""

    training: Source
    validation: Source
    skipped: list[SkippedFile]
    changes: tuple[str, ...] = ()
    """How the images differ from those that an interrupted run had decoded."""


def min_side_for_half(options: TrainOptions, recipe: Recipe) -> float:
    """The shorter side of an image from which on patches are also cut from its half, in pixels."""
    if recipe.shrink >= HALF:
        return float("inf")
    stages = chosen_stages(options, recipe)
    return min(_patch_options(options, recipe, stage).padded_side for stage in stages) / HALF


def load_data(
    options: TrainOptions, recipe: Recipe, pool_progress: PoolProgress = lambda done, wanted: None
) -> Data:
    """Training and validation images, decoded into RUN/cache; a pool is filled first."""
    if options.pool is not None and options.teachers:
        create_folder(options.pool, DatasetError)  # before hours of decoding
    data = _load_photographs(options, recipe)
    if options.pool is None:
        return data
    images = data.training.high_res
    too_small = fill_pool(options, images, downsample_function(recipe), pool_progress)
    side = max(stage.patch for stage in chosen_stages(options, recipe))
    pool = load_pool(options, side)
    training = Source(pool[HIGH], pool[LOW], pool[TEACHER])
    return replace(data, training=training, skipped=[*data.skipped, *too_small])


def _load_photographs(options: TrainOptions, recipe: Recipe) -> Data:
    needed = min_training_side(options, recipe)
    half_from = min_side_for_half(options, recipe)
    loaded, skipped = _load(options, options.folders, "training", needed, half_from)
    if options.val is None:
        apart = validation_indices(len(loaded.high_res))
        rest = [i for i in range(len(loaded.high_res)) if i not in set(apart)] or apart
        return Data(loaded.subset(rest), loaded.subset(apart), skipped, loaded.changes)
    validation, more = _load(options, (options.val,), "validation", min_validation_side(options))
    changes = (*loaded.changes, *validation.changes)
    return Data(loaded, validation, [*skipped, *more], changes)


def _load(
    options: TrainOptions,
    folders: Sequence[Path],
    name: str,
    smallest: int,
    half_from: float = float("inf"),
) -> tuple[Source, list[SkippedFile]]:
    paths, others = find_training_files(folders, exclude=options.other_folders)
    cache = CacheFile(options.out / "cache" / f"{name}.bytes", options.cache)
    if options.low is not None:
        return _load_pairs(options, paths, cache, smallest), others
    images, skipped = load_images(paths, cache, min_side_check(smallest), [smallest], half_from)
    return Source(images), [*others, *skipped]


def _load_pairs(
    options: TrainOptions, paths: Sequence[Path], cache: CacheFile, smallest: int
) -> Source:
    """Raises DatasetError for any invalid pair."""
    assert options.low is not None
    low_res_images = LowResImages.from_folder(options.low, options.scale)
    check = all_checks(min_side_check(smallest), lambda path, image: low_res_images.find(path))
    names = sorted(str(path.absolute()) for path in low_res_images.names.values())
    high_res, skipped = load_images(paths, cache, check, [smallest, names])
    low_paths = [low_res_images.find(Path(entry.path)) for entry in high_res.entries]
    low_res, failed = load_images(low_paths, cache.sibling("low"), min_side_check(1), [])
    low_sizes = {entry.path: entry for entry in low_res.entries}
    pairs = [
        (large, low_sizes[str(path.absolute())])
        for large, path in zip(high_res.entries, low_paths, strict=True)
        if str(path.absolute()) in low_sizes
    ]
    raise_for_bad_pairs([*skipped, *failed, *_size_errors(pairs, options.scale)])
    return Source(high_res, low_res)


def _size_errors(
    pairs: Sequence[tuple[CachedImage, CachedImage]], scale: int
) -> Iterator[SkippedFile]:
    for large, small in pairs:
        try:
            check_pair(Path(large.path), large, Path(small.path), small, scale)
        except ImageError as error:
            yield SkippedFile(Path(large.path), str(error))


def pair_sampler(
    options: TrainOptions, recipe: Recipe, stage: Stage, source: Source
) -> PairSampler:
    """Samples the pairs of a stage."""
    if source.low_res is not None:
        patch_options = PatchOptions(stage.patch, options.scale)
        if options.pool is not None:
            patch_options = _with_colors(patch_options, recipe)
        return StoredPairs(source.low_res, source.high_res, patch_options, source.teacher)
    patch_options = _patch_options(options, recipe, stage)
    return GeneratedPairs(source.high_res, patch_options, downsample_function(recipe))


def _patch_options(options: TrainOptions, recipe: Recipe, stage: Stage) -> PatchOptions:
    """The int8 stage learns ranges of activations: its patches have the colors of photographs."""
    plain = PatchOptions(stage.patch, options.scale, recipe.shrink)
    return plain if stage.end == "int8" else _with_colors(plain, recipe)


def _with_colors(patch_options: PatchOptions, recipe: Recipe) -> PatchOptions:
    return replace(
        patch_options,
        color_augmentation=recipe.color_augmentation,
        color_blocks=recipe.color_blocks,
    )


def downsample_function(recipe: Recipe) -> DownsampleFunction:
    return degrade if recipe.degrade else bicubic_downsample


def load_batches(
    batches: Dataset[Batch], first: int, workers: int = 0, *, pinned: bool = False
) -> Iterator[Batch]:
    """Batch number `first` and all that follow. pinned: in pinned memory.

    Raises TrainingError for an image that can no longer be read.
    """
    if workers:
        atexit.register(_kill_workers)
    loader = DataLoader(
        _OrError(batches),
        batch_size=None,
        sampler=range(first, 2**62),
        num_workers=workers,
        worker_init_fn=_init_worker,
        prefetch_factor=4 if workers else None,
        pin_memory=pinned,
        generator=torch.Generator(),  # so that the training's own random numbers stay untouched
    )
    return _without_errors(iter(loader))


class _OrError(Dataset[Batch | TrainingError]):
    """A batch, or the error: DataLoader would raise one whose message is a traceback."""

    def __init__(self, batches: Dataset[Batch]) -> None:
        self.batches = batches

    def __getitem__(self, number: int) -> Batch | TrainingError:
        try:
            return self.batches[number]
        except (ImageError, OSError) as error:
            return TrainingError(f"{error}; go on with --resume")


def _without_errors(found: Iterator[Batch | TrainingError]) -> Iterator[Batch]:
    while True:
        try:
            batch = next(found)
        except (OSError, EOFError) as error:  # the batch of a worker that has died is on its way
            raise dead_worker_error(error) from error
        if isinstance(batch, TrainingError):
            raise batch
        yield batch


def worker_died(error: RuntimeError) -> bool:
    """Whether DataLoader raised it for a worker that ended by itself, or that the system ended."""
    return str(error).startswith("DataLoader worker (pid")


def dead_worker_error(error: Exception) -> TrainingError:
    """What to raise in place of an error that a worker's death has caused."""
    ignore_dead_workers()
    why = str(error).partition(". ")[0] or type(error).__name__
    return TrainingError(
        f"a process that cuts patches has died ({why}): memory may be short; go on with --resume"
    )


def _kill_workers() -> None:
    """Called at exit, where multiprocessing would wait for workers, which ignore signals."""
    ignore_dead_workers()
    for process in multiprocessing.active_children():
        process.kill()


def ignore_dead_workers() -> None:
    """DataLoader's handler raises an error wherever the program is, once for each of them."""
    if hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _init_worker(number: int) -> None:
    """Ignore Ctrl-C and SIGTERM, which the whole process group gets; the main process stops."""
    torch.set_num_threads(1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)

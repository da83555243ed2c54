"""Distillation: a network is trained on the outputs of better networks.

Hinton et al., "Distilling the Knowledge in a Neural Network", https://arxiv.org/abs/1503.02531.
Detail of the original that the low-resolution image does not determine is noise to a small network;
the teacher's output is a function of that image.

A pool holds crops that teachers upscale once, used by many runs: DIR/low, DIR/teacher and DIR/high
hold images of the same names; those in teacher and high are `scale` times as large as those in low.
Another program may make them as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from srgan_cli.device import pick_device, pick_precision
from srgan_cli.errors import DatasetError, ImageError, OptionError
from srgan_cli.folders import create_folder
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_header
from srgan_cli.images.write import write_image
from srgan_cli.networks.layers import ORIENTATIONS, upscale_rotated
from srgan_cli.training.dataset import ImageSet, min_side_check
from srgan_cli.training.image_cache import CacheFile, load_images
from srgan_cli.training.patches import (
    MARGIN,
    DownsampleFunction,
    GeneratedPairs,
    PatchOptions,
    crop_border,
)
from srgan_cli.training.stages import Stage
from srgan_cli.training.train_options import TEACHER_WEIGHT, TrainOptions
from srgan_cli.training.train_step import Numerics
from srgan_cli.weights.container import Weights
from srgan_cli.weights.loading import load_generator, load_weights


@dataclass(frozen=True, eq=False)
class TeacherEnsemble:
    """The mean output of networks, each in a random orientation: over many steps the mean of all
    eight, which is more accurate than any of them."""

    networks: Sequence[nn.Module]

    def __call__(self, low_res: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, sH, sW)."""
        outputs = [
            upscale_rotated(network, low_res, *draw_orientation()) for network in self.networks
        ]
        return torch.stack(outputs).mean(dim=0)


def draw_orientation() -> tuple[int, bool]:
    return ORIENTATIONS[int(torch.randint(len(ORIENTATIONS), ()))]


def effective_teacher_weight(options: TrainOptions, stage: Stage) -> float:
    """Share of the pixel loss whose target is the teachers' output, from 0 to 1. A GAN stage only
    uses those of a pool: running teachers at each step would cost more than the step."""
    if not options.has_teacher or (stage.end != "psnr" and options.pool is None):
        return 0.0
    return TEACHER_WEIGHT if options.teacher_weight is None else options.teacher_weight


def load_teachers(options: TrainOptions) -> list[Weights]:
    """Raises OptionError for a network of another scale, WeightsError for another file."""
    given = [load_weights(file) for file in options.teachers]
    for file, weights in zip(options.teachers, given, strict=True):
        if weights.metadata.scale != options.scale:
            raise OptionError(
                f"{file} enlarges by {weights.metadata.scale}: it cannot teach a network that "
                f"enlarges by {options.scale}"
            )
    return given


LOW, TEACHER, HIGH = FOLDERS = ("low", "teacher", "high")

SIDE = 96
"""Side of a low-resolution crop, in pixels."""

PoolProgress = Callable[[int, int], None]
"""Called with the number of crops done and wanted."""


@dataclass(frozen=True, eq=False)
class Teachers:
    """The mean output of several networks: (3, H, W) levels -> whole levels."""

    networks: Sequence[nn.Module]
    numerics: Numerics

    @torch.inference_mode()
    def __call__(self, low_res: Tensor) -> Tensor:
        image = (low_res[None] / 255).to(self.numerics.device)
        image = image.contiguous(memory_format=torch.channels_last)
        with self.numerics.autocast():
            outputs = [network(image).float().clamp(0, 1) for network in self.networks]
        return (torch.stack(outputs).mean(dim=0)[0] * 255).round().cpu()


def fill_pool(
    options: TrainOptions, images: ImageSet, downsample: DownsampleFunction, progress: PoolProgress
) -> None:
    """Make the missing crops from `images`. Crop i is a function of the seed and i, so an
    interrupted pool is continued.

    Raises DatasetError for photographs too small for a crop, and for an empty pool without a
    teacher.
    """
    assert options.pool is not None
    existing = len(pool_names(options.pool))
    if not existing and not options.teachers:
        raise DatasetError(f"{options.pool} holds no crops: name the --teacher that makes them")
    if existing >= options.pool_size or not options.teachers:
        return
    patch_options = PatchOptions(SIDE * options.scale, options.scale, shrink=0.25)
    if min(min(entry.height, entry.width) for entry in images.entries) < patch_options.padded_side:
        raise DatasetError(
            f"a --pool needs photographs of at least {patch_options.padded_side} pixels a side"
        )
    device = pick_device(options.device)
    numerics = Numerics(device, pick_precision(options.precision, device))
    networks = [load_generator(weights).to(device).eval() for weights in load_teachers(options)]
    teachers = Teachers(networks, numerics)
    pairs = GeneratedPairs(images, patch_options, downsample)
    for number in range(options.pool_size):
        name = f"{number:05d}.png"
        if not (options.pool / HIGH / name).exists():
            rng = np.random.default_rng([options.seed, number])
            _make_crop(pairs, teachers, rng, name, options)
            existing += 1
            progress(existing, options.pool_size)


def _make_crop(
    pairs: GeneratedPairs,
    teachers: Teachers,
    rng: np.random.Generator,
    name: str,
    options: TrainOptions,
) -> None:
    """The teacher sees the margin as well. The high-resolution crop is written last."""
    assert options.pool is not None
    high_res = pairs.draw_high_res(rng)
    low_res = pairs.downsample(high_res, options.scale, rng)
    margin = MARGIN * options.scale
    crops = {
        LOW: crop_border(low_res, MARGIN),
        TEACHER: crop_border(teachers(low_res), margin),
        HIGH: crop_border(high_res, margin),
    }
    for folder, crop in crops.items():
        path = options.pool / folder / name
        create_folder(path.parent, DatasetError)
        write_image(Image(crop.byte().permute(1, 2, 0).contiguous().numpy()), path)


def pool_names(pool: Path) -> list[str]:
    """Names of the images that are in all three folders, sorted."""
    found = [{path.name for path in (pool / folder).glob("*.*")} for folder in FOLDERS]
    return sorted(name for name in set.intersection(*found) if not name.startswith("."))


def load_pool(options: TrainOptions, smallest: int) -> dict[str, ImageSet]:
    """Folder -> images, decoded into RUN/cache: several runs read a pool at once. Raises
    DatasetError for a pool that is not whole, and for sizes that do not match, before anything is
    decoded.
    """
    pool, scale = options.pool, options.scale
    assert pool is not None
    names = pool_names(pool)
    for name in names:
        _check_sizes(pool, name, scale)
    loaded = {}
    for folder in FOLDERS:
        paths = [pool / folder / name for name in names]
        side = smallest if folder != LOW else smallest // scale
        cache = CacheFile(options.out / "cache" / f"pool-{folder}.bytes", options.cache / 3)
        loaded[folder], skipped = load_images(paths, cache, min_side_check(side), [side])
        if skipped:
            raise DatasetError(f"the pool is not whole: {skipped[0].line}")
    return loaded


def _check_sizes(pool: Path, name: str, scale: int) -> None:
    """Of one crop, by its files' headers."""
    try:
        headers = {folder: read_header(pool / folder / name) for folder in FOLDERS}
    except ImageError as error:
        raise DatasetError(f"the pool is not whole: {error}") from error
    low_res = headers[LOW]
    for folder in (TEACHER, HIGH):
        size = (headers[folder].height, headers[folder].width)
        if size != (low_res.height * scale, low_res.width * scale):
            raise DatasetError(
                f"{pool / folder / name} is not {scale} times as large as {pool / LOW / name}"
            )

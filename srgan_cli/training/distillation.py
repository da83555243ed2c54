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
from srgan_cli.training.dataset import ImageSet, SkippedFile, check_pair, min_side_check
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
    """The mean output of networks.

    random_orientation: each in a random one, over many steps the mean of all eight, which is more
    accurate than any of them.
    """

    networks: Sequence[nn.Module]
    random_orientation: bool = True

    def __call__(self, low_res: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 3, sH, sW) in 32 bits."""
        return torch.stack([self._output(each, low_res) for each in self.networks]).mean(dim=0)

    def _output(self, network: nn.Module, low_res: Tensor) -> Tensor:
        if self.random_orientation:
            return upscale_rotated(network, low_res, *draw_orientation()).float()
        output: Tensor = network(low_res)
        return output.float()


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


def pool_needs_crops(options: TrainOptions) -> bool:
    """Whether the teachers are to make any."""
    has_pool = options.pool is not None and bool(options.teachers)
    return has_pool and len(pool_names(options.pool)) < options.pool_size  # type: ignore[arg-type]


def indices_for_pool(sides: Sequence[int], options: TrainOptions) -> list[int]:
    """Which images crops can be cut from. sides: the shorter one of each, in pixels.

    Raises DatasetError if there is none.
    """
    needed = pool_side(options)
    if not sides or max(sides) < needed:
        raise DatasetError(f"a --pool needs a photograph of at least {needed} pixels a side")
    return [index for index, side in enumerate(sides) if side >= needed]


def pool_side(options: TrainOptions) -> int:
    """Side of a crop and its margin, in high-resolution pixels."""
    return _crop_options(options).padded_side


def _crop_options(options: TrainOptions) -> PatchOptions:
    return PatchOptions(SIDE * options.scale, options.scale, shrink=0.25)


def fill_pool(
    options: TrainOptions, images: ImageSet, downsample: DownsampleFunction, progress: PoolProgress
) -> list[SkippedFile]:
    """Make the missing crops from `images`. Crop i is a function of the seed and i, so an
    interrupted pool is continued.

    Returns the images that are too small. Raises DatasetError if all are, and for an empty pool
    without a teacher.
    """
    assert options.pool is not None
    existing = len(pool_names(options.pool))
    if not existing and not options.teachers:
        raise DatasetError(f"{options.pool} holds no crops: name the --teacher that makes them")
    if not pool_needs_crops(options):
        return []
    sides = [min(entry.height, entry.width) for entry in images.entries]
    large = images.subset(indices_for_pool(sides, options))
    pairs = GeneratedPairs(large, _crop_options(options), downsample)
    upscale = _pool_teachers(options)
    for number in range(options.pool_size):
        name = f"{number:05d}.png"
        if existing < options.pool_size and not (options.pool / HIGH / name).exists():
            rng = np.random.default_rng([options.seed, number])
            _make_crop(pairs, upscale, rng, options.pool, name)
            existing += 1
            progress(existing, options.pool_size)
    return _too_small(images, pool_side(options))


def _too_small(images: ImageSet, needed: int) -> list[SkippedFile]:
    return [
        SkippedFile(Path(entry.path), f"too small for the pool, whose crops need {needed} pixels")
        for entry in images.entries
        if min(entry.height, entry.width) < needed
    ]


def _pool_teachers(options: TrainOptions) -> Callable[[Tensor], Tensor]:
    """(3, H, W) levels -> whole levels."""
    device = pick_device(options.device)
    numerics = Numerics(device, pick_precision(options.precision, device))
    networks = [load_generator(weights).to(device).eval() for weights in load_teachers(options)]
    teachers = TeacherEnsemble(networks, random_orientation=False)

    @torch.inference_mode()
    def upscale(low_res: Tensor) -> Tensor:
        image = (low_res[None] / 255).to(device).contiguous(memory_format=torch.channels_last)
        with numerics.autocast():
            output = teachers(image)
        return (output[0].clamp(0, 1) * 255).round().cpu()

    return upscale


def _make_crop(
    pairs: GeneratedPairs,
    upscale: Callable[[Tensor], Tensor],
    rng: np.random.Generator,
    pool: Path,
    name: str,
) -> None:
    """The teacher sees the margin as well. The high-resolution crop is written last."""
    scale = pairs.options.scale
    high_res = pairs.draw_high_res(rng)
    low_res = pairs.downsample(high_res, scale, rng)
    crops = {
        LOW: crop_border(low_res, MARGIN),
        TEACHER: crop_border(upscale(low_res), MARGIN * scale),
        HIGH: crop_border(high_res, MARGIN * scale),
    }
    for folder, crop in crops.items():
        create_folder(pool / folder, DatasetError)
        pixels = crop.byte().permute(1, 2, 0).contiguous().numpy()
        write_image(Image(pixels), pool / folder / name)


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
        low_res, *large = (read_header(pool / folder / name) for folder in FOLDERS)
    except ImageError as error:
        raise DatasetError(f"the pool is not whole: {error}") from error
    try:
        for folder, image in zip((TEACHER, HIGH), large, strict=True):
            check_pair(pool / folder / name, image, pool / LOW / name, low_res, scale)
    except ImageError as error:
        raise DatasetError(f"a crop of the pool is not {scale} times as large: {error}") from error

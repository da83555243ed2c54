"""Pairs of low- and high-resolution patches, each a function of its number."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from srgan_cli.resample import resize_levels
from srgan_cli.training.dataset import ImageSet

MARGIN = 4
"""Low-resolution pixels around a patch that only the downsampling sees."""

HALF = 0.5
"""Patches that are shrunk by this factor or more are cut from the half-size image."""

MAX_SATURATION = 4.0
"""Largest factor of saturation: few photographs have strongly saturated colors."""

STRONG_SHARE = 0.7
"""Share of color blocks whose channels are all 0 or 255."""

CANDIDATES = 4
"""Random places of which one is chosen, with a probability by its detail."""


class _OriginalPair(TypedDict):
    low_res: Tensor
    """(B, 3, P / scale, P / scale) uint8; (3, ...) for one sample."""
    high_res: Tensor
    """(B, 3, P, P) uint8."""


class Pair(_OriginalPair, total=False):
    teacher: Tensor
    """(B, 3, P, P) uint8, the teacher's output for the low-resolution patch."""


PairSampler = Callable[[np.random.Generator], Pair]
"""One sample, a function of nothing but the random numbers."""

DownsampleFunction = Callable[[Tensor, int, np.random.Generator], Tensor]
"""(3, H, W) levels from 0 to 255, H and W multiples of the scale -> the low-resolution image's
levels.
"""


class Batches(Dataset[Pair]):
    """Batch number i is a function of seed and i alone, so that runs can be resumed.

    Process `rank` of `world_size` gets its part of each batch.
    """

    def __init__(
        self, sampler: PairSampler, batch_size: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> None:
        self.sampler, self.seed = sampler, seed
        self.indices = process_slice(batch_size, rank, world_size)

    def __getitem__(self, number: int) -> Pair:
        pairs = [self.sampler(np.random.default_rng([self.seed, number, i])) for i in self.indices]
        batch: Pair = {
            "low_res": torch.stack([pair["low_res"] for pair in pairs]),
            "high_res": torch.stack([pair["high_res"] for pair in pairs]),
        }
        if "teacher" in pairs[0]:
            batch["teacher"] = torch.stack([pair["teacher"] for pair in pairs])
        return batch


def process_slice(batch_size: int, rank: int, world_size: int) -> range:
    """Indices of the samples of process `rank` in each batch."""
    part = batch_size // world_size
    return range(rank * part, (rank + 1) * part)


@dataclass(frozen=True)
class PatchOptions:
    """Size and augmentation of patches; sides in high-resolution pixels."""

    patch: int
    scale: int
    shrink: float = 1.0
    """Photographs are shrunk by a random factor between this and 1 before a patch is cut."""
    color_augmentation: float = 0.0
    """The share of patches whose colors are changed, see ColorChange."""
    color_blocks: float = 0.0
    """The share of patches that get a block of one color, see `ColorBlock`."""

    @property
    def padded_side(self) -> int:
        """The side of a patch and its margin."""
        return self.patch + 2 * MARGIN * self.scale

    def crop_margin(self, low_res: Tensor, high_res: Tensor) -> Pair:
        """A uint8 pair without its margin."""
        return {
            "low_res": crop_border(low_res, MARGIN).byte(),
            "high_res": crop_border(high_res, MARGIN * self.scale).byte(),
        }


@dataclass(frozen=True)
class GeneratedPairs:
    """Patches of photographs, and low-resolution ones made by `downsample`."""

    images: ImageSet
    options: PatchOptions
    downsample: DownsampleFunction

    def __call__(self, rng: np.random.Generator) -> Pair:
        high_res = self.draw_high_res(rng)
        return self.options.crop_margin(
            self.downsample(high_res, self.options.scale, rng), high_res
        )

    def draw_high_res(self, rng: np.random.Generator) -> Tensor:
        """(3, S, S) levels, with the margin."""
        # rotated after shrinking, which is cheaper: the filter is symmetric
        planes = random_orientation(self._downscaled(self._region(rng)), rng)
        change = draw_color_change(self.options.color_augmentation, rng)
        changed = planes if change is None else change(planes)
        block = draw_color_block(planes.shape[-1], self.options.color_blocks, rng)
        return changed if block is None else block(changed)

    def _downscaled(self, region: np.ndarray) -> Tensor:
        padded = self.options.padded_side
        if len(region) == padded:
            return as_planes(region)
        return round_levels(resize_levels(region, padded, padded))

    def _region(self, rng: np.random.Generator) -> np.ndarray:
        """(side, side, 3): the patch before it is shrunk, from an image or its half."""
        padded = self.options.padded_side
        number = self.images.draw(rng)
        image = self.images[number]
        largest_side = min(int(padded / self.options.shrink), *image.shape[:2])
        shrink = float((padded / largest_side) ** rng.random())  # each halving as likely
        half = self.images.half(number) if shrink <= HALF else None
        if half is not None:
            image, shrink = half, shrink / HALF
        side = min(round(padded / shrink), *image.shape[:2])
        top, left = pick_detailed_crop(image, side, rng)
        return image[top : top + side, left : left + side]


@dataclass(frozen=True)
class StoredPairs:
    """Patches of given low- and high-resolution images, and of a teacher's if there are any."""

    low_res: ImageSet
    high_res: ImageSet
    options: PatchOptions
    teacher: ImageSet | None = None

    def __call__(self, rng: np.random.Generator) -> Pair:
        number = self.high_res.draw(rng)
        low_res = self.low_res[number]
        side, scale = self.options.patch // self.options.scale, self.options.scale
        top, left = pick_detailed_crop(low_res, side, rng)
        rotations, flip = int(rng.integers(4)), bool(rng.integers(2))
        change = draw_color_change(self.options.color_augmentation, rng)
        block = draw_color_block(side, self.options.color_blocks, rng)

        def patch(image: np.ndarray, scale: int) -> Tensor:
            y, x, length = top * scale, left * scale, side * scale
            region = _orient(as_planes(image[y : y + length, x : x + length]), rotations, flip)
            changed = region if change is None else change(region)
            return (changed if block is None else block(changed, scale)).byte()

        pair: Pair = {"low_res": patch(low_res, 1), "high_res": patch(self.high_res[number], scale)}
        if self.teacher is not None:
            pair["teacher"] = patch(self.teacher[number], scale)
        return pair


def random_orientation(planes: Tensor, rng: np.random.Generator) -> Tensor:
    """(C, P, P) in one of eight orientations."""
    return _orient(planes, int(rng.integers(4)), bool(rng.integers(2)))


def _orient(planes: Tensor, rotations: int, flip: bool) -> Tensor:
    result = np.rot90(planes.numpy(), rotations, axes=(1, 2))
    return torch.from_numpy(np.ascontiguousarray(result[..., ::-1] if flip else result))


@dataclass(frozen=True)
class ColorChange:
    """Permuted channels, and saturation up to MAX_SATURATION times as high."""

    channels: tuple[int, ...]
    saturation: float

    def __call__(self, planes: Tensor) -> Tensor:
        """(3, P, P) levels -> (3, P, P) whole levels."""
        gray = planes.mean(dim=0, keepdim=True)
        return round_levels(gray + self.saturation * (planes[list(self.channels)] - gray))


def draw_color_change(share: float, rng: np.random.Generator) -> ColorChange | None:
    """A random change with probability `share`, else None."""
    if not share or rng.random() >= share:
        return None
    saturation = float(MAX_SATURATION ** rng.random())
    return ColorChange(tuple(int(n) for n in rng.permutation(3)), saturation)


@dataclass(frozen=True)
class ColorBlock:
    """A rectangle of one color, in pixels.

    BatchNorm distorts plain strong colors, which photographs hardly have, unless it meets them;
    teachers distort plain colors as well.
    """

    top: int
    left: int
    height: int
    width: int
    color: tuple[int, int, int]
    """From 0 to 255."""

    def __call__(self, planes: Tensor, scale: int = 1) -> Tensor:
        """A copy of (3, P, P) levels with the block, `scale` times as large."""
        changed = planes.clone()
        rows, columns = (
            slice(start * scale, (start + length) * scale)
            for start, length in ((self.top, self.height), (self.left, self.width))
        )
        changed[:, rows, columns] = torch.tensor(self.color).to(planes).view(3, 1, 1)
        return changed


def draw_color_block(side: int, share: float, rng: np.random.Generator) -> ColorBlock | None:
    """A random block, often of a strong color, with probability `share`, else None.

    side: of the patch, in pixels.
    """
    if not share or rng.random() >= share:
        return None
    height, width = map(int, rng.integers(side // 4, side, size=2))
    top, left = int(rng.integers(side - height)), int(rng.integers(side - width))
    strong = 255 * rng.integers(2, size=3)
    color = strong if rng.random() < STRONG_SHARE else rng.integers(256, size=3)
    red, green, blue = map(int, color)
    return ColorBlock(top, left, height, width, (red, green, blue))


def pick_detailed_crop(image: np.ndarray, side: int, rng: np.random.Generator) -> tuple[int, int]:
    """Top and left of a random square; more likely where there is more detail."""
    height, width = image.shape[:2]
    tops = rng.integers(height - side + 1, size=CANDIDATES)
    lefts = rng.integers(width - side + 1, size=CANDIDATES)
    details = np.array(
        [
            detail(image[top : top + side, left : left + side])
            for top, left in zip(tops, lefts, strict=True)
        ]
    )
    chosen = rng.choice(CANDIDATES, p=details / details.sum())
    return int(tops[chosen]), int(lefts[chosen])


def detail(region: np.ndarray) -> float:
    """Mean absolute difference of horizontal neighbors in green, above 0."""
    green = cv2.extractChannel(region[::3], 1)
    left, right = green[:, :-1], green[:, 1:]
    return float(cv2.norm(left, right, cv2.NORM_L1)) / left.size + 0.1


def as_planes(pixels: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> (3, H, W) float levels from 0 to 255."""
    return torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)


def round_levels(levels: Tensor) -> Tensor:
    return levels.round().clamp_(0, 255)


def crop_border(image: Tensor, margin: int) -> Tensor:
    return image[..., margin:-margin, margin:-margin]

"""Pairs of patches, low and high, cut from photographs: endless, each a function of its number."""

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
"""Low-resolution pixels around a patch that its shrinking sees and the network does not."""

HALF = 0.5
"""Patches that are shrunk to this or less of their size are cut from a picture's half."""

STRENGTH = 4.0
"""Of colours, at most: photographs have few as strong as light of one colour makes them."""

CANDIDATES = 4
"""Places looked at before one is cut; the more detail, the more likely."""


class _OriginalPair(TypedDict):
    low: Tensor
    """(B, 3, P / scale, P / scale) uint8: quick to hand over; of one sample without the B."""
    high: Tensor
    """(B, 3, P, P) uint8."""


class Pair(_OriginalPair, total=False):
    teacher: Tensor
    """(B, 3, P, P) uint8, what a teacher makes of the low-resolution patch."""


PairSampler = Callable[[np.random.Generator], Pair]
"""One sample, a function of nothing but the random numbers."""

Downsampler = Callable[[Tensor, int, np.random.Generator], Tensor]
"""(3, H, W) levels from 0 to 255, H and W multiples of the scale -> the low picture's levels."""


class Batches(Dataset[Pair]):
    """Batch number i, the same whoever asks for it and whenever: what makes a run resumable.

    Process number `rank` of `world` gets its part of each batch.
    """

    def __init__(
        self, cut: PairSampler, batch_size: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> None:
        self.cut, self.seed = cut, seed
        self.places = process_slice(batch_size, rank, world_size)

    def __getitem__(self, number: int) -> Pair:
        pairs = [self.cut(np.random.default_rng([self.seed, number, i])) for i in self.places]
        batch: Pair = {
            "low": torch.stack([pair["low"] for pair in pairs]),
            "high": torch.stack([pair["high"] for pair in pairs]),
        }
        if "teacher" in pairs[0]:
            batch["teacher"] = torch.stack([pair["teacher"] for pair in pairs])
        return batch


def process_slice(batch_size: int, rank: int, world_size: int) -> range:
    """Of the samples that process `rank` of `world` makes of each batch."""
    part = batch_size // world_size
    return range(rank * part, (rank + 1) * part)


@dataclass(frozen=True)
class Cut:
    """How large patches are: sides in high-resolution pixels."""

    patch: int
    scale: int
    shrink: float = 1.0
    """Photographs are shrunk by a random factor between this and 1 before a patch is cut."""
    color_augmentation: float = 0.0
    """The share of patches whose colors are changed, see ColorChange."""

    @property
    def padded(self) -> int:
        """The side of a patch and its margin."""
        return self.patch + 2 * MARGIN * self.scale

    def inside(self, low: Tensor, high: Tensor) -> Pair:
        """A pair without its margin, from whole levels."""
        return {
            "low": inner(low, MARGIN).byte(),
            "high": inner(high, MARGIN * self.scale).byte(),
        }


@dataclass(frozen=True)
class SyntheticPairs:
    """Patches of photographs, and the low ones that `shrinker` makes of them."""

    images: ImageSet
    cut: Cut
    downsampler: Downsampler

    def __call__(self, rng: np.random.Generator) -> Pair:
        high = self.high(rng)
        return self.cut.inside(self.downsampler(high, self.cut.scale, rng), high)

    def high(self, rng: np.random.Generator) -> Tensor:
        """(3, S, S) levels, with the margin."""
        # laid after it is shrunk, when there is less to move: the filter is symmetric
        planes = random_orientation(self._downscaled(self._region(rng)), rng)
        change = draw_color_change(self.cut.color_augmentation, rng)
        return planes if change is None else change(planes)

    def _downscaled(self, region: np.ndarray) -> Tensor:
        padded = self.cut.padded
        if len(region) == padded:
            return as_planes(region)
        return round_levels(resize_levels(region, padded, padded))

    def _region(self, rng: np.random.Generator) -> np.ndarray:
        """(side, side, 3), the patch before it is shrunk, out of a picture or of its half."""
        padded = self.cut.padded
        number = self.images.draw(rng)
        image = self.images[number]
        largest_side = min(int(padded / self.cut.shrink), *image.shape[:2])
        shrink = float((padded / largest_side) ** rng.random())  # each halving as likely
        half = self.images.half(number) if shrink <= HALF else None
        if half is not None:
            image, shrink = half, shrink / HALF
        side = min(round(padded / shrink), *image.shape[:2])
        top, left = detailed_crop(image, side, rng)
        return image[top : top + side, left : left + side]


@dataclass(frozen=True)
class StoredPairs:
    """Patches of images that belong together, in the same order: low and high-resolution ones, and
    a teacher's, if there are any."""

    low: ImageSet
    high: ImageSet
    cut: Cut
    teacher: ImageSet | None = None

    def __call__(self, rng: np.random.Generator) -> Pair:
        number = self.high.draw(rng)
        low = self.low[number]
        side, scale = self.cut.patch // self.cut.scale, self.cut.scale
        top, left = detailed_crop(low, side, rng)
        rotations, flip = int(rng.integers(4)), bool(rng.integers(2))
        change = draw_color_change(self.cut.color_augmentation, rng)

        def patch(image: np.ndarray, scale: int) -> Tensor:
            y, x, length = top * scale, left * scale, side * scale
            region = _orient(as_planes(image[y : y + length, x : x + length]), rotations, flip)
            return (region if change is None else change(region)).byte()

        pair: Pair = {"low": patch(low, 1), "high": patch(self.high[number], scale)}
        if self.teacher is not None:
            pair["teacher"] = patch(self.teacher[number], scale)
        return pair


def random_orientation(planes: Tensor, rng: np.random.Generator) -> Tensor:
    """(C, P, P) in one of the eight ways to lay a square."""
    return _orient(planes, int(rng.integers(4)), bool(rng.integers(2)))


def _orient(planes: Tensor, rotations: int, flip: bool) -> Tensor:
    result = np.rot90(planes.numpy(), rotations, axes=(1, 2))
    return torch.from_numpy(np.ascontiguousarray(result[..., ::-1] if flip else result))


@dataclass(frozen=True)
class ColorChange:
    """Channels in another order, and colors up to STRENGTH times as saturated."""

    channels: tuple[int, ...]
    strength: float

    def __call__(self, planes: Tensor) -> Tensor:
        """(3, P, P) levels -> (3, P, P) whole levels."""
        gray = planes.mean(dim=0, keepdim=True)
        return round_levels(gray + self.strength * (planes[list(self.channels)] - gray))


def draw_color_change(share: float, rng: np.random.Generator) -> ColorChange | None:
    """For that share of the patches."""
    if not share or rng.random() >= share:
        return None
    strength = float(STRENGTH ** rng.random())
    return ColorChange(tuple(int(n) for n in rng.permutation(3)), strength)


def detailed_crop(picture: np.ndarray, side: int, rng: np.random.Generator) -> tuple[int, int]:
    """Top and left of a square of that side; where there is more to see, more likely."""
    height, width = picture.shape[:2]
    tops = rng.integers(height - side + 1, size=CANDIDATES)
    lefts = rng.integers(width - side + 1, size=CANDIDATES)
    details = np.array(
        [
            detail(picture[top : top + side, left : left + side])
            for top, left in zip(tops, lefts, strict=True)
        ]
    )
    chosen = rng.choice(CANDIDATES, p=details / details.sum())
    return int(tops[chosen]), int(lefts[chosen])


def detail(region: np.ndarray) -> float:
    """How much there is to see: the mean step between neighbours in green, never zero."""
    green = cv2.extractChannel(region[::3], 1)
    left, right = green[:, :-1], green[:, 1:]
    return float(cv2.norm(left, right, cv2.NORM_L1)) / left.size + 0.1


def as_planes(pixels: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 -> (3, H, W) float levels from 0 to 255."""
    return torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)


def round_levels(levels: Tensor) -> Tensor:
    return levels.round().clamp_(0, 255)


def inner(picture: Tensor, margin: int) -> Tensor:
    return picture[..., margin:-margin, margin:-margin]

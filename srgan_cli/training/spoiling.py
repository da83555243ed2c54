"""Low pictures of a whole batch at once, on any device: blurred, resized, noisy, compressed.

What `degradation` does to patches one by one, as likely and as strong. Pictures of different sides
share a canvas as large as the largest: each lies at its top left, and beyond its own side it goes
on mirrored, so that what is blurred or coded at its border sees a picture there and no edge.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from srgan_cli.resample import resize
from srgan_cli.training.jpeg import UNIT, as_jpeg
from srgan_cli.training.patches import quantised
from srgan_cli.training.rounds import Compression
from srgan_cli.training.treatments import Course, Grain, Treatment

What = TypeVar("What")


def spoiled_lows(
    highs: Tensor, scale: int, courses: Sequence[Course], noise: torch.Generator
) -> Tensor:
    """(B, 3, S, S) levels from 0 to 255 -> (B, 3, S / scale, S / scale) whole levels.

    A low picture depends on its own high one, on the courses, and on the noise. One whose course is
    empty is shrunk by MATLAB's bicubic.
    """
    side = highs.shape[-1] // scale
    lows = highs.new_empty(*highs.shape[:2], side, side)
    for length in sorted({len(course) for course in courses}):
        places = [place for place, course in enumerate(courses) if len(course) == length]
        index = beside(highs, places)
        steps = list(zip(*(courses[place] for place in places), strict=True))
        chosen = highs[index]
        lows[index] = _treated(chosen, steps, noise) if steps else resize(chosen, side, side)
    return quantised(lows)


def _treated(
    pictures: Tensor, steps: Sequence[Sequence[Treatment]], noise: torch.Generator
) -> Tensor:
    """`steps` has one treatment for each picture, for one step after the other."""
    sides = [pictures.shape[-1]] * len(pictures)
    for step in steps:
        pictures = changed(pictures, [it.kernel for it in step], blurred)
        after = [it.side for it in step]
        pictures = resized(pictures, sides, after, [it.filter for it in step])
        sides = after
        pictures = changed(
            pictures, [it.grain for it in step], lambda some, grains: noisy(some, grains, noise)
        )
        pictures = changed(pictures, [it.compression for it in step], compressed)
    return pictures


def changed(
    pictures: Tensor,
    whats: Sequence[What | None],
    change: Callable[[Tensor, Sequence[What]], Tensor],
) -> Tensor:
    """The pictures for which `whats` has something changed by it, the others as they are."""
    some = [what for what in whats if what is not None]
    if len(some) == len(pictures):
        return change(pictures, some)
    if not some:
        return pictures
    index = beside(pictures, [place for place, what in enumerate(whats) if what is not None])
    return pictures.index_copy(0, index, change(pictures[index], some))


def blurred(pictures: Tensor, kernels: Sequence[np.ndarray]) -> Tensor:
    """Each with its own kernel, (K, K) with any odd K; borders are mirrored."""
    radius = max(len(kernel) for kernel in kernels) // 2
    padded = np.stack([np.pad(kernel, radius - len(kernel) // 2) for kernel in kernels])
    weights = torch.from_numpy(padded).to(pictures, non_blocking=True)
    side = pictures.shape[-1]
    around = mirrored(torch.arange(-radius, side + radius, device=pictures.device), side)
    wide = pictures[:, :, around][..., around].flatten(0, 1)[None]  # (1, B * 3, S + K - 1, ..)
    done = conv2d(wide, weights.repeat_interleave(3, dim=0)[:, None], groups=wide.shape[1])
    return done.unflatten(1, (-1, 3))[0]


def resized(
    pictures: Tensor, before: Sequence[int], after: Sequence[int], filters: Sequence[int]
) -> Tensor:
    """(B, 3, S, S) -> (B, 3, T, T), T the largest side there is after it.

    Picture i has the side before[i], becomes after[i], and beyond that goes on mirrored.
    """
    if list(before) == list(after):
        return pictures
    sides, targets = beside(pictures, before), beside(pictures, after)
    rows = mirrored(torch.arange(max(after), device=pictures.device), targets[:, None])
    matrix = resampling(rows, sides, targets, beside(pictures, filters), pictures.shape[-1])[
        :, None
    ]
    return matrix @ pictures @ matrix.mT


def resampling(rows: Tensor, sides: Tensor, targets: Tensor, filters: Tensor, width: int) -> Tensor:
    """(B, T, width): how much of each sample makes each of the resized `rows`, (B, T).

    As OpenCV resizes: no filter but the first averages what it skips, edges are repeated, and the
    bicubic has a = -0.75.
    """
    rows, side = rows[..., None].float(), sides[:, None, None]
    ratio = side / targets[:, None, None]
    column = torch.arange(width, device=rows.device)
    begin, centre = rows * ratio, (rows + 0.5) * ratio - 0.5
    area = torch.minimum(column + 1, begin + ratio) - torch.maximum(column, begin)
    near = (centre.clamp(min=0).minimum(side - 1) - column).abs()
    kinds = (area.clamp(min=0) / ratio, (1 - near).clamp(min=0), _bicubic(centre, side, column))
    chosen = filters[:, None, None]
    return torch.where(chosen == 0, kinds[0], torch.where(chosen == 1, kinds[1], kinds[2]))


def _bicubic(centre: Tensor, side: Tensor, column: Tensor) -> Tensor:
    """What would lie beyond the picture counts for its edge: weights make 1."""
    weights = _keys((centre - column).abs()) * (column < side)
    edge = torch.where(centre < side / 2, torch.zeros_like(side), side - 1)
    return weights + (1 - weights.sum(dim=-1, keepdim=True)) * (column == edge)


def _keys(x: Tensor, a: float = -0.75) -> Tensor:
    """Keys' kernel at distances from 0."""
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = x.clamp(max=2)
    return torch.where(x <= 1, near, a * (((far - 5) * far + 8) * far - 4))


def noisy(pictures: Tensor, grains: Sequence[Grain], noise: torch.Generator) -> Tensor:
    def each(values: Sequence[float]) -> Tensor:
        return beside(pictures, values)[:, None, None, None]

    grain = torch.randn(pictures.shape, generator=noise, device=pictures.device)
    gray = each([it.gray for it in grains])
    grain = torch.where(gray, grain[:, :1], grain)
    light = torch.where(gray, pictures.mean(dim=1, keepdim=True), pictures).clamp(0, 255).sqrt()
    strength = each([it.gaussian for it in grains]) + each([it.poisson for it in grains]) * light
    return pictures + grain * strength


def compressed(pictures: Tensor, how: Sequence[Compression]) -> Tensor:
    """As JPEG, each with blocks that begin elsewhere."""
    side = pictures.shape[-1]
    places = torch.arange(side, device=pictures.device)
    units = torch.arange(-(-(side + 7) // UNIT) * UNIT, device=pictures.device)
    top, left = (
        beside(pictures, values)[:, None] for values in zip(*map(_corner, how), strict=True)
    )
    moved = picked(pictures, *((units - it).abs().clamp(max=side - 1) for it in (top, left)))
    back = as_jpeg(moved, [it.quality for it in how], [it.halved for it in how])
    return picked(back, top + places, left + places)


def _corner(how: Compression) -> tuple[int, int]:
    return how.top, how.left


def picked(pictures: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Rows and columns of each picture: (B, 3, H, W), (B, h), (B, w) -> (B, 3, h, w)."""
    picture = torch.arange(len(pictures), device=pictures.device)[:, None, None, None]
    channel = torch.arange(pictures.shape[1], device=pictures.device)[:, None, None]
    return pictures[picture, channel, rows[:, None, :, None], columns[:, None, None, :]]


def mirrored(places: Tensor, side: Tensor | int) -> Tensor:
    """Where a picture of that side, mirrored at its outer pixels again and again, is looked at."""
    turn = 2 * (side - 1)
    within = places % turn
    return torch.minimum(within, turn - within)


def beside(pictures: Tensor, values: Sequence[float]) -> Tensor:
    """Numbers on the pictures' device; nothing waits for what it is computing."""
    return torch.tensor(values).to(pictures.device, non_blocking=True)

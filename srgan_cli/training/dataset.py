"""Training images: found, checked, and sampled from a memory-mapped file."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from srgan_cli.errors import DatasetError, ImageError, describe_error
from srgan_cli.folders import scan_folder
from srgan_cli.images.formats import input_suffixes
from srgan_cli.images.image import Image, to_rgb_uint8
from srgan_cli.images.read import read_image
from srgan_cli.resample import resize_array

KEPT = 8
"""Decoded images that are not in the cache and are kept in memory by a process."""


@dataclass(frozen=True)
class CachedImage:
    """An image and its place in the cache."""

    path: str
    height: int
    width: int
    offset: int | None
    """None if the cache has no room."""
    half: int | None = None
    """Offset of the image at half its size, if stored."""

    @property
    def area(self) -> int:
        return self.height * self.width

    def fits(self, size: int) -> bool:
        """Whether it fits a cache of `size` bytes."""
        numbers = (self.height, self.width, self.offset or 0, self.half or 0)
        if not all(type(number) is int for number in numbers) or min(numbers[:2]) < 1:
            return False
        kept = [(self.offset, self.area), (self.half, (self.height // 2) * (self.width // 2))]
        return all(at is None or 0 <= at <= size - 3 * area for at, area in kept)


@dataclass(frozen=True)
class SkippedFile:
    """A file that cannot be trained on, and why."""

    path: Path
    reason: str

    @property
    def line(self) -> str:
        """The reason with the file's name, which codecs' messages already have."""
        named = self.path.name in self.reason
        return self.reason if named else f"{self.path}: {self.reason}"


class ImageSet:
    """(H, W, 3) uint8 images, drawn in proportion to their area.

    changes: how the files differ from those that the cache was made of, as a message.
    """

    def __init__(self, file: Path, entries: Sequence[CachedImage], changes: str = "") -> None:
        self.file = file
        self.changes = changes
        self.entries = tuple(entries)
        self._until = np.cumsum([entry.area for entry in self.entries], dtype=np.float64)
        self._bytes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, number: int) -> np.ndarray:
        entry = self.entries[number]
        if entry.offset is None:
            return _decoded(entry)
        return self._kept(entry.offset, entry.height, entry.width)

    def half(self, number: int) -> np.ndarray | None:
        """(H // 2, W // 2, 3), the image at half its size; None if that is not kept."""
        entry = self.entries[number]
        if entry.half is None:
            return None
        return self._kept(entry.half, entry.height // 2, entry.width // 2)

    def _kept(self, offset: int, height: int, width: int) -> np.ndarray:
        return self._mapped()[offset : offset + height * width * 3].reshape(height, width, 3)

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_bytes": None}  # each worker maps the file for itself

    def _mapped(self) -> np.ndarray:
        if self._bytes is None:
            self._bytes = np.asarray(np.memmap(self.file, np.uint8, mode="r"))
        return self._bytes

    def draw(self, rng: np.random.Generator) -> int:
        """A random index, with probability by area."""
        index = np.searchsorted(self._until, rng.random() * self._until[-1], side="right")
        return min(int(index), len(self) - 1)

    def subset(self, numbers: Sequence[int]) -> "ImageSet":
        return ImageSet(self.file, [self.entries[number] for number in numbers])


@lru_cache(maxsize=KEPT)
def _decoded(entry: CachedImage) -> np.ndarray:
    """Raises ImageError if the image has changed, or can no longer be read."""
    image = read_checked(Path(entry.path), lambda path, image: None)
    if isinstance(image, SkippedFile):
        raise ImageError(image.line)
    if (image.height, image.width) != (entry.height, entry.width):
        raise ImageError(f"{entry.path}: is no longer {entry.width} x {entry.height}")
    return to_rgb_uint8(image.pixels)


def find_training_files(
    folders: Sequence[Path], exclude: Collection[Path] = ()
) -> tuple[list[Path], list[SkippedFile]]:
    """All files below `folders`, in order of their names: images by their suffix, and others.

    Hidden files and folders, and all below one of `exclude`, are passed over. Raises
    DatasetError for a missing folder.
    """
    for folder in folders:
        if not folder.is_dir():
            raise DatasetError(f"{folder} is not a folder of images")
    scans = [
        scan_folder(folder, input_suffixes(), recursive=True, exclude=exclude) for folder in folders
    ]
    images = dict.fromkeys(path for scan in scans for path in scan.images)
    others = dict.fromkeys(path for scan in scans for path in scan.others)
    skipped = [SkippedFile(path, "not an image by its name") for path in others]
    skipped += [SkippedFile(path, "no such file") for path in images if not path.is_file()]
    skipped += [
        SkippedFile(path, "this folder cannot be read")
        for scan in scans
        for path in scan.failed_folders
    ]
    return [path for path in images if path.is_file()], skipped


ImageCheck = Callable[[Path, Image], object]
"""Raises ImageError for an image that is not to be trained on."""


def read_checked(path: Path, check: ImageCheck) -> Image | SkippedFile:
    """The image, or why it cannot be used: whatever goes wrong is that file's result."""
    try:
        image = read_image(path)
        check(path, image)
    except Exception as error:
        return SkippedFile(path, describe_error(path, error))
    return image


def half_size(pixels: np.ndarray) -> np.ndarray:
    """(H // 2, W // 2, 3), by exactly 2: an odd last row or column is left out."""
    height, width = (side // 2 for side in pixels.shape[:2])
    return resize_array(pixels[: 2 * height, : 2 * width], height, width)


class Sized(Protocol):
    """An image, its header, or its place in the cache."""

    @property
    def height(self) -> int: ...

    @property
    def width(self) -> int: ...


def check_pair(
    high_path: Path, high_res: Sized, low_path: Path, low_res: Sized, scale: int
) -> None:
    """Raises ImageError unless one is exactly `scale` times as large as the other."""
    if (high_res.height, high_res.width) != (low_res.height * scale, low_res.width * scale):
        raise ImageError(
            f"{high_path}: {high_res.width} x {high_res.height} is not {scale} x {low_path}: "
            f"{low_res.width} x {low_res.height}"
        )


def min_side_check(side: int) -> ImageCheck:
    """A check that the image is large enough for a patch."""

    def check(path: Path, image: Image) -> None:
        if min(image.height, image.width) < side:
            raise ImageError(
                f"{path}: {image.width} x {image.height} is too small: a patch and what is around "
                f"it need {side} pixels a side"
            )

    return check


def validation_indices(count: int) -> list[int]:
    """Indices of every 20th of `count` images, at least one."""
    return list(range(0, count, max(1, min(20, count))))

"""The pictures to train on, decoded once into a memory-mapped file and drawn from it."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from srgan_cli.errors import DatasetError, ImageError, describe_error
from srgan_cli.files import atomic_write, read_regular
from srgan_cli.folders import scan_folder
from srgan_cli.images.formats import input_suffixes
from srgan_cli.images.image import Image, to_uint8
from srgan_cli.images.read import read_image
from srgan_cli.resample import resize_array

KEPT = 8
"""Pictures beyond the cache that a process keeps in memory once it has decoded them."""

MAX_INDEX = 1 << 30  # bytes of the list of what a cache holds


@dataclass(frozen=True)
class StoredImage:
    """One picture, and where it lies in the cache."""

    path: str
    height: int
    width: int
    offset: int | None
    """None for a picture that the cache has no room for."""
    half: int | None = None
    """Where its half lies, if that is kept."""

    @property
    def area(self) -> int:
        return self.height * self.width

    def fits(self, size: int) -> bool:
        """Whether it can lie in a cache of `size` bytes."""
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
        """Reasons from codecs name the file themselves."""
        named = self.path.name in self.reason
        return self.reason if named else f"{self.path}: {self.reason}"


class ImageSet:
    """(H, W, 3) uint8 pictures, drawn in proportion to their area.

    changes: what differed from the files that the cache had been made of, in words.
    """

    def __init__(self, file: Path, entries: Sequence[StoredImage], changes: str = "") -> None:
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
            return _decoded(entry.path)
        return self._kept(entry.offset, entry.height, entry.width)

    def half(self, number: int) -> np.ndarray | None:
        """(H // 2, W // 2, 3), the picture at half its size; None if that is not kept."""
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
        """The number of a picture."""
        index = np.searchsorted(self._until, rng.random() * self._until[-1], side="right")
        return min(int(index), len(self) - 1)

    def subset(self, numbers: Sequence[int]) -> "ImageSet":
        return ImageSet(self.file, [self.entries[number] for number in numbers])


@lru_cache(maxsize=KEPT)
def _decoded(path: str) -> np.ndarray:
    return as_training(read_image(Path(path)))


def find_images(
    folders: Sequence[Path], exclude: Path | None = None
) -> tuple[list[Path], list[SkippedFile]]:
    """All files below `folders`, in order of their names: pictures by their suffix, and others.

    Hidden files and folders, and all below `exclude`, are passed over. Raises DatasetError for a
    missing folder.
    """
    for folder in folders:
        if not folder.is_dir():
            raise DatasetError(f"{folder} is not a folder of pictures")
    scans = [
        scan_folder(folder, input_suffixes(), recursive=True, exclude=exclude) for folder in folders
    ]
    pictures = dict.fromkeys(path for scan in scans for path in scan.pictures)
    others = dict.fromkeys(path for scan in scans for path in scan.others)
    skipped = [SkippedFile(path, "not a picture by its name") for path in others]
    skipped += [SkippedFile(path, "no such file") for path in pictures if not path.is_file()]
    skipped += [
        SkippedFile(path, "this folder cannot be read")
        for scan in scans
        for path in scan.unreadable
    ]
    return [path for path in pictures if path.is_file()], skipped


@dataclass(frozen=True)
class Cache:
    """Where decoded pictures lie, and how many bytes of them."""

    file: Path
    limit: float = float("inf")

    def sibling(self, name: str) -> "Cache":
        """Another one of the same size."""
        return Cache(self.file.with_name(f"{self.file.stem}-{name}.bytes"), self.limit)


Check = Callable[[Path, Image], None]
"""Raises ImageError for a picture that is not to be trained on."""


def load_images(
    paths: Sequence[Path],
    cache: Cache,
    check: Check,
    check_key: Any,
    half_from: float = float("inf"),
) -> tuple[ImageSet, list[SkippedFile]]:
    """Decode `paths` into the cache unless it holds them already; a damaged one is made again.

    check_key: what `check` depends on, stored with the cache. Images whose shorter side is at least
    half_from are kept at half their size as well, where there is room. Unreadable images and those
    that fail the check are skipped; raises DatasetError if none is left.
    """
    index = cache.file.with_suffix(".json")
    paths = [path.absolute() for path in paths]  # a resumed run knows them by these names
    wanted = {"files": _states(paths), "limit": min(cache.limit, 1e18), "about": check_key}
    wanted["halved"] = min(half_from, 1e18)
    known = _read_index(cache)
    changes = _changes(known, wanted["files"])
    if known.get("wanted") != json.loads(json.dumps(wanted)):
        index.unlink(missing_ok=True)
        try:
            known = _decode_all(paths, cache, check, half_from)
        except OSError as error:
            raise DatasetError(
                f"{cache.file} cannot be written ({error.strerror}): take a smaller --cache"
            ) from error
        with atomic_write(index, DatasetError) as file:
            file.write(json.dumps(known | {"wanted": wanted}).encode())
    skipped = [SkippedFile(Path(path), reason) for path, reason in known["refusals"]]
    if not known["entries"]:
        first = f", the first: {skipped[0].reason}" if skipped else ""
        raise DatasetError(f"no picture to train on among {len(paths)} files{first}")
    entries = [StoredImage(**entry) for entry in known["entries"]]
    return ImageSet(cache.file, entries, changes), skipped


def _states(paths: Sequence[Path]) -> list[list[Any]]:
    """Name, size and time of change of each file."""
    return [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]


def _read_index(cache: Cache) -> dict[str, Any]:
    """What a cache holds; nothing where that is missing, damaged or more than its file has."""
    try:
        known = json.loads(read_regular(cache.file.with_suffix(".json"), MAX_INDEX))
        size = cache.file.stat().st_size
        entries = [StoredImage(**entry) for entry in known["entries"]]
        refusals = [(str(path), str(reason)) for path, reason in known["refusals"]]
        names = {path for path, *_ in known["wanted"]["files"]}
        is_whole = all(entry.path in names and entry.fits(size) for entry in entries)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return known | {"refusals": refusals} if is_whole else {}


def _changes(known: dict[str, Any], files: Sequence[list[Any]]) -> str:
    """How `files` differ from those a cache was made of, in words; empty if they do not."""
    if not known:
        return ""
    before = {path: state for path, *state in known["wanted"]["files"]}
    now = {path: state for path, *state in files}
    counts = {
        "new": len(now.keys() - before.keys()),
        "missing": len(before.keys() - now.keys()),
        "changed": sum(now[path] != before[path] for path in now.keys() & before.keys()),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _decode_all(
    paths: Sequence[Path], cache: Cache, check: Check, half_from: float
) -> dict[str, list[Any]]:
    entries: list[StoredImage] = []
    skipped: list[tuple[str, str]] = []
    cache.file.parent.mkdir(parents=True, exist_ok=True)
    with cache.file.open("wb") as out:
        for path in paths:
            try:
                image = read_image(path)
                check(path, image)
            except Exception as error:
                skipped.append((str(path), describe_error(path, error)))
                continue
            entries.append(_stored(path, as_training(image), out, cache.limit))
    return {
        "entries": [*map(asdict, _with_half_size(entries, cache, half_from))],
        "refusals": skipped,
    }


def _stored(path: Path, pixels: np.ndarray, out: BinaryIO, limit: float) -> StoredImage:
    offset = out.tell()
    height, width = pixels.shape[:2]
    if offset + pixels.nbytes > limit:
        return StoredImage(str(path), height, width, None)
    out.write(pixels.tobytes())
    return StoredImage(str(path), height, width, offset)


def _with_half_size(
    entries: Sequence[StoredImage], cache: Cache, half_from: float
) -> Iterator[StoredImage]:
    """Halves follow when all pictures lie in the cache: to decode one again would cost more."""
    whole = ImageSet(cache.file, entries)
    with cache.file.open("ab") as out:
        for number, entry in enumerate(entries):
            kept, size = out.tell(), (entry.height // 2) * (entry.width // 2) * 3
            small = min(entry.height, entry.width) < half_from
            if small or entry.offset is None or kept + size > cache.limit:
                yield entry
                continue
            out.write(half_size(whole[number]).tobytes())
            yield replace(entry, half=kept)


def half_size(pixels: np.ndarray) -> np.ndarray:
    """(H // 2, W // 2, 3), by exactly 2: an odd last row or column is left out."""
    height, width = (side // 2 for side in pixels.shape[:2])
    return resize_array(pixels[: 2 * height, : 2 * width], height, width)


def min_side_check(side: int) -> Check:
    """Refuses pictures too small to cut a patch from."""

    def check(path: Path, image: Image) -> None:
        if min(image.height, image.width) < side:
            raise ImageError(
                f"{path}: {image.width} x {image.height} is too small: a patch and what is around "
                f"it need {side} pixels a side"
            )

    return check


def as_training(image: Image) -> np.ndarray:
    """(H, W, 3) uint8, whatever its depth and channels."""
    pixels = to_uint8(image.pixels)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def validation_indices(count: int, share: int = 20) -> list[int]:
    """The numbers of one in `share` of `count` pictures, at least one."""
    return list(range(0, count, max(1, min(share, count))))

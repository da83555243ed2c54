"""Decoded images in one file, and the index of what that holds: made once, and again if damaged."""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from srgan_cli.errors import DatasetError
from srgan_cli.files import atomic_write, read_regular
from srgan_cli.folders import create_folder
from srgan_cli.images.image import to_rgb_uint8
from srgan_cli.training.dataset import (
    CachedImage,
    ImageCheck,
    ImageSet,
    SkippedFile,
    half_size,
    read_checked,
)

MAX_INDEX = 1 << 30  # bytes of the list of what a cache holds


class CacheError(DatasetError):
    """The cache cannot be written."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{message}: take a smaller --cache")


@dataclass(frozen=True)
class CacheFile:
    """A file of decoded images, and its limit in bytes."""

    file: Path
    limit: float = float("inf")

    def sibling(self, name: str) -> "CacheFile":
        """Another one of the same size."""
        return CacheFile(self.file.with_name(f"{self.file.stem}-{name}.bytes"), self.limit)


def load_images(
    paths: Sequence[Path],
    cache: CacheFile,
    check: ImageCheck,
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
        for old in (index, cache.file):  # the disk may not have room for another
            with suppress(OSError):
                old.unlink()
        known = _decode_all(paths, cache, check, half_from)
        with atomic_write(index, DatasetError) as file:
            file.write(json.dumps(known | {"wanted": wanted}).encode())
    skipped = [SkippedFile(Path(path), reason) for path, reason in known["refusals"]]
    if not known["entries"]:
        first = f", the first: {skipped[0].reason}" if skipped else ""
        raise DatasetError(f"no image to train on among {len(paths)} files{first}")
    entries = [CachedImage(**entry) for entry in known["entries"]]
    return ImageSet(cache.file, entries, changes), skipped


def _states(paths: Sequence[Path]) -> list[list[Any]]:
    """Name, size and time of change of each file."""
    return [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]


def _read_index(cache: CacheFile) -> dict[str, Any]:
    """The index of a cache; empty if it is missing, damaged or does not fit the file."""
    try:
        known = json.loads(read_regular(cache.file.with_suffix(".json"), MAX_INDEX))
        size = cache.file.stat().st_size
        entries = [CachedImage(**entry) for entry in known["entries"]]
        skipped = [(str(path), str(reason)) for path, reason in known["refusals"]]
        skipped_paths = {path for path, _ in skipped}
        kept = [path for path, *_ in known["wanted"]["files"] if path not in skipped_paths]
        is_whole = [entry.path for entry in entries] == kept
        is_whole = is_whole and all(entry.fits(size) for entry in entries)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return known | {"refusals": skipped} if is_whole else {}


def _changes(known: dict[str, Any], files: Sequence[list[Any]]) -> str:
    """How `files` differ from those a cache was made of, as a message; "" if they do not."""
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
    paths: Sequence[Path], cache: CacheFile, check: ImageCheck, half_from: float
) -> dict[str, list[Any]]:
    entries: list[CachedImage] = []
    skipped: list[tuple[str, str]] = []
    create_folder(cache.file.parent, DatasetError)
    with atomic_write(cache.file, CacheError) as out:
        for path in paths:
            image = read_checked(path, check)
            if isinstance(image, SkippedFile):
                skipped.append((str(path), image.reason))
            else:
                entries.append(_stored(path, to_rgb_uint8(image.pixels), out, cache.limit))
        complete = [*_with_half_size(entries, out, half_from, cache.limit)]
    return {"entries": [*map(asdict, complete)], "refusals": skipped}


def _stored(path: Path, pixels: np.ndarray, out: BinaryIO, limit: float) -> CachedImage:
    offset = out.tell()
    height, width = pixels.shape[:2]
    if offset + pixels.nbytes > limit:
        return CachedImage(str(path), height, width, None)
    out.write(pixels.tobytes())
    return CachedImage(str(path), height, width, offset)


def _with_half_size(
    entries: Sequence[CachedImage], out: BinaryIO, half_from: float, limit: float
) -> Iterator[CachedImage]:
    """Half-size images are appended when all images are in the cache: decoding again costs more."""
    for entry in entries:
        kept, size = out.seek(0, io.SEEK_END), (entry.height // 2) * (entry.width // 2) * 3
        small = min(entry.height, entry.width) < half_from
        if small or entry.offset is None or kept + size > limit:
            yield entry
            continue
        out.seek(entry.offset)
        pixels = np.frombuffer(out.read(3 * entry.area), np.uint8)
        half = half_size(pixels.reshape(entry.height, entry.width, 3))
        out.seek(kept)
        out.write(half.tobytes())
        yield replace(entry, half=kept)

"""The pictures to train on: found, decoded once into a memory-mapped file, drawn from."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from srgan_cli.errors import DatasetError, ImageError
from srgan_cli.images.encoding import FORMATS
from srgan_cli.images.read import read_image
from srgan_cli.images.value import Image


@dataclass(frozen=True)
class Entry:
    """Where one picture lies in the cache."""

    name: str
    height: int
    width: int
    offset: int


@dataclass(frozen=True)
class Refusal:
    """A file that cannot be trained on, and why."""

    path: Path
    reason: str


class Photographs:
    """(H, W, 3) uint8 pictures, drawn in proportion to their area."""

    def __init__(self, file: Path, entries: Sequence[Entry]) -> None:
        self.file = file
        self.entries = entries
        self._areas = np.array([entry.height * entry.width for entry in entries], np.float64)
        self._bytes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, number: int) -> np.ndarray:
        entry = self.entries[number]
        size = entry.height * entry.width * 3
        flat = self._mapped()[entry.offset : entry.offset + size]
        return flat.reshape(entry.height, entry.width, 3)

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_bytes": None}  # each worker maps the file for itself

    def _mapped(self) -> np.ndarray:
        if self._bytes is None:
            self._bytes = np.memmap(self.file, np.uint8, mode="r")
        return self._bytes

    def draw(self, rng: np.random.Generator, at_least: int) -> np.ndarray:
        """A picture whose shorter side is `at_least` long; see `fit_for`."""
        chances = np.where(
            [min(entry.height, entry.width) >= at_least for entry in self.entries], self._areas, 0
        )
        return self[int(rng.choice(len(self), p=chances / chances.sum()))]

    def fit_for(self, side: int) -> bool:
        return any(min(entry.height, entry.width) >= side for entry in self.entries)


def find_pictures(folders: Sequence[Path]) -> list[Path]:
    """All files below `folders` whose suffix is a picture's, in order of their names."""
    for folder in folders:
        if not folder.is_dir():
            raise DatasetError(f"{folder} is not a folder of pictures")
    found = (path for folder in folders for path in sorted(folder.rglob("*")))
    return [path for path in found if path.suffix.lower() in FORMATS and path.is_file()]


def load_photographs(
    paths: Sequence[Path], cache: Path, smallest: int
) -> tuple[Photographs, list[Refusal]]:
    """Decode `paths` into the file `cache` unless it holds them already.

    Pictures with a side shorter than `smallest` are refused, and so are unreadable ones. Raises
    DatasetError if none is left.
    """
    index = cache.with_suffix(".json")
    wanted = [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]
    known = json.loads(index.read_text()) if index.exists() and cache.exists() else {}
    if known.get("paths") != wanted or known.get("smallest") != smallest:
        known = _decode_all(paths, cache, smallest)
        index.write_text(json.dumps(known | {"paths": wanted, "smallest": smallest}))
    refusals = [Refusal(Path(path), reason) for path, reason in known["refusals"]]
    if not known["entries"]:
        reasons = f", the first: {refusals[0].path}: {refusals[0].reason}" if refusals else ""
        raise DatasetError(f"no picture to train on among {len(paths)} files{reasons}")
    return Photographs(cache, [Entry(**entry) for entry in known["entries"]]), refusals


def _decode_all(paths: Sequence[Path], cache: Path, smallest: int) -> dict[str, list[object]]:
    entries: list[object] = []
    refusals: list[object] = []
    cache.parent.mkdir(parents=True, exist_ok=True)
    with cache.open("wb") as out:
        for path in paths:
            try:
                pixels = training_pixels(read_image(path), smallest)
            except ImageError as error:
                refusals.append((str(path), str(error)))
                continue
            entries.append(asdict(Entry(path.name, pixels.shape[0], pixels.shape[1], out.tell())))
            out.write(pixels.tobytes())
    return {"entries": entries, "refusals": refusals}


def training_pixels(image: Image, smallest: int) -> np.ndarray:
    """(H, W, 3) uint8; raises ImageError for a picture too small to cut a patch from."""
    if min(image.height, image.width) < smallest:
        raise ImageError(
            f"{image.width} x {image.height} is too small: a patch needs {smallest} pixels a side"
        )
    pixels = image.pixels
    if pixels.dtype == np.uint16:
        pixels = (pixels.astype(np.uint32) + 128) // 257
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3)).astype(np.uint8)


def held_out(paths: Sequence[Path], share: int = 20) -> Iterator[Path]:
    """One in `share` of the pictures, at least one."""
    yield from paths[:: max(1, min(share, len(paths)))]

"""TIFF's directories of tags, as TIFF files and EXIF blocks have them.

https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf, section 2. BigTIFF is read too.
"""

import io
import struct
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}
WORDS = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
BYTE, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 1, 3, 4, 5, 7, 16
NESTED = (34665, 34853, 40965)  # the directories EXIF, GPS and interoperability
MOST_ENTRIES = 4096
MOST_BYTES = 1 << 28
MOST_VALUES = 64  # that are looked at of a tag that holds one value for each sample of a pixel
MOST_NESTED = 4  # directories below one; EXIF has three


@dataclass(frozen=True)
class Entry:
    """The values of a tag in the block's byte order. at: where the entry lies in the block."""

    kind: int
    data: bytes
    at: int = 0

    def integers(self, order: str) -> NDArray[np.uint64]:
        """(n,); empty for a type that is not an unsigned integer."""
        code = INTEGERS.get(self.kind)
        if code is None:
            return np.zeros(0, np.uint64)
        values = np.frombuffer(self.data, np.dtype(f"{order}{code}"))
        return values.astype(np.uint64)

    def swapped(self) -> "Entry":
        """In the other byte order."""
        size = WORDS.get(self.kind, 1)
        words = range(0, len(self.data), size)
        return Entry(self.kind, b"".join(self.data[i : i + size][::-1] for i in words))


@dataclass(frozen=True)
class Place:
    """Where an entry, and its value, lie in the block."""

    kind: int
    at: int
    start: int
    length: int


class Directory(Mapping[int, Entry]):
    """The tags of a directory, each read from the file when it is asked for.

    order: "<" or ">". following: where the next directory lies, 0 for none.
    """

    def __init__(
        self,
        read: Callable[[int, int], bytes],
        places: Mapping[int, Place],
        order: str,
        following: int,
    ) -> None:
        self._read = read
        self.places = places
        self.order = order
        self.following = following
        self._own: dict[int, Entry] = {}

    def __getitem__(self, tag: int) -> Entry:
        if tag in self._own:
            return self._own[tag]
        place = self.places[tag]
        return Entry(place.kind, self._read(place.start, place.length), place.at)

    def __iter__(self) -> Iterator[int]:
        return iter({**self.places, **self._own})

    def __len__(self) -> int:
        return len({**self.places, **self._own})

    def reopened(self, block: "Block") -> "Directory":
        """The same, read from a file that is open."""
        changed = Directory(block.read, self.places, self.order, self.following)
        changed._own = self._own
        return changed

    def replaced(self, entries: Mapping[int, Entry]) -> "Directory":
        """With other values for these tags."""
        changed = Directory(self._read, self.places, self.order, self.following)
        changed._own = {**self._own, **entries}
        return changed

    def only(self, tags: Container[int]) -> "Directory":
        """Without the other tags."""
        places = {tag: place for tag, place in self.places.items() if tag in tags}
        return Directory(self._read, places, self.order, self.following)

    def integers(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Of many values the first MOST_VALUES."""
        if tag not in self:
            return default
        return tuple(map(int, self.array(tag)[:MOST_VALUES]))

    def array(self, tag: int) -> NDArray[np.uint64]:
        """(n,): all values; empty for a tag that is missing or not of unsigned integers."""
        return self[tag].integers(self.order) if tag in self else np.zeros(0, np.uint64)

    def integer(self, tag: int, default: int = 0) -> int:
        return next(iter(self.integers(tag)), default)

    def ratio(self, tag: int) -> float:
        """A RATIONAL's value, 0 for what is none."""
        entry = self[tag]
        if entry.kind != RATIONAL or len(entry.data) < 8:
            return 0.0
        above, below = struct.unpack_from(f"{self.order}II", entry.data)
        return float(above / below) if below else 0.0


class Block:
    """A TIFF file or an EXIF block. ValueError for anything that is not one, or is cut off."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, io.SEEK_END)  # bytes of the whole file
        self.order = {b"II": "<", b"MM": ">"}.get(self.read(0, 2), "")
        version = self._number("H", 2) if self.order else 0
        if version not in (42, 43):
            raise ValueError("not a TIFF structure")
        self.big = version == 43
        self.first = self._number("Q", 8) if self.big else self._number("I", 4)

    def head(self) -> Directory:
        return self.directory(self.first)

    def chain(self) -> Iterator[Directory]:
        """The directories one after another, each once."""
        seen, at = {0}, self.first
        while at not in seen:
            seen.add(at)
            directory = self.directory(at)
            yield directory
            at = directory.following

    def directory(self, at: int) -> Directory:
        """ValueError if its values do not lie in the block, or are larger than it together."""
        head, size = (8, 20) if self.big else (2, 12)
        count = self._number("Q" if self.big else "H", at)
        if count > MOST_ENTRIES:
            raise ValueError(f"a TIFF directory of {count} entries")
        table = self.read(at + head, count * size)
        places = {}
        for i in range(count):
            tag = struct.unpack_from(f"{self.order}H", table, i * size)[0]
            places[tag] = self._place(table[i * size : (i + 1) * size], at + head + i * size)
        if sum(place.length for place in places.values()) > self.size:
            raise ValueError("TIFF tags that share their bytes")
        following = self._number("Q" if self.big else "I", at + head + count * size)
        return Directory(self.read, places, self.order, following)

    def nested(self, directory: Directory, tag: int) -> Directory | None:
        """The directory that `tag` points to; None where it is damaged or missing."""
        at = directory.integer(tag)
        try:
            return self.directory(at) if at else None
        except ValueError:
            return None

    def _place(self, raw: bytes, at: int) -> Place:
        layout, inline = ("HHQ", 8) if self.big else ("HHI", 4)
        _, kind, count = struct.unpack_from(self.order + layout, raw)
        length = count * SIZES.get(kind, 1)
        if length <= inline:
            return Place(kind, at, at + len(raw) - inline, length)
        start = struct.unpack(self.order + ("Q" if self.big else "I"), raw[-inline:])[0]
        if length > MOST_BYTES or start + length > self.size:
            raise ValueError("a TIFF structure that is cut off")
        return Place(kind, at, start, length)

    def raw(self, at: int, length: int) -> bytes:
        """What lies there, as much of it as the file has."""
        self._file.seek(min(at, self.size))
        return self._file.read(max(0, min(length, self.size - at)))

    def _number(self, code: str, at: int) -> int:
        raw = self.read(at, struct.calcsize(f"<{code}"))
        return int(struct.unpack(self.order + code, raw)[0])

    def read(self, at: int, length: int) -> bytes:
        """Exactly so many bytes, or ValueError."""
        if length > MOST_BYTES or at >= 1 << 63:
            raise ValueError("a damaged TIFF structure")
        self._file.seek(at)
        raw = self._file.read(length)
        if len(raw) < length:
            raise ValueError("a TIFF structure that is cut off")
        return raw


Tags = Mapping[int, "Entry | Tags"]


def nested_tags(block: Block, directory: Directory) -> dict[int, "Entry | Tags"]:
    """The tags, those of nested directories in place of the pointers to them.

    ValueError for directories that form a graph, lie too deep, or claim more bytes than there are.
    """
    tags: dict[int, Entry | Tags] = {}
    for tag, inner in _tree(block, directory).items():
        if inner is not None:
            tags[tag] = nested_tags(block, inner)
    return {tag: directory[tag] for tag in directory if tag not in NESTED} | tags


def check_tree(block: Block, directory: Directory, seen: set[int] | None = None) -> None:
    """ValueError as `nested_tags`; only the tables are read."""
    seen = set() if seen is None else seen
    for tag, inner in _tree(block, directory).items():
        at = directory.integer(tag)
        if at in seen or len(seen) >= MOST_NESTED:
            raise ValueError("EXIF directories that contain one another")
        seen.add(at)
        if inner is not None:
            check_tree(block, inner, seen)


def _tree(block: Block, directory: Directory) -> dict[int, Directory | None]:
    return {tag: block.nested(directory, tag) for tag in NESTED if directory.integer(tag)}


def swapped(tags: Tags) -> Tags:
    return {t: e.swapped() if isinstance(e, Entry) else swapped(e) for t, e in tags.items()}


def laid_out(tags: Tags, order: str, at: int, big: bool = False) -> bytes:
    """A directory that will lie at `at`, its values and nested directories behind it.

    The last 4 (big: 8) bytes of its table, at `table_end` - 4 (8), say that none follows.
    """
    word, layout = ("Q", "HHQ") if big else ("I", "HHI")
    room = struct.calcsize(f"<{word}")
    table = struct.pack(order + ("Q" if big else "H"), len(tags))
    behind = b""
    start = at + table_end(len(tags), big)
    for tag, entry in sorted(tags.items()):
        if isinstance(entry, Entry):
            kind, data, count = entry.kind, entry.data, len(entry.data) // SIZES.get(entry.kind, 1)
        else:
            kind, data, count = LONG, laid_out(entry, order, start + len(behind), big), 1
        table += struct.pack(order + layout, tag, kind, count)
        if len(data) <= room and isinstance(entry, Entry):
            table += data.ljust(room, b"\0")
        else:
            pointer = struct.pack(order + word, start + len(behind))
            table += pointer
            behind += data + b"\0" * (len(data) % 2)
    return table + bytes(room) + behind


def table_end(entries: int, big: bool = False) -> int:
    """Bytes of a directory's table."""
    return 8 + entries * 20 + 8 if big else 2 + entries * 12 + 4


def header(order: str, first: int, big: bool = False) -> bytes:
    mark = b"II" if order == "<" else b"MM"
    if big:
        return mark + struct.pack(order + "HHHQ", 43, 8, 0, first)
    return mark + struct.pack(order + "HI", 42, first)


def block_of(data: bytes) -> Block:
    return Block(io.BytesIO(data))

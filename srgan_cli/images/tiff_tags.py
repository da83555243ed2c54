"""TIFF's directories of tags, as TIFF files and EXIF blocks have them. Standard library only.

https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf, section 2. BigTIFF is read too.
"""

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}
WORDS = {3: 2, 4: 4, 5: 4, 8: 2, 9: 4, 10: 4, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
BYTE, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 1, 3, 4, 5, 7, 16
NESTED = (34665, 34853, 40965)  # the directories EXIF, GPS and interoperability
MOST_ENTRIES = 4096
MOST_BYTES = 1 << 28


@dataclass(frozen=True)
class Entry:
    """The values of a tag in the block's byte order. at: where the entry lies in the block."""

    kind: int
    data: bytes
    at: int = 0

    def integers(self, order: str) -> tuple[int, ...]:
        code = INTEGERS.get(self.kind, "B")
        count = len(self.data) // SIZES.get(self.kind, 1)
        return struct.unpack(f"{order}{count}{code}", self.data) if self.kind in INTEGERS else ()

    def swapped(self) -> "Entry":
        """In the other byte order."""
        size = WORDS.get(self.kind, 1)
        words = range(0, len(self.data), size)
        return Entry(self.kind, b"".join(self.data[i : i + size][::-1] for i in words))


@dataclass(frozen=True)
class Directory:
    entries: Mapping[int, Entry]
    order: str  # "<" or ">"
    following: int = 0  # where the next directory lies, 0 for none

    def integers(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        return self.entries[tag].integers(self.order) if tag in self.entries else default

    def integer(self, tag: int, default: int = 0) -> int:
        return next(iter(self.integers(tag)), default)

    def ratio(self, tag: int) -> float:
        """A RATIONAL's value, 0 for what is none."""
        data = self.entries[tag].data
        if self.entries[tag].kind != RATIONAL or len(data) < 8:
            return 0.0
        above, below = struct.unpack_from(f"{self.order}II", data)
        return float(above / below) if below else 0.0


class Block:
    """A TIFF file or an EXIF block. ValueError for anything that is not one, or is cut off."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.order = {b"II": "<", b"MM": ">"}.get(self._bytes(0, 2), "")
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
        head, size = (8, 20) if self.big else (2, 12)
        count = self._number("Q" if self.big else "H", at)
        if count > MOST_ENTRIES:
            raise ValueError(f"a TIFF directory of {count} entries")
        table = self._bytes(at + head, count * size)
        entries = {}
        for i in range(count):
            tag = struct.unpack_from(f"{self.order}H", table, i * size)[0]
            entries[tag] = self._entry(table[i * size : (i + 1) * size], at + head + i * size)
        following = self._number("Q" if self.big else "I", at + head + count * size)
        return Directory(entries, self.order, following)

    def nested(self, directory: Directory, tag: int) -> Directory | None:
        """The directory that `tag` points to; None where it is damaged or missing."""
        at = directory.integer(tag)
        try:
            return self.directory(at) if at else None
        except ValueError:
            return None

    def _entry(self, raw: bytes, at: int) -> Entry:
        layout, inline = ("HHQ", 8) if self.big else ("HHI", 4)
        _, kind, count = struct.unpack_from(self.order + layout, raw)
        length = count * SIZES.get(kind, 1)
        if length <= inline:
            return Entry(kind, raw[-inline:][:length], at)
        where = struct.unpack(self.order + ("Q" if self.big else "I"), raw[-inline:])[0]
        return Entry(kind, self._bytes(where, length), at)

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self._file.seek(0, io.SEEK_END)

    def raw(self, at: int, length: int) -> bytes:
        """What lies there, as much of it as the file has."""
        size = self.size
        self._file.seek(min(at, size))
        return self._file.read(max(0, min(length, size - at)))

    def _number(self, code: str, at: int) -> int:
        raw = self._bytes(at, struct.calcsize(f"<{code}"))
        return int(struct.unpack(self.order + code, raw)[0])

    def _bytes(self, at: int, length: int) -> bytes:
        if length > MOST_BYTES or at >= 1 << 63:
            raise ValueError("a damaged TIFF structure")
        self._file.seek(at)
        raw = self._file.read(length)
        if len(raw) < length:
            raise ValueError("a TIFF structure that is cut off")
        return raw


Tags = Mapping[int, "Entry | Tags"]


def collected(block: Block, directory: Directory) -> dict[int, "Entry | Tags"]:
    """The tags, those of nested directories in place of the pointers to them."""
    tags: dict[int, Entry | Tags] = {}
    for tag, entry in directory.entries.items():
        if tag in NESTED:
            inner = block.nested(directory, tag)
            tags |= {tag: collected(block, inner)} if inner else {}
        else:
            tags[tag] = entry
    return tags


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

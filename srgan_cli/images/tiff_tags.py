"""TIFF's image file directories (IFDs), as TIFF and BigTIFF files and EXIF blocks have them.

https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf, section 2
"""

import io
import struct
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL.ExifTags import Base as Tag

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value, by its type."""

INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
RATIONALS = (5, 10)  # two words each
BYTE, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 1, 3, 4, 5, 7, 16
SUB_IFDS = (Tag.ExifOffset, Tag.GPSInfo, Tag.ExifInteroperabilityOffset)
MAX_ENTRIES = 4096
MAX_BYTES = 1 << 28
MAX_READS = 16  # of a byte, on average, beyond MAX_BYTES
MAX_SUB_IFDS = 4  # below one; EXIF has three


@dataclass(frozen=True)
class TagValue:
    """The values of a tag in the structure's byte order. kind: their type, a key of SIZES."""

    kind: int
    data: bytes

    def integers(self, order: str) -> NDArray[np.uint64]:
        """(n,); empty for a type that is not an unsigned integer."""
        if self.kind not in INTEGERS:
            return np.zeros(0, np.uint64)
        return np.frombuffer(self.data, order + INTEGERS[self.kind]).astype(np.uint64)

    def swapped(self) -> "TagValue":
        """The values in the other byte order."""
        size = SIZES.get(self.kind, 1) // (2 if self.kind in RATIONALS else 1)
        words = range(0, len(self.data), size)
        return TagValue(self.kind, b"".join(self.data[i : i + size][::-1] for i in words))


@dataclass(frozen=True)
class TagLocation:
    """Offsets of an entry in its IFD's table and of its value."""

    kind: int
    entry: int
    start: int
    length: int


@dataclass(frozen=True, eq=False)
class IFD(Mapping[int, TagValue]):
    """Tags whose values are read from the file when they are asked for.

    next_offset: of the next IFD, 0 for none. table: start and end of all entries.
    """

    structure: "TiffStructure"
    locations: Mapping[int, TagLocation]
    next_offset: int
    table: tuple[int, int]

    @property
    def order(self) -> str:
        """The byte order, "<" or ">"."""
        return self.structure.order

    def __getitem__(self, tag: int) -> TagValue:
        location = self.locations[tag]
        return TagValue(location.kind, self.structure.read(location.start, location.length))

    def __iter__(self) -> Iterator[int]:
        return iter(self.locations)

    def __len__(self) -> int:
        return len(self.locations)

    def array(self, tag: int) -> NDArray[np.uint64]:
        """(n,): all values; empty for a tag that is missing or not of unsigned integers."""
        return self[tag].integers(self.order) if tag in self else np.zeros(0, np.uint64)

    def integer(self, tag: int, default: int = 0) -> int:
        """The first value; no other is read."""
        if not self.count(tag):
            return default
        location = self.locations[tag]
        first = self.structure.read(location.start, SIZES[location.kind])
        return int(TagValue(location.kind, first).integers(self.order)[0])

    def count(self, tag: int) -> int:
        """How many values `array` has."""
        location = self.locations.get(tag)
        if location is None or location.kind not in INTEGERS:
            return 0
        return location.length // SIZES[location.kind]

    def ratio(self, tag: int) -> float:
        """A RATIONAL's value, 0 for anything else."""
        value = self[tag]
        if value.kind != RATIONAL or len(value.data) < 8:
            return 0.0
        numerator, denominator = struct.unpack_from(f"{self.order}II", value.data)
        return float(numerator / denominator) if denominator else 0.0


class TiffStructure:
    """A TIFF file or an EXIF block. ValueError for anything that is not one, or is cut off.

    Also for one whose IFDs share their bytes: to read it would take many times its size.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._ifds: dict[int, IFD | None] = {}  # None: damaged
        self._table_bytes = self._read_bytes = 0
        self.size = file.seek(0, io.SEEK_END)
        """Bytes of the whole file."""
        self.order = {b"II": "<", b"MM": ">"}.get(self.read(0, 2), "")
        version = self._number("H", 2) if self.order else 0
        if version not in (42, 43):
            raise ValueError("not a TIFF structure")
        self.big = version == 43
        """BigTIFF."""
        self._word = "Q" if self.big else "I"
        self.first_offset = self._number(self._word, 8 if self.big else 4)

    def first_ifd(self) -> IFD:
        return self.ifd(self.first_offset)

    def ifds(self) -> Iterator[IFD]:
        """The linked list of them, each once."""
        seen, offset = {0}, self.first_offset
        while offset not in seen:
            seen.add(offset)
            ifd = self.ifd(offset)
            yield ifd
            offset = ifd.next_offset

    def ifd(self, offset: int) -> IFD:
        """ValueError if its values lie outside of the file, or are larger than it together."""
        if offset not in self._ifds:
            self._ifds[offset] = None
            self._ifds[offset] = self._parse_ifd(offset)
        ifd = self._ifds[offset]
        if ifd is None:
            raise ValueError("a damaged TIFF directory")
        return ifd

    def _parse_ifd(self, offset: int) -> IFD:
        head, size = (8, 20) if self.big else (2, 12)
        count = self._number("Q" if self.big else "H", offset)
        if count > MAX_ENTRIES:
            raise ValueError(f"a TIFF directory of {count} entries")
        start, end = offset + head, offset + head + count * size
        entries = self.read(start, end - start)
        next_offset = self._number(self._word, end)
        self._table_bytes += end - offset
        locations = {}
        for at in range(0, len(entries), size):
            tag = struct.unpack_from(f"{self.order}H", entries, at)[0]
            locations[tag] = self._location(entries[at : at + size], start + at)
        values = sum(location.length for location in locations.values())
        if max(values, self._table_bytes) > self.size:
            raise ValueError("TIFF tags that share their bytes")
        return IFD(self, locations, next_offset, (start, end))

    def sub_ifd(self, ifd: IFD, tag: int) -> IFD | None:
        """The IFD that `tag` points to; None where it is damaged or missing."""
        offset = ifd.integer(tag)
        try:
            return self.ifd(offset) if offset else None
        except ValueError:
            return None

    def _location(self, entry: bytes, offset: int) -> TagLocation:
        _, kind, count = struct.unpack_from(f"{self.order}HH{self._word}", entry)
        inline = len(entry) - (12 if self.big else 8)
        length = count * SIZES.get(kind, 1)
        if length <= inline:
            return TagLocation(kind, offset, offset + len(entry) - inline, length)
        start = struct.unpack(self.order + self._word, entry[-inline:])[0]
        if length > MAX_BYTES or start + length > self.size:
            raise ValueError("a TIFF structure that is cut off")
        return TagLocation(kind, offset, start, length)

    def read_available(self, offset: int, length: int) -> bytes:
        """Those bytes, as many of them as the file has."""
        self._file.seek(min(offset, self.size))
        return self._file.read(max(0, min(length, self.size - offset)))

    def _number(self, code: str, offset: int) -> int:
        raw = self.read(offset, struct.calcsize(f"<{code}"))
        return int(struct.unpack(self.order + code, raw)[0])

    def read(self, offset: int, length: int) -> bytes:
        """Exactly so many bytes, or ValueError."""
        if length > MAX_BYTES or offset + length > self.size:
            raise ValueError("a TIFF structure that is cut off")
        self._read_bytes += length
        if self._read_bytes > MAX_BYTES + MAX_READS * self.size:
            raise ValueError("TIFF tags that share their bytes")
        return self.read_available(offset, length)


def parse_tiff(data: bytes) -> TiffStructure:
    return TiffStructure(io.BytesIO(data))


Tags = Mapping[int, "TagValue | Tags"]
"""Tags of an IFD; a pointer to a sub-IFD is replaced by its tags."""


def read_tags(ifd: IFD, wanted: Container[int] | None = None) -> Tags:
    """All tags, or those `wanted` and all in their sub-IFDs. Call `check_sub_ifds` before."""
    tags: dict[int, TagValue | Tags] = {}
    for tag in ifd if wanted is None else [tag for tag in ifd if tag in wanted]:
        sub_ifd = ifd.structure.sub_ifd(ifd, tag) if tag in SUB_IFDS else None
        if sub_ifd is not None:
            tags[tag] = read_tags(sub_ifd)
        elif tag not in SUB_IFDS:
            tags[tag] = ifd[tag]
    return tags


def check_sub_ifds(ifd: IFD, seen: set[int] | None = None) -> list[IFD]:
    """Those below one, at any depth. ValueError if they contain one another, or are too many."""
    seen, found = set() if seen is None else seen, []
    for tag in SUB_IFDS:
        offset = ifd.integer(tag)
        if offset and (offset in seen or len(seen) >= MAX_SUB_IFDS):
            raise ValueError("EXIF directories that contain one another")
        if offset:
            seen.add(offset)
        if (sub_ifd := ifd.structure.sub_ifd(ifd, tag)) is not None:
            found += [sub_ifd, *check_sub_ifds(sub_ifd, seen)]
    return found


def swap_tags(tags: Tags) -> Tags:
    """The tags in the other byte order."""
    return {t: v.swapped() if isinstance(v, TagValue) else swap_tags(v) for t, v in tags.items()}


def build_ifd(tags: Tags, order: str, offset: int, big: bool = False) -> bytes:
    """An IFD that will lie at `offset`, its values and sub-IFDs behind it.

    The last 4 (big: 8) bytes of its table, which ends at `table_size`, say that none follows.
    """
    word, inline = ("Q", 8) if big else ("I", 4)
    table = struct.pack(order + ("Q" if big else "H"), len(tags))
    values, start = b"", offset + table_size(len(tags), big)
    for tag, value in sorted(tags.items()):
        end = start + len(values)
        if isinstance(value, TagValue):
            kind, data = value.kind, value.data
            count, stored = len(data) // SIZES.get(kind, 1), data.ljust(inline, b"\0")
        else:
            kind, data = LONG8 if big else LONG, build_ifd(value, order, end, big)
            count, stored = 1, b""
        if len(stored) != inline:
            stored = struct.pack(order + word, end)
            values += data + b"\0" * (len(data) % 2)
        table += struct.pack(f"{order}HH{word}", tag, kind, count) + stored
    return table + bytes(inline) + values


def table_size(entries: int, big: bool = False) -> int:
    """Bytes of an IFD's table."""
    return 8 + entries * 20 + 8 if big else 2 + entries * 12 + 4


def tiff_header(order: str, first_offset: int, big: bool = False) -> bytes:
    mark = b"II" if order == "<" else b"MM"
    if big:
        return mark + struct.pack(order + "HHHQ", 43, 8, 0, first_offset)
    return mark + struct.pack(order + "HI", 42, first_offset)

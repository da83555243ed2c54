"""Changes to files that keep their structure, so that a reader gets past its first checks.

Chunks, boxes, segments, tags, members and values are changed, dropped, repeated and mixed; lengths
and checksums are made right again, mostly.
"""

import io
import json
import pickletools
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

Mutation = Callable[[bytes, random.Random], bytes]

NUMBERS = (0, 1, 2, 3, 8, 16, 255, 256, 4095, 32767, 32768, 65535, 65536, 1 << 24, 2**31 - 1)
NUMBERS += (2**31, 2**32 - 1, 2**63, 2**64 - 1)
TEXTS = ("", "\x1b]0;title\x07\x1b[31m", "[/]", "x" * 5000, "../../../etc/passwd", "\0", "\ud800")
VALUES: tuple[Any, ...] = (None, True, -1, 0, 1, 2, 3.5, 1e308, 2**31, 10**30, float("nan"), [], {})
VALUES += (float("inf"), [[]], {"": None}, [-1], [10**12], *TEXTS)
TAGS = (254, 256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 282, 284, 317, 320, 322, 323)
TAGS += (324, 325, 338, 339, 347, 700, 33723, 34665, 34675, 34853, 37500, 40965, 513, 514)
LOCATORS = (b"Exif\0\0", b"http://ns.adobe.com", b"ICC_PROFILE")


def mutate(data: bytes, draw: random.Random) -> bytes:
    """One to four changes, most of them by the structure that the data have."""
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        change = structure_of(data) if draw.random() < 0.75 else scramble
        with suppress(Exception):  # too damaged by the change before
            data = change(data, draw)
    return data or b"\0"


def structure_of(data: bytes) -> Mutation:
    if data[4:8] in (b"ftyp", b"jP  ", b"JXL "):
        return mutate_boxes
    for start, change in STRUCTURES.items():
        if data.startswith(start):
            return change
    header = int.from_bytes(data[:8], "little")
    return mutate_safetensors if 2 <= header < len(data) else put_number


def scramble(data: bytes, draw: random.Random) -> bytes:
    """Bytes changed, overwritten, left out, repeated or cut off."""
    changed = bytearray(data or b"\0")
    near = draw.random() < 0.5
    at = draw.randrange(min(len(changed), 100) if near else len(changed))
    length = draw.choice((1, 2, 4, 32))
    match draw.randrange(8):
        case 0:
            changed[at : at + length] = draw.choice((b"\0", b"\xff", b"\x7f")) * length
        case 1:
            del changed[at : at + length]
        case 2:
            changed[at:at] = changed[at : at + length] * draw.choice((1, 1, 1000))
        case 3:
            del changed[max(at, 1) :]
        case _:
            changed[at] = draw.randrange(256)
    return bytes(changed)


def put_number(data: bytes, draw: random.Random) -> bytes:
    """A number that readers stumble over, at any place, in either byte order."""
    size = draw.choice((1, 2, 2, 4, 4, 8))
    value = draw.choice((*NUMBERS, len(data), len(data) - 1)) % 256**size
    at = draw.randrange(max(1, min(len(data), draw.choice((64, len(data)))) - size + 1))
    raw = value.to_bytes(size, draw.choice(("little", "big")))
    return data[:at] + raw + data[at + size :]


def mix(parts: list[bytes], draw: random.Random, inner: Mutation) -> list[bytes]:
    """Of the parts of a file one changed, dropped, repeated, moved or taken for another's."""
    if not parts:
        return parts
    at, other = draw.randrange(len(parts)), draw.randrange(len(parts))
    match draw.randrange(10):
        case 0:
            return parts[:at] + parts[at + 1 :]
        case 1:
            return parts[:at] + [parts[at]] * draw.choice((2, 2, 3, 300)) + parts[at + 1 :]
        case 2:
            parts[at], parts[other] = parts[other], parts[at]
            return parts
        case 3:
            return [*parts[:at], parts[other], *parts[at:]]
        case _:
            return [*parts[:at], inner(parts[at], draw), *parts[at + 1 :]]


def mutate_png(data: bytes, draw: random.Random) -> bytes:
    chunks, at = [], 8
    while at + 8 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        chunks.append(data[at + 4 : at + 8 + length])
        at += 12 + length
    chunks = mix(chunks, draw, _mutate_chunk)
    return data[:8] + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
        if len(chunk) >= 4
    )


def _mutate_chunk(chunk: bytes, draw: random.Random) -> bytes:
    name, body = chunk[:4], chunk[4:]
    if name in (b"IDAT", b"fdAT", b"iCCP", b"zTXt") and draw.random() < 0.7:
        skip = {b"fdAT": 4, b"IDAT": 0}.get(name)
        skip = body.index(b"\0") + 2 if skip is None else skip
        inner = put_number if draw.random() < 0.7 else scramble
        plain = inner(zlib.decompress(body[skip:]), draw)
        return name + body[:skip] + zlib.compress(plain * draw.choice((1, 1, 1, 1000)))
    return name + mutate_payload(body, draw)


def mutate_payload(body: bytes, draw: random.Random) -> bytes:
    """What lies in a chunk or segment: metadata with a structure of their own, or numbers."""
    start = next((start for start in LOCATORS if body.startswith(start)), b"")
    inner = body[len(start) :]
    if inner[:2] in (b"II", b"MM"):
        return start + mutate_tiff(inner, draw)
    return (put_number if draw.random() < 0.7 else scramble)(body, draw)


def mutate_jpeg(data: bytes, draw: random.Random) -> bytes:
    segments, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        length = struct.unpack_from(">H", data, at + 2)[0]
        segments.append(data[at + 1 : at + 2] + data[at + 4 : at + 2 + length])
        at += 2 + length

    def change(segment: bytes, draw: random.Random) -> bytes:
        return segment[:1] + mutate_payload(segment[1:], draw)

    head = b"".join(
        b"\xff" + one[:1] + struct.pack(">H", min(len(one) + 1, 65535)) + one[1:]
        for one in mix(segments, draw, change)
    )
    return data[:2] + head + data[at:]


def mutate_riff(data: bytes, draw: random.Random) -> bytes:
    chunks, at = [], 12
    while at + 8 <= len(data):
        length = struct.unpack_from("<I", data, at + 4)[0]
        chunks.append(data[at : at + 4] + data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2

    def change(chunk: bytes, draw: random.Random) -> bytes:
        return chunk[:4] + mutate_payload(chunk[4:], draw)

    body = b"".join(
        one[:4] + struct.pack("<I", len(one) - 4) + one[4:] + bytes(len(one) % 2)
        for one in mix(chunks, draw, change)
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + data[8:12] + body


BOXES_WITHIN = (b"meta", b"iprp", b"ipco", b"jp2h", b"moov", b"trak", b"mdia", b"iinf", b"asoc")


def mutate_boxes(data: bytes, draw: random.Random) -> bytes:
    boxes = list(_boxes(data))
    return b"".join(struct.pack(">I", len(box) + 4) + box for box in mix(boxes, draw, _mutate_box))


def _mutate_box(box: bytes, draw: random.Random) -> bytes:
    if box[:4] in BOXES_WITHIN and draw.random() < 0.8:
        skip = 8 if box[:4] == b"meta" else 4
        return box[:skip] + mutate_boxes(box[skip:], draw)
    return box[:4] + mutate_payload(box[4:], draw)


def _boxes(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + 8 <= len(data):
        length = struct.unpack_from(">I", data, at)[0] or len(data) - at
        yield data[at + 4 : at + max(8, length)]
        at += max(8, length)


def mutate_tiff(data: bytes, draw: random.Random) -> bytes:
    """An entry of a directory gets another tag, type, count or value."""
    order = "<" if data[:2] == b"II" else ">"
    tables = [struct.unpack_from(order + "I", data, 4)[0]]
    while len(tables) < 8:
        count = struct.unpack_from(order + "H", data, tables[-1])[0]
        following = struct.unpack_from(order + "I", data, tables[-1] + 2 + 12 * count)[0]
        if not following or following in tables:
            break
        tables.append(following)
    table = draw.choice(tables)
    count = struct.unpack_from(order + "H", data, table)[0]
    entry = table + 2 + 12 * draw.randrange(max(1, count))
    changed = bytearray(data)
    value = draw.choice((*NUMBERS[:17], len(data), table, 8, 100))
    match draw.randrange(8):
        case 0:
            struct.pack_into(order + "H", changed, entry, draw.choice(TAGS))
        case 1 | 2:
            struct.pack_into(order + "H", changed, entry + 2, draw.randrange(20))
        case 3:
            struct.pack_into(order + "I", changed, entry + 4, value)
        case 4:
            struct.pack_into(order + "I", changed, table + 2 + 12 * count, draw.choice(tables))
        case _:
            struct.pack_into(order + "I", changed, entry + 8, value)
    return bytes(changed)


def mutate_zip(data: bytes, draw: random.Random) -> bytes:
    """A file of torch.save: its pickle by opcodes, and its members."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(one, archive.read(one)) for one in archive.namelist()]
    at = draw.randrange(len(members)) if draw.random() < 0.4 else 0
    name, body = members[at]
    if draw.random() < 0.15:
        members.append(draw.choice(members))
    elif draw.random() < 0.15:
        del members[at]
    else:
        is_pickle = name.endswith("data.pkl")
        members[at] = name, (mutate_pickle if is_pickle else scramble)(body, draw)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, body in members:
            archive.writestr(zipfile.ZipInfo(name), body)
    return made.getvalue()


OPCODES = (b"0", b"1", b"2", b"(", b"]", b"}", b")", b"R", b"b", b"a", b"u", b"Q", b"t", b"\x85")
OPCODES += (b"\x86", b"e", b"\x93", b"\x8f", b"\x90", b"h\0", b"q\0", b"K\xff", b"N", b"\x88")
OPCODES += (b"\x8a\x7f" + b"\xff" * 127, b"I999999999999\n", b"F1e309\n", b"J\xff\xff\xff\x7f")
OPCODES += (b"cos\nsystem\n", b"ctorch\nzeros\n", b"ccollections\nOrderedDict\n")
OPCODES += (b"ctorch._utils\n_rebuild_tensor_v2\n",)


def mutate_pickle(data: bytes, draw: random.Random) -> bytes:
    starts = [place for _, _, place in pickletools.genops(data) if place is not None]
    ops = [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]
    if draw.random() < 0.4:
        at = draw.randrange(len(ops))
        return b"".join([*ops[:at], draw.choice(OPCODES), *ops[at + draw.randrange(2) :]])
    return b"".join(mix(ops, draw, put_number))


def mutate_safetensors(data: bytes, draw: random.Random) -> bytes:
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    raw = json.dumps(mutate_value(header, draw)).encode("utf-8", "surrogatepass")
    body = data[8 + length :] if draw.random() < 0.8 else scramble(data[8 + length :], draw)
    return struct.pack("<Q", len(raw)) + raw + body


def mutate_text(data: bytes, draw: random.Random) -> bytes:
    """JSON by its values, other text by its lines and words."""
    lines = data.split(b"\n")
    if data[:1] in b"{[" and draw.random() < 0.8:
        at = draw.randrange(len(lines)) if data.count(b"\n{") else None
        changed = mutate_value(json.loads(data if at is None else lines[at]), draw)
        raw = json.dumps(changed).encode("utf-8", "surrogatepass")
        return raw if at is None else b"\n".join([*lines[:at], raw, *lines[at + 1 :]])
    return b"\n".join(mix(lines, draw, _mutate_line))


def _mutate_line(line: bytes, draw: random.Random) -> bytes:
    separator = b"," if b"," in line and draw.random() < 0.5 else b" "
    words = line.split(separator)
    return separator.join(mix(words, draw, _mutate_word))


def _mutate_word(word: bytes, draw: random.Random) -> bytes:
    if draw.random() < 0.2:
        return draw.choice(TEXTS).encode("utf-8", "surrogatepass")
    name, equals, _ = word.rpartition(b"=")
    return name + equals + str(draw.choice((*NUMBERS, -1, -(2**31), 1e308, "nan"))).encode()


def mutate_value(value: Any, draw: random.Random) -> Any:
    """One value somewhere in a tree of JSON is another one, is missing, or has another name."""
    if isinstance(value, dict) and value and draw.random() < 0.95:
        name = draw.choice(list(value))
        if draw.random() < 0.1:
            return {key: item for key, item in value.items() if key != name}
        if draw.random() < 0.1:
            return value | {draw.choice((*TEXTS[:-1], *value)): value[name]}
        return value | {name: mutate_value(value[name], draw)}
    if isinstance(value, list) and value and draw.random() < 0.9:
        at = draw.randrange(len(value))
        return [*value[:at], mutate_value(value[at], draw), *value[at + 1 :]]
    if isinstance(value, str) and value[:1] in ("{", "[") and draw.random() < 0.9:
        with suppress(ValueError):
            return json.dumps(mutate_value(json.loads(value), draw))
    return draw.choice((*VALUES, *NUMBERS))


STRUCTURES: dict[bytes, Mutation] = {
    b"\x89PNG\r\n\x1a\n": mutate_png,
    b"\xff\xd8\xff": mutate_jpeg,
    b"RIFF": mutate_riff,
    b"II*\0": mutate_tiff,
    b"MM\0*": mutate_tiff,
    b"PK": mutate_zip,
    b"{": mutate_text,
    b"[": mutate_text,
    b"7767517": mutate_text,
    b"P": mutate_text,
}

"""What PNG's own chunks say of its colours -> an ICC profile, which other formats understand too.

https://www.w3.org/TR/png-3/#11addnlcolinfo; ITU-T H.273 for the numbers of cICP; ICC.1:2001-04.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from srgan_cli.errors import ImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURED = 2  # the bit of the colour type that gray lacks
SRGB_GAMMA = 0.45455
CLOSE = 0.01  # what gamma may differ from sRGB's and chromaticities from others, to mean the same
D50 = (0.9642, 1.0, 0.8249)
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)

BT709 = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
"""x and y of white, red, green and blue, as in cHRM. sRGB's are these."""

PRIMARIES = {
    1: BT709,
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
SRGB_CURVE = 13
EXPONENTS = {4: 2.2, 5: 2.8, 8: 1.0}
HDR = {16: "PQ", 18: "HLG"}


@dataclass(frozen=True)
class Space:
    """exponent: of the curve from samples to light; None for sRGB's curve."""

    places: Sequence[float]
    exponent: float | None


def png_profile(head: bytes) -> bytes | None:
    """The profile that a PNG file describes without having one; None for sRGB or nothing said.

    head: the file's beginning, up to its pixels. ImageError for HDR, which no profile describes.
    """
    chunks = _chunks(head)
    space = _space(chunks)
    if space is None:
        return None
    return _profile(space, gray=not chunks[b"IHDR"][9] & COLOURED)


def _chunks(head: bytes) -> dict[bytes, bytes]:
    """Those before the pixels."""
    found: dict[bytes, bytes] = {}
    at = len(SIGNATURE)
    while head.startswith(SIGNATURE) and at + 8 <= len(head) and b"IDAT" not in found:
        length, name = struct.unpack_from(">I4s", head, at)
        found.setdefault(name, head[at + 8 : at + 8 + length])
        at += length + 12
    return found if len(found.get(b"IHDR", b"")) == 13 else {}


def _space(chunks: dict[bytes, bytes]) -> Space | None:
    if len(chunks.get(b"cICP", b"")) == 4:
        return _of_numbers(*chunks[b"cICP"][:2])
    if not chunks or b"iCCP" in chunks or b"sRGB" in chunks:
        return None
    gamma = _hundred_thousandths(chunks.get(b"gAMA", b""), 1)
    places = _hundred_thousandths(chunks.get(b"cHRM", b""), 8) or BT709
    usual = not gamma or abs(gamma[0] - SRGB_GAMMA) < CLOSE
    if usual and np.allclose(places, BT709, atol=CLOSE):
        return None
    return Space(places, 1 / gamma[0] if gamma else None)


def _of_numbers(primaries: int, curve: int) -> Space | None:
    """cICP's first two."""
    if curve in HDR:
        raise ImageError(
            f"{HDR[curve]} pictures are not supported; convert it to sRGB or Display P3"
        )
    if primaries not in PRIMARIES or curve not in (SRGB_CURVE, *EXPONENTS):
        return None
    if (primaries, curve) == (1, SRGB_CURVE):
        return None
    return Space(PRIMARIES[primaries], EXPONENTS.get(curve))


def _hundred_thousandths(data: bytes, count: int) -> tuple[float, ...]:
    """Nothing where the chunk is not what it should be."""
    if len(data) != 4 * count:
        return ()
    values = tuple(value / 100_000 for value in struct.unpack(f">{count}I", data))
    return values if all(0.01 <= value <= 10 for value in values) else ()


def _profile(space: Space, gray: bool) -> bytes:
    """Version 2, of a display."""
    curve = _curve(space.exponent)
    tags = {
        b"desc": _description("PNG"),
        b"cprt": b"text\0\0\0\0No copyright\0",
        b"wtpt": _xyz(D50),
    }
    if gray:
        tags[b"kTRC"] = curve
    else:
        for name, colour in zip((b"r", b"g", b"b"), _colorants(space.places), strict=True):
            tags |= {name + b"XYZ": _xyz(colour), name + b"TRC": curve}
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        table += struct.pack(">4sII", name, start + len(data), len(tag))
        data += tag + bytes(-len(tag) % 4)
    kind = b"mntr" + (b"GRAY" if gray else b"RGB ") + b"XYZ "
    date = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    head = struct.pack(">I4xI", start + len(data), 0x02100000) + kind + date + b"acsp"
    illuminant = _xyz(D50)[8:]
    return (head.ljust(68, b"\0") + illuminant).ljust(128, b"\0") + table + data


def _colorants(places: Sequence[float]) -> np.ndarray:
    """(3, 3): XYZ of red, green and blue, seen under D50 instead of their own white."""
    x, y = np.reshape(places, (4, 2)).T
    white, *colours = np.stack([x / y, np.ones(4), (1 - x - y) / y], axis=1)
    share = np.linalg.solve(np.transpose(colours), white)
    adapted = np.diag(BRADFORD @ D50 / (BRADFORD @ white))
    adaptation = np.linalg.inv(BRADFORD) @ adapted @ BRADFORD
    return (share[:, None] * np.array(colours)) @ adaptation.T


def _curve(exponent: float | None) -> bytes:
    if exponent is not None:
        return b"curv" + struct.pack(">4xIH", 1, round(exponent * 256))
    values = np.linspace(0, 1, 1024)
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return b"curv" + struct.pack(">4xI", 1024) + np.rint(light * 65535).astype(">u2").tobytes()


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ " + struct.pack(">4x3i", *(round(value * 65536) for value in values))


def _description(text: str) -> bytes:
    """Its unicode and Macintosh versions stay empty."""
    plain = text.encode("ascii") + b"\0"
    return b"desc" + struct.pack(">4xI", len(plain)) + plain + bytes(8 + 3 + 67)

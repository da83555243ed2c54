"""ICC profiles: which can be used, conversion to sRGB, and the ones that PNG chunks describe.

https://www.w3.org/TR/png-3/#11addnlcolinfo; ITU-T H.273 for the numbers of cICP; ICC.1:2001-04.
"""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import takewhile

import numpy as np
import PIL.Image
from PIL import ImageCms

from srgan_cli.errors import ImageError
from srgan_cli.images.codecs.png import split_chunks
from srgan_cli.images.image import Image, Pixels, to_uint8

COLOR_SPACES = {"CMYK": b"CMYK", "LAB": b"Lab ", "RGB": b"RGB ", "L": b"GRAY"}
"""What profiles call PIL's modes."""

INVALID_PROFILE = "its ICC profile cannot be used and is left out"
TOLERANCE = 1  # levels by which littleCMS may change sRGB on its way to sRGB

PNG_COLOR_BIT = 2  # of the color type; gray lacks it
SRGB_GAMMA = 0.45455
PNG_TOLERANCE = 0.01  # in gamma and chromaticities, for them to mean the same
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
SRGB_TRANSFER = 13
EXPONENTS = {4: 2.2, 5: 2.8, 8: 1.0}
HDR = {16: "PQ", 18: "HLG"}
"""Primaries and transfer functions by their numbers in cICP."""


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """sRGB's profile: the same bytes each time, where littleCMS would write the present time."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    struct.pack_into(">6H", profile, 24, 2000, 1, 1, 0, 0, 0)
    return bytes(profile)


@lru_cache(maxsize=8)
def can_convert(profile: bytes, mode: str) -> bool:
    """Whether littleCMS can convert pixels of PIL's `mode` (L, RGB, CMYK or LAB) with it."""
    if profile[16:20] != COLOR_SPACES[mode]:
        return False
    try:
        return _convert(PIL.Image.new(mode, (1, 1)), profile) is not None
    except MemoryError:  # a table of tags that claims gigabytes
        return False


def checked_profile(image: Image) -> Image:
    """The image without an ICC profile that cannot be used, and with a note on it.

    Gray may have one of RGB: programs show such images as RGB.
    """
    profile = image.icc_profile
    modes = ("L", "RGB") if image.pixels.shape[2] == 1 else ("RGB",)
    if profile is None or any(can_convert(profile, mode) for mode in modes):
        return image
    return replace(image, icc_profile=None).with_note(INVALID_PROFILE)


def to_srgb(image: PIL.Image.Image, profile: bytes | None) -> PIL.Image.Image:
    """RGB of the same size. Without a profile that can be used: PIL's formula."""
    return _convert(image, profile) or image.convert("RGB")


def _convert(image: PIL.Image.Image, profile: bytes | None) -> PIL.Image.Image | None:
    """The image in sRGB; None for a damaged profile, or one of another color space."""
    source = None
    try:
        if profile is not None and profile[16:20] == COLOR_SPACES.get(image.mode):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        elif image.mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        if source is None:
            return None
        target = ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def srgb_pixels(image: Image) -> Pixels:
    """(H, W, C): the pixels in sRGB, uint8 if the image has a profile.

    A profile that cannot be used counts as none, as it does for programs that show the image.
    """
    if image.icc_profile is None:
        return image.pixels
    return _pixels_to_srgb(to_uint8(image.pixels), image.icc_profile)


def convert_to_srgb(image: Image) -> Image:
    """The same colors for a format that cannot hold a profile; 16-bit images are left alone."""
    if image.icc_profile is None or image.depth != 8:
        return image
    pixels = _pixels_to_srgb(image.pixels, image.icc_profile)
    same = _almost_equal(pixels, image.pixels)
    return replace(image, pixels=image.pixels if same else pixels, icc_profile=None)


def needs_profile(image: Image) -> bool:
    """Whether the image looks different without its profile and cannot be converted: littleCMS
    is only given 8 bits a sample."""
    if image.icc_profile is None or image.depth == 8:
        return False
    return not _is_srgb(image.icc_profile, image.pixels.shape[2])


@lru_cache(maxsize=8)
def _is_srgb(profile: bytes, channels: int) -> bool:
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    grid = np.stack(np.meshgrid(*[levels] * channels), axis=-1)
    grid = grid.reshape(len(levels), -1, channels)
    return _almost_equal(_pixels_to_srgb(grid, profile), grid)


def _pixels_to_srgb(pixels: Pixels, profile: bytes) -> Pixels:
    """(H, W, 1 or 3) uint8 of one space -> the same of sRGB."""
    gray = pixels.shape[2] == 1
    image = PIL.Image.fromarray(pixels[..., 0] if gray else pixels)
    return np.asarray(to_srgb(image, profile))[..., : pixels.shape[2]]


def _almost_equal(pixels: Pixels, others: Pixels) -> bool:
    return bool(np.abs(pixels.astype(np.int16) - others).max() <= TOLERANCE)


@dataclass(frozen=True)
class ColorSpace:
    """exponent: of the curve from samples to light; None for sRGB's curve."""

    chromaticities: Sequence[float]
    exponent: float | None


def png_profile(head: bytes) -> bytes | None:
    """The profile that a PNG file describes without having one; None for sRGB, nothing said, and
    primaries that no profile describes.

    head: the file's beginning, up to its pixels. ImageError for HDR, which no profile describes.
    """
    chunks = _read_chunks(head)
    space = _color_space(chunks)
    if space is None:
        return None
    try:
        return _build_profile(space, gray=not chunks[b"IHDR"][9] & PNG_COLOR_BIT)
    except (np.linalg.LinAlgError, struct.error):  # they lie on a line, or almost
        return None


def _read_chunks(head: bytes) -> dict[bytes, bytes]:
    """Name -> content of the chunks before the pixels; of several of one name the first."""
    found: dict[bytes, bytes] = {}
    for name, chunk in takewhile(lambda each: each[0] != b"IDAT", split_chunks(head)):
        found.setdefault(name, chunk[8:-4])
    return found if len(found.get(b"IHDR", b"")) == 13 else {}


def _color_space(chunks: dict[bytes, bytes]) -> ColorSpace | None:
    if len(chunks.get(b"cICP", b"")) == 4:
        return _cicp_color_space(*chunks[b"cICP"][:2])
    if not chunks or b"iCCP" in chunks or b"sRGB" in chunks:
        return None
    gamma = _fixed_point(chunks.get(b"gAMA", b""), 1)
    chromaticities = _fixed_point(chunks.get(b"cHRM", b""), 8) or BT709
    has_srgb_curve = not gamma or abs(gamma[0] - SRGB_GAMMA) < PNG_TOLERANCE
    if has_srgb_curve and np.allclose(chromaticities, BT709, atol=PNG_TOLERANCE):
        return None
    return ColorSpace(chromaticities, 1 / gamma[0] if gamma else None)


def _cicp_color_space(primaries: int, transfer: int) -> ColorSpace | None:
    if transfer in HDR:
        raise ImageError(
            f"{HDR[transfer]} images are not supported; convert it to sRGB or Display P3"
        )
    if primaries not in PRIMARIES or transfer not in (SRGB_TRANSFER, *EXPONENTS):
        return None
    if (primaries, transfer) == (1, SRGB_TRANSFER):
        return None
    return ColorSpace(PRIMARIES[primaries], EXPONENTS.get(transfer))


def _fixed_point(data: bytes, count: int) -> tuple[float, ...]:
    """PNG's numbers in units of 1 / 100,000; nothing where the chunk is not what it should be."""
    if len(data) != 4 * count:
        return ()
    values = tuple(value / 100_000 for value in struct.unpack(f">{count}I", data))
    return values if all(0.01 <= value <= 10 for value in values) else ()


def _build_profile(space: ColorSpace, gray: bool) -> bytes:
    """Version 2, of a display."""
    curve = _curve_tag(space.exponent)
    tags = {
        b"desc": _description_tag(b"PNG\0"),
        b"cprt": b"text\0\0\0\0No copyright\0",
        b"wtpt": _xyz_tag(D50),
    }
    if gray:
        tags[b"kTRC"] = curve
    else:
        for name, color in zip((b"r", b"g", b"b"), _primaries_xyz(space), strict=True):
            tags |= {name + b"XYZ": _xyz_tag(color), name + b"TRC": curve}
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        table += struct.pack(">4sII", name, start + len(data), len(tag))
        data += tag + bytes(-len(tag) % 4)
    kind = b"mntr" + (b"GRAY" if gray else b"RGB ") + b"XYZ "
    date = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    head = struct.pack(">I4xI", start + len(data), 0x02100000) + kind + date + b"acsp"
    head = head.ljust(68, b"\0") + _xyz_tag(D50)[8:]
    return head.ljust(128, b"\0") + table + data


def _primaries_xyz(space: ColorSpace) -> np.ndarray:
    """(3, 3): XYZ of red, green and blue, adapted from their own white to D50."""
    x, y = np.reshape(space.chromaticities, (4, 2)).T
    white, *colors = np.stack([x / y, np.ones(4), (1 - x - y) / y], axis=1)
    weights = np.linalg.solve(np.transpose(colors), white)
    gains = np.diag(BRADFORD @ D50 / (BRADFORD @ white))
    convert = np.linalg.inv(BRADFORD) @ gains @ BRADFORD
    return (weights[:, None] * np.array(colors)) @ convert.T


def _curve_tag(exponent: float | None) -> bytes:
    if exponent is not None:
        return b"curv" + struct.pack(">4xIH", 1, round(exponent * 256))
    values = np.linspace(0, 1, 1024)
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return b"curv" + struct.pack(">4xI", 1024) + np.rint(light * 65535).astype(">u2").tobytes()


def _xyz_tag(values: Sequence[float]) -> bytes:
    return b"XYZ " + struct.pack(">4x3i", *(round(value * 65536) for value in values))


def _description_tag(text: bytes) -> bytes:
    """Its unicode and Macintosh versions stay empty."""
    return b"desc" + struct.pack(">4xI", len(text)) + text + bytes(8 + 3 + 67)

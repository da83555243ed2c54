"""ICC profiles: which can be used, and conversion of the pixels to sRGB."""

import io
import struct
from dataclasses import replace
from functools import lru_cache

import numpy as np
import PIL.Image
from PIL import ImageCms

from srgan_cli.images.image import Image, Pixels, to_uint8

COLOR_SPACES = {"CMYK": b"CMYK", "LAB": b"Lab ", "RGB": b"RGB ", "L": b"GRAY"}
"""What profiles call PIL's modes."""

INVALID_PROFILE = "its ICC profile cannot be used and is left out"
TOLERANCE = 1  # levels by which littleCMS may change sRGB on its way to sRGB


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

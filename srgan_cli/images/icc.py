"""Colour spaces that networks do not see -> sRGB, through the picture's own profile."""

import io
import struct
from dataclasses import replace
from functools import lru_cache

import numpy as np
from PIL import Image as Pillow
from PIL import ImageCms

from srgan_cli.images.image import Image, Pixels, to_uint8

COLOR_SPACES = {"CMYK": b"CMYK", "LAB": b"Lab ", "RGB": b"RGB ", "L": b"GRAY"}  # of Pillow's modes

UNUSABLE_PROFILE = "its ICC profile cannot be used and is left out"
ROUNDING = 1  # levels by which littleCMS may change sRGB on its way to sRGB


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """The same bytes each time: littleCMS would put the present time into it."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    struct.pack_into(">6H", made, 24, 2000, 1, 1, 0, 0, 0)
    return bytes(made)


@lru_cache(maxsize=8)
def usable(profile: bytes, mode: str) -> bool:
    """Whether littleCMS can convert pixels of Pillow's `mode` (L, RGB, CMYK or LAB) with it."""
    if profile[16:20] != COLOR_SPACES[mode]:
        return False
    try:
        return _converted(Pillow.new(mode, (1, 1)), profile) is not None
    except MemoryError:  # a table of tags that claims gigabytes
        return False


def checked_profile(image: Image) -> Image:
    """Without an ICC profile that cannot be used, which is a remark.

    Gray may have one of RGB: programs show such images as RGB.
    """
    profile = image.icc_profile
    modes = ("L", "RGB") if image.pixels.shape[2] == 1 else ("RGB",)
    if profile is None or any(usable(profile, mode) for mode in modes):
        return image
    return replace(image, icc_profile=None, notes=(*image.notes, UNUSABLE_PROFILE))


def to_srgb(picture: Pillow.Image, profile: bytes | None) -> Pillow.Image:
    """RGB of the same size. Without a profile that can be used: Pillow's formula."""
    return _converted(picture, profile) or picture.convert("RGB")


def _converted(picture: Pillow.Image, profile: bytes | None) -> Pillow.Image | None:
    """None for a damaged profile, or one of another color space."""
    source = None
    try:
        if profile is not None and profile[16:20] == COLOR_SPACES.get(picture.mode):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        elif picture.mode == "LAB":
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        if source is None:
            return None
        target = ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
        return ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def srgb_pixels(image: Image) -> Pixels:
    """(H, W, C): the pixels in sRGB, uint8 if the image has a profile.

    A profile that cannot be used counts as none, as it does for programs that show the picture.
    """
    if image.icc_profile is None:
        return image.pixels
    return _as_srgb(to_uint8(image.pixels), image.icc_profile)


def without_profile(image: Image) -> Image:
    """The same colours for a format that cannot hold a profile: 8-bit pixels as sRGB."""
    if image.icc_profile is None or image.depth != 8:
        return image
    pixels = _as_srgb(image.pixels, image.icc_profile)
    same = _alike(pixels, image.pixels)
    return replace(image, pixels=image.pixels if same else pixels, icc_profile=None)


def needs_profile(image: Image) -> bool:
    """Whether the picture looks different without its profile and cannot be converted: littleCMS
    is only given 8 bits a sample."""
    if image.icc_profile is None or image.depth == 8:
        return False
    return not _is_srgb(image.icc_profile, image.pixels.shape[2])


@lru_cache(maxsize=8)
def _is_srgb(profile: bytes, colours: int) -> bool:
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    grid = np.stack(np.meshgrid(*[steps] * colours), axis=-1).reshape(len(steps), -1, colours)
    return _alike(_as_srgb(grid, profile), grid)


def _as_srgb(pixels: np.ndarray, profile: bytes) -> np.ndarray:
    """(H, W, 1 or 3) uint8 of one space -> the same of sRGB."""
    gray = pixels.shape[2] == 1
    picture = Pillow.fromarray(pixels[..., 0] if gray else pixels)
    return np.asarray(to_srgb(picture, profile))[..., : pixels.shape[2]]


def _alike(pixels: np.ndarray, others: np.ndarray) -> bool:
    return bool(np.abs(pixels.astype(np.int16) - others).max() <= ROUNDING)

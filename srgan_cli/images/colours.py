"""Colour spaces that networks do not see -> sRGB, through the picture's own profile."""

import io
import struct
from dataclasses import replace
from functools import lru_cache

import numpy as np
from PIL import Image as Pillow
from PIL import ImageCms

from srgan_cli.images.value import Image

MANAGED = {"CMYK": b"CMYK", "LAB": b"Lab ", "RGB": b"RGB ", "L": b"GRAY"}

ROUNDING = 1  # levels by which littleCMS may change sRGB on its way to sRGB


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """The same bytes each time: littleCMS would put the present time into it."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    struct.pack_into(">6H", made, 24, 2000, 1, 1, 0, 0, 0)
    return bytes(made)


def to_srgb(picture: Pillow.Image, profile: bytes | None) -> Pillow.Image:
    """RGB of the same size. Without a profile, or with one of another space: Pillow's formula."""
    fits = profile is not None and profile[16:20] == MANAGED.get(picture.mode)
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if fits and profile else None
    if picture.mode == "LAB" and source is None:
        source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    if source is not None:
        target = ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
        try:
            managed = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
        except ImageCms.PyCMSError:  # a damaged profile; the picture is still there
            managed = None
        if managed is not None:
            return managed
    return picture.convert("RGB")


def without_profile(image: Image) -> Image:
    """The same colours for a format that cannot hold a profile: 8-bit pixels as sRGB."""
    if image.icc_profile is None or image.depth != 8:
        return image
    gray = image.pixels.shape[2] == 1
    picture = Pillow.fromarray(image.pixels[..., 0] if gray else image.pixels)
    pixels = np.asarray(to_srgb(picture, image.icc_profile))[..., : image.pixels.shape[2]]
    same = np.abs(pixels.astype(np.int16) - image.pixels).max() <= ROUNDING
    return replace(image, pixels=image.pixels if same else pixels, icc_profile=None)

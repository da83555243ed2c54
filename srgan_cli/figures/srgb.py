"""Colours of pictures with a profile, brought to the sRGB that a figure is in."""

import io

import numpy as np
from PIL import Image as Pillow
from PIL import ImageCms

from srgan_cli.figures.sheets import eight_bit
from srgan_cli.images.image import Image


def in_srgb(image: Image) -> np.ndarray:
    """(H, W, 1 or 3) as a figure shows it.

    As it is where there is no profile of RGB, or one that cannot be used: a program that shows the
    picture itself would do the same.
    """
    if image.icc_profile is None or image.pixels.shape[2] == 1:
        return image.pixels
    picture = Pillow.fromarray(eight_bit(image.pixels))
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(image.icc_profile))
        shown = ImageCms.profileToProfile(picture, own, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError):
        return image.pixels
    return image.pixels if shown is None else np.asarray(shown)

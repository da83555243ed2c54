"""The metadata of a decoded file -> an upright Image that keeps them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from PIL.ExifTags import Base as Tag

from srgan_cli.images.exif import (
    INVALID_EXIF,
    exif_from_page,
    iptc_of_info,
    iptc_of_page,
    is_exif_invalid,
    is_page_invalid,
    read_orientation,
    reset_exif_orientation,
    reset_xmp_orientation,
    valid_exif,
)
from srgan_cli.images.icc import checked_profile
from srgan_cli.images.image import Image, Pixels
from srgan_cli.images.tiff_tags import IFD

COMMENT = "Comment"
MAX_DPI = 10_000_000  # microscopes reach one; every format but JPEG holds it
BYTE_KINDS = (1, 2, 7)  # the types that an ICC profile or XMP may have in TIFF
GENERATED_COMMENT = "Created by OpenJPEG"  # where there is no other
OTHER_METADATA = ("Raw profile type", "XML:com.adobe.xmp")
"""Keywords of PNG's texts that hold EXIF, IPTC or XMP."""


def add_metadata(image: Image, info: Mapping[str, object], orientation: int | None = None) -> Image:
    """Upright and with what `info`, as Pillow names it, holds.

    orientation: 1 to 8 as EXIF numbers it; None for what EXIF or XMP say.
    """
    stored, xmp = info.get("exif"), info.get("xmp")
    stored = stored if isinstance(stored, bytes) else None
    if is_exif_invalid(stored):
        image = image.with_note(INVALID_EXIF)
    exif = valid_exif(stored)
    xmp = xmp if isinstance(xmp, bytes) and xmp else None
    if orientation is None:
        orientation = read_orientation(exif, xmp)
    return replace(
        rotate(checked_profile(image), orientation),
        exif=reset_exif_orientation(exif) if exif else None,
        xmp=reset_xmp_orientation(xmp) if xmp else None,
        iptc=iptc_of_info(info),
        dpi=valid_dpi(info.get("dpi")),
        text=_texts(info),
    )


def add_page_metadata(image: Image, page: IFD, orientation: int) -> Image:
    """Like `add_metadata`, for a page of a TIFF file; a profile that `image` has stays."""
    blocks = {"icc_profile": Tag.InterColorProfile, "xmp": Tag.XMLPacket}
    info: dict[str, Any] = {
        name: value.data
        for name, tag in blocks.items()
        if tag in page and (value := page[tag]).kind in BYTE_KINDS
    }
    info |= {"exif": exif_from_page(page), "iptc": iptc_of_page(page)}
    unit = {2: 1.0, 3: 2.54}.get(page.integer(Tag.ResolutionUnit, 2))
    if unit and Tag.XResolution in page and Tag.YResolution in page:
        info["dpi"] = (page.ratio(Tag.XResolution) * unit, page.ratio(Tag.YResolution) * unit)
    if image.icc_profile is None:
        image = replace(image, icc_profile=info.get("icc_profile"))
    if is_page_invalid(page):
        image = image.with_note(INVALID_EXIF)
    return add_metadata(image, info, orientation)


def rotate(image: Image, orientation: int) -> Image:
    """Upright, by the orientation that EXIF states, 1 to 8."""
    if orientation == 1:
        return image
    alpha = None if image.alpha is None else _rotate(image.alpha, orientation)
    return replace(image, pixels=_rotate(image.pixels, orientation), alpha=alpha)


def _rotate(samples: Pixels, orientation: int) -> Pixels:
    samples = samples.swapaxes(0, 1) if orientation >= 5 else samples
    down = -1 if orientation in (3, 4, 7, 8) else 1
    right = -1 if orientation in (2, 3, 6, 7) else 1
    return np.ascontiguousarray(samples[::down, ::right])


def valid_dpi(value: object) -> tuple[float, float] | None:
    """Horizontal, vertical; None for what is no resolution, such as more than MAX_DPI."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        return None
    across, down = (float(side) for side in value)
    return (across, down) if 0 < across <= MAX_DPI and 0 < down <= MAX_DPI else None


def _texts(info: Mapping[str, object]) -> dict[str, str]:
    """PNG's texts, which `info` holds under "text", and the comment of other formats."""
    texts = info.get("text")
    found = {str(key): str(text) for key, text in texts.items()} if isinstance(texts, dict) else {}
    comment = info.get("comment")
    if isinstance(comment, bytes):
        comment = comment.decode("utf-8", "replace").rstrip("\0")
    if isinstance(comment, str) and comment and not comment.startswith(GENERATED_COMMENT):
        found[COMMENT] = comment
    return {key: text for key, text in found.items() if not key.startswith(OTHER_METADATA)}

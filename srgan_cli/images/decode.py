"""What Pillow has decoded, or knows of -> pixels, alpha and metadata."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from srgan_cli.errors import ImageError
from srgan_cli.images import exif as metadata
from srgan_cli.images.icc import (
    UNUSABLE_PROFILE,
    checked_profile,
    srgb_profile,
    to_srgb,
    usable,
)
from srgan_cli.images.image import Image, Pixels
from srgan_cli.images.iptc import iptc_of_info

COMMENT = "Comment"
OPENJPEGS = "Created by OpenJPEG"  # its comment where there is no other
ALPHA_OF = {"L": "LA", "1": "LA", "RGB": "RGBA", "P": "RGBA", "PA": "RGBA", "La": "LA"}
ALPHA_OF |= {"RGBa": "RGBA", "LA": "LA", "RGBA": "RGBA"}
PLAIN_OF = {
    "1": "L",
    "L": "L",
    "RGB": "RGB",
    "P": "RGB",
    "RGBX": "RGB",
    "YCbCr": "RGB",
    "HSV": "RGB",
}


def decoded(opened: Pillow.Image) -> Image:
    """The loaded frame as it is stored, not yet upright, without metadata but the ICC profile."""
    profile = opened.info.get("icc_profile") or None
    if opened.mode in ("CMYK", "LAB"):
        return _converted(opened, profile)
    if opened.mode.startswith("I;16"):
        return replace(_deep_gray(opened), icc_profile=profile)
    clear = "transparency" in opened.info or opened.mode in ("LA", "La", "PA", "RGBA", "RGBa")
    mode = (ALPHA_OF if clear else PLAIN_OF).get(opened.mode)
    if mode is None:
        raise ImageError(unsupported(opened.mode))
    return replace(Image.from_samples(np.asarray(opened.convert(mode))), icc_profile=profile)


def _converted(opened: Pillow.Image, profile: bytes | None) -> Image:
    """CMYK or LAB as sRGB, through the profile if it can be used."""
    notes: tuple[str, ...] = ()
    if profile is not None and not usable(profile, opened.mode):
        profile, notes = None, (UNUSABLE_PROFILE,)
    pixels = np.asarray(to_srgb(opened, profile))
    return Image(pixels, icc_profile=srgb_profile(), notes=notes, converted_from=opened.mode)


def unsupported(mode: str) -> str:
    kind = {"I": "32-bit integer", "F": "floating-point"}.get(mode, mode)
    return f"{kind} samples are not supported; convert the picture to 8 or 16 bits"


def _deep_gray(opened: Pillow.Image) -> Image:
    pixels = np.asarray(opened).astype(np.uint16)
    clear = opened.info.get("transparency")
    alpha = None if clear is None else np.where(pixels == clear, 0, 65535).astype(np.uint16)
    return Image(pixels[..., None], alpha)


def upright(image: Image, turn: int) -> Image:
    """Turned as EXIF's orientation says, 1 to 8."""
    if turn == 1:
        return image
    alpha = None if image.alpha is None else _turned(image.alpha, turn)
    return replace(image, pixels=_turned(image.pixels, turn), alpha=alpha)


def _turned(samples: NDArray[np.generic], turn: int) -> Pixels:
    samples = samples.swapaxes(0, 1) if turn >= 5 else samples
    down, right = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}.get(
        turn, (1, 1)
    )
    turned: Pixels = np.ascontiguousarray(samples[::down, ::right])
    return turned


def finished(
    image: Image, info: Mapping[str, object], exif: bytes | None, turn: int | None = None
) -> Image:
    """Upright and with what `info`, Pillow's, and `exif` say. Call it when all is loaded.

    turn: the orientation, 1 to 8; None for what the metadata say.
    """
    if metadata.is_damaged(exif):
        image = replace(image, notes=(*image.notes, metadata.DAMAGED))
    exif = metadata.valid_exif(exif)
    xmp = info.get("xmp")
    xmp = xmp if isinstance(xmp, bytes) and xmp else None
    turn = metadata.read_orientation(exif, xmp) if turn is None else turn
    return replace(
        upright(checked_profile(image), turn),
        exif=metadata.reset_exif_orientation(exif) if exif else None,
        xmp=metadata.reset_xmp_orientation(xmp) if xmp else None,
        iptc=iptc_of_info(info),
        dpi=dpi_of(info.get("dpi")),
        text=_texts(info),
    )


def dpi_of(value: object) -> tuple[float, float] | None:
    """Horizontal, vertical; None for what is no resolution."""
    if not isinstance(value, tuple) or len(value) != 2:
        return None
    across, down = (float(side) for side in value)
    return (across, down) if across > 0 and down > 0 else None


def _texts(info: Mapping[str, object]) -> dict[str, str]:
    """PNG's texts, which `info` holds under "text", and the comment of other formats."""
    texts = info.get("text")
    found = {str(key): str(text) for key, text in texts.items()} if isinstance(texts, dict) else {}
    comment = info.get("comment")
    if isinstance(comment, bytes):
        comment = comment.decode("utf-8", "replace").rstrip("\0")
    if isinstance(comment, str) and comment and not comment.startswith(OPENJPEGS):
        found[COMMENT] = comment
    return {key: text for key, text in found.items() if not _elsewhere(key)}


def _elsewhere(key: str) -> bool:
    """Metadata that old programs put into texts; Pillow gives it as EXIF or XMP too."""
    return key.startswith("Raw profile type") or key == "XML:com.adobe.xmp"

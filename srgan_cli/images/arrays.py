"""NumPy arrays and PIL images to `Image` and back."""

from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from srgan_cli.errors import ImageError
from srgan_cli.images.codec_errors import read_errors
from srgan_cli.images.codecs.pillow_read import decode
from srgan_cli.images.exif import (
    DESCRIPTION_TAGS,
    ORIENTATION,
    PREFIX,
    set_exif_size,
    set_xmp_size,
    valid_exif,
)
from srgan_cli.images.icc import checked_profile
from srgan_cli.images.image import Image, ImageSequence, LazyImage, to_uint8
from srgan_cli.images.image_metadata import valid_dpi
from srgan_cli.images.read import open_lazy, read_frames
from srgan_cli.images.tiff_tags import SUB_IFDS

FLOAT_HINT = "convert them first: (255 * array).clip(0, 255).round().astype('uint8') for 0 to 1"
MAX_UINT16 = 65535


def from_array(array: NDArray[Any]) -> Image:
    """An Image of (H, W) or (H, W, 1) gray, (H, W, 3) RGB or (H, W, 4) RGBA, uint8 or uint16.

    Raises ImageError for another shape or type; nothing is scaled or clipped silently.
    """
    if array.dtype.kind == "f":
        raise ImageError(f"arrays of {array.dtype} are ambiguous; {FLOAT_HINT}")
    if array.dtype.kind != "u" or array.dtype.itemsize > 2:
        raise ImageError(f"arrays must be uint8 or uint16, not {array.dtype}; use array.astype()")
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or 0 in array.shape:
        raise ImageError(f"arrays must be (H, W) or (H, W, 1, 3 or 4), not {array.shape}")
    return Image.from_samples(np.ascontiguousarray(array, array.dtype.newbyteorder("=")))


def from_pil(opened: PIL.Image.Image) -> Image:
    """The current frame of a PIL image, with its ICC profile, EXIF, XMP and resolution.

    It is not rotated: EXIF's orientation stays, so width and height are those of the PIL image.
    Raises ImageError for floats ("F"), and for 32-bit integers ("I") beyond 16 bits.
    """
    with read_errors("PIL image"):
        opened.load()
        image = _from_int32(opened) if opened.mode == "I" else decode(opened)
        xmp = opened.info.get("xmp")
        return replace(
            checked_profile(image),
            exif=valid_exif(_read_exif(opened)),
            xmp=xmp if isinstance(xmp, bytes) and xmp else None,
            dpi=valid_dpi(opened.info.get("dpi")),
        )


def _from_int32(opened: PIL.Image.Image) -> Image:
    values = np.asarray(opened)
    if values.min() < 0 or values.max() > MAX_UINT16:
        raise ImageError("32-bit integers beyond 16 bits are not supported; scale them to 0..65535")
    return Image(values.astype(np.uint16)[..., None], icc_profile=opened.info.get("icc_profile"))


def _read_exif(opened: PIL.Image.Image) -> bytes | None:
    """The EXIF block; of a TIFF file only the tags that describe the image, not its storage."""
    stored = opened.info.get("exif")
    if isinstance(stored, bytes) and stored:
        return stored
    found, kept = opened.getexif(), PIL.Image.Exif()
    for tag in (ORIENTATION, *DESCRIPTION_TAGS):
        if tag in found:
            kept[tag] = found.get_ifd(tag) if tag in SUB_IFDS else found[tag]
    return kept.tobytes() if len(kept) else None


def to_pil(image: Image) -> PIL.Image.Image:
    """A PIL image of mode L, LA, RGB, RGBA or I;16, with the metadata in its `info`.

    PIL has no other modes of 16 bits: such samples are rounded to 8.
    """
    array = image.array if image.channels > 1 else image.array[..., 0]
    result = PIL.Image.fromarray(array if array.ndim == 2 else to_uint8(array))
    size = (image.height, image.width)
    info = {
        "icc_profile": image.icc_profile,
        "exif": image.exif and PREFIX + set_exif_size(image.exif, *size),
        "xmp": image.xmp and set_xmp_size(image.xmp, *size),
        "dpi": image.dpi,
    }
    result.info.update({name: value for name, value in info.items() if value is not None})
    return result


def open_image(image: object) -> Image | LazyImage:
    """A path, array, PIL image or Image as an Image. ImageError for anything else."""
    if isinstance(image, Image):
        return image
    if isinstance(image, np.ndarray):
        return from_array(image)
    if isinstance(image, PIL.Image.Image):
        return from_pil(image)
    if isinstance(image, str | PathLike):
        return _read_one(Path(image))
    kind = f"{type(image).__module__}.{type(image).__qualname__}"
    raise ImageError(
        f"cannot upscale {kind}: pass a path, a PIL image, or an array (H, W) or (H, W, C) of "
        "uint8 or uint16; of a tensor in [0, 1] (255 * t).round().byte().permute(1, 2, 0).numpy()"
    )


def _read_one(path: Path) -> Image | LazyImage:
    image = open_lazy(path) or read_frames(path)
    if isinstance(image, ImageSequence):
        raise ImageError(
            f"{path.name}: it has {len(image.images)} frames or pages: open one of them with "
            "PIL, or use srgan upscale, which keeps them all"
        )
    return image


def convert_back(result: Image, image: object) -> Any:
    """`result` as the kind of value that `image`, given to `open_image`, was."""
    if isinstance(image, np.ndarray):
        return result.array[..., 0] if image.ndim == 2 else result.array
    if isinstance(image, PIL.Image.Image):
        return to_pil(result).convert("I") if image.mode == "I" else to_pil(result)
    return result

"""What an image is in memory: pixels, alpha and what else its file stated."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

if TYPE_CHECKING:
    import PIL.Image

BAND_BYTES = 1 << 24
BAND_SAMPLES = 1 << 18

Pixels = NDArray[Any]  # uint8 or uint16; an Image checks it


def to_uint8(samples: Pixels) -> NDArray[np.uint8]:
    """uint8 or uint16 of any shape -> uint8, rounded: 65535 becomes 255. uint8 is not copied."""
    if samples.dtype == np.uint8:
        return samples
    result = np.empty(samples.shape, np.uint8)
    for rows in row_bands(samples):
        result[rows] = (samples[rows].astype(np.uint32) + 128) // 257
    return result


def to_rgb_uint8(pixels: Pixels) -> NDArray[np.uint8]:
    """(H, W, 1 or 3) of any depth -> (H, W, 3) uint8."""
    return np.ascontiguousarray(np.broadcast_to(to_uint8(pixels), (*pixels.shape[:2], 3)))


def crop_center(pixels: Pixels, side: int) -> Pixels:
    """The center of (H, W, ...), at most `side` pixels each way. Not a copy."""
    top, left = (max(0, length - side) // 2 for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side]


def to_uint16(samples: Pixels, white: int) -> NDArray[np.uint16]:
    """0 .. white -> 0 .. 65535, rounded; what is above white becomes white."""
    result = np.empty(samples.shape, np.uint16)
    for rows in row_bands(samples):
        wide = np.minimum(samples[rows], white).astype(np.uint32)
        result[rows] = (wide * 65535 + white // 2) // white
    return result


def row_bands(samples: Pixels) -> Iterator[slice]:
    """Rows of (H, ...), from top to bottom: few at a time, for arithmetic of wider numbers."""
    rows = max(1, BAND_SAMPLES // max(1, samples[0].size)) if len(samples) else 1
    return (slice(top, top + rows) for top in range(0, len(samples), rows))


@dataclass(frozen=True, eq=False)
class Image:
    """One upright image; the dtype of `pixels` is its bit depth.

    pixels: (H, W, 1) gray or (H, W, 3) RGB, uint8 or uint16. alpha: (H, W) of the same dtype, not
    premultiplied. exif: a TIFF block, without the "Exif" prefix of JPEG. dpi: horizontal,
    vertical. text: PNG's texts under their keywords; a comment of JPEG or GIF is "Comment".
    iptc: IPTC-IIM data sets. notes: what reading left out, a sentence each. converted_from: the
    color space of the file, such as CMYK, if the pixels were converted to sRGB.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    icc_profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    text: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    converted_from: str | None = None

    def __post_init__(self) -> None:
        shape, dtype = self.pixels.shape, self.pixels.dtype
        if len(shape) != 3 or shape[2] not in (1, 3) or 0 in shape:
            raise ValueError(f"pixels are (H, W, 1) or (H, W, 3), not {shape}")
        if dtype not in (np.uint8, np.uint16):
            raise ValueError(f"pixels are uint8 or uint16, not {dtype}")
        if self.alpha is not None and (self.alpha.shape, self.alpha.dtype) != (shape[:2], dtype):
            raise ValueError(f"alpha is {shape[:2]} {dtype}, not {self.alpha.shape}")

    @classmethod
    def from_samples(cls, samples: Pixels) -> "Image":
        """samples: (H, W) or (H, W, 1 to 4); of two and four channels the last one is alpha."""
        samples = samples if samples.ndim == 3 else samples[..., None]
        if samples.shape[2] in (1, 3):
            return cls(samples)
        colors, alpha = samples[..., :-1], samples[..., -1]
        return cls(np.ascontiguousarray(colors), np.ascontiguousarray(alpha))

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        """1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha."""
        return int(self.pixels.shape[2]) + (self.alpha is not None)

    @property
    def gray(self) -> bool:
        """Whether R = G = B everywhere, in however many channels."""
        return bool((self.pixels == self.pixels[..., :1]).all())

    @property
    def array(self) -> Pixels:
        """(H, W, C) uint8 or uint16. C: 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha."""
        if self.alpha is None:
            return self.pixels
        return np.concatenate([self.pixels, self.alpha[..., None]], axis=2)

    def rows(self, top: int, bottom: int) -> Pixels:
        """(n, W, C): the part of `array` from row `top` up to `bottom`, without the whole of it."""
        alpha = None if self.alpha is None else self.alpha[top:bottom]
        return Image(self.pixels[top:bottom], alpha).array

    @property
    def depth(self) -> int:
        """Bits of a sample: 8 or 16."""
        return self.pixels.dtype.itemsize * 8

    @property
    def row_bytes(self) -> int:
        """Bytes of a row's samples, alpha included."""
        return self.width * self.channels * self.pixels.itemsize

    def save(
        self,
        path: str | PathLike[str],
        *,
        format: str | None = None,
        quality: int | None = None,
        lossless: bool = False,
        compression: int | None = None,
        strip: bool = False,
    ) -> None:
        """Write a file, atomically, with the ICC profile and as much metadata as the format holds.

        path: its suffix decides the format, unless `format` names one ("png", "jpeg", "tiff" ...).
        quality: 1 to 100, of lossy formats. lossless: for formats that can be either.
        compression: 0 (fast) to 9 (small), of lossless formats. strip: write no metadata but the
        profile. Raises ImageError for what the format cannot hold, such as 16 bits or alpha in a
        JPEG, and OptionError for values out of range.

        >>> import numpy as np
        >>> Image(np.zeros((2, 2, 3), np.uint16)).save("black.png", compression=9)
        """
        from srgan_cli.images.formats import Encoding
        from srgan_cli.images.write import write_image

        write_image(self, Path(path), Encoding(format, quality, lossless, compression, strip))

    def to_pil(self) -> "PIL.Image.Image":
        """A PIL image of mode L, LA, RGB, RGBA or I;16, with ICC profile, EXIF, XMP and DPI.

        PIL has no other modes of 16 bits, so such samples are rounded to 8; `array` and `save`
        keep them.

        >>> import numpy as np
        >>> Image(np.zeros((2, 3, 3), np.uint8)).to_pil().size
        (3, 2)
        """
        from srgan_cli.images.arrays import to_pil

        return to_pil(self)

    def with_size(self, height: int, width: int) -> "Image":
        """All about an image of that size but its samples: these are zero and take no memory."""
        empty = blank(height, width, self.pixels.shape[2], self.pixels.dtype)
        alpha = None if self.alpha is None else empty.pixels[..., 0]
        return replace(self, pixels=empty.pixels, alpha=alpha)

    def with_note(self, note: str) -> "Image":
        """note: a sentence on what reading left out."""
        return replace(self, notes=(*self.notes, note))


def blank(height: int, width: int, channels: int, dtype: DTypeLike) -> Image:
    """Zeros that take no memory. channels: 1 or 3."""
    return Image(np.broadcast_to(np.zeros((1, 1, channels), dtype), (height, width, channels)))


@dataclass(frozen=True)
class ImageSequence:
    """The frames of an animation, each as it is shown, or the pages of a document.

    durations: milliseconds, one per image; empty for pages. loop: how often the animation is
    played, 0 for endless; None for pages.
    """

    images: tuple[Image, ...]
    durations: tuple[int, ...] = ()
    loop: int | None = None

    def __post_init__(self) -> None:
        if not self.images or len(self.durations) not in (0, len(self.images)):
            raise ValueError("a sequence has images, and a duration for each or for none")

    @property
    def animated(self) -> bool:
        return bool(self.durations)


@dataclass(frozen=True, eq=False)
class LazyImage:
    """An image whose samples stay in its file, and are read when they are asked for.

    image: all but the samples, which are zero. rows: (n, W, C) samples of the rows top .. bottom.
    """

    image: Image
    rows: Callable[[int, int], Pixels]


AnyImage = Image | ImageSequence


def split_rows(image: Image) -> Iterator[Pixels]:
    """(n, W, C): the samples from top to bottom, alpha among them, not all at once."""
    rows = max(1, BAND_BYTES // image.row_bytes)
    for top in range(0, image.height, rows):
        yield image.rows(top, top + rows)


class RowBands:
    """Rows that arrive in any portions, regrouped into bands that depend on the image alone.

    So a file written as it is computed has the bytes of one that was written at once. rows: of
    every band but the last, which ends with the image at `height`.
    """

    def __init__(self, rows: int, height: int) -> None:
        self.rows = rows
        self.left = height
        """Rows that are still to be yielded."""
        self._pending: list[Pixels] = []
        self._count = 0

    def add(self, rows: Pixels) -> Iterator[Pixels]:
        """The bands that `rows`, (n, W, C), complete."""
        start = 0
        while start < len(rows):
            wanted = min(self.rows, self.left) - self._count
            part = rows[start : start + wanted]
            start += len(part)
            if len(part) == wanted:
                yield self._complete(part)
            else:  # copied: the caller may reuse its memory
                self._pending.append(part.copy())
                self._count += len(part)

    def _complete(self, part: Pixels) -> Pixels:
        band = np.concatenate([*self._pending, part]) if self._pending else part
        self._pending, self._count = [], 0
        self.left -= len(band)
        return band

"""What the tests of images need: files of other programs, metadata, small checks."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from srgan_cli.errors import ImageError
from srgan_cli.images.formats import Encoding, ImageProperties, check_target
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_bytes


def saved(source: Pillow.Image, format: str = "PNG", **settings: object) -> bytes:
    file = io.BytesIO()
    source.save(file, format, **settings)
    return file.getvalue()


def read(data: bytes, name: str = "x") -> Image:
    image = read_bytes(data, name)
    assert isinstance(image, Image)
    return image


def gradient(mode: str = "L") -> Pillow.Image:
    return Pillow.linear_gradient("L").resize((40, 30)).convert(mode)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def fits(name, height, width, channels, dtype) -> bool:
    try:
        depth = np.dtype(dtype).itemsize * 8
        needs = ImageProperties(height, width, depth, alpha=channels in (2, 4))
        check_target(Path("x"), Encoding(name), needs)
    except ImageError:
        return False
    return True


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" '
    b'exif:PixelXDimension="47"><tiff:ImageLength>33</tiff:ImageLength></rdf:Description>'
    b"</x:xmpmeta>"
)


IPTC = b"\x1c\x01Z\x00\x03\x1b%G\x1c\x02x\x00\x07Caption"


def full(make, profile, exif, dtype=np.uint8) -> Image:
    return make(
        dtype=dtype,
        icc_profile=profile,
        exif=exif(),
        xmp=XMP.replace(b"6", b"1", 1),
        dpi=(300.0, 200.0),
        text={"Comment": "füür"},
    )


def tags(exif: bytes) -> dict[int, object]:
    loaded = Pillow.Exif()
    loaded.load(exif)
    return {**dict(loaded), **loaded.get_ifd(34665)}

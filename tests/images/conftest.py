"""Images and metadata that the tests of images make on the spot."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from srgan_cli.images.image import Image

Make = Callable[..., Image]


def smooth(height: int, width: int, channels: int, dtype: type) -> np.ndarray:
    """A gradient that lossy codecs hardly change, different in each channel."""
    top = float(np.iinfo(dtype).max)
    down, across = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None]
    planes = [(down * (i + 1) + across * (4 - i)) / 5 for i in range(channels)]
    return np.rint(np.stack(planes, axis=2) * top).astype(dtype)


@pytest.fixture(scope="session")
def make() -> Make:
    def made(
        height: int = 33, width: int = 47, channels: int = 3, dtype: type = np.uint8, **more: object
    ) -> Image:
        samples = smooth(height, width, channels, dtype)
        if channels in (1, 3):
            return Image(samples, **more)
        return Image(samples[..., :-1], samples[..., -1], **more)

    return made


@pytest.fixture(scope="session")
def profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def exif() -> Callable[..., bytes]:
    def block(orientation: int = 1, order: str = "<") -> bytes:
        tags = Pillow.Exif()
        tags.endian = order
        tags[274], tags[271], tags[256] = orientation, "Maker", 47
        inner = tags.get_ifd(34665)
        inner[0xA002], inner[0xA003], inner[0x927C] = 47, 33, b"a maker's note" * 3
        return tags.tobytes().removeprefix(b"Exif\0\0")

    return block

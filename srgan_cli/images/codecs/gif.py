"""GIF's frames: 256 colours each, transparent or not."""

import numpy as np
from PIL import Image as Pillow

from srgan_cli.images.image import Image

CLEAR = 255  # the colour that stands for transparent
HALF = 128  # alpha from which a pixel is shown


def indexed(image: Image) -> Pillow.Image:
    """The frame with a palette of its own; gray stays exact."""
    if image.gray and image.alpha is None:
        return Pillow.fromarray(np.ascontiguousarray(image.pixels[..., 0]))
    colour = np.broadcast_to(image.pixels, (image.height, image.width, 3))
    picture = Pillow.fromarray(np.ascontiguousarray(colour))
    colours = 256 if image.alpha is None else CLEAR
    frame = picture.quantize(
        colours, Pillow.Quantize.MEDIANCUT, dither=Pillow.Dither.FLOYDSTEINBERG
    )
    if image.alpha is None:
        return frame
    index = np.where(image.alpha < HALF, CLEAR, np.asarray(frame)).astype(np.uint8)
    clear = Pillow.fromarray(index, "P")
    palette = frame.getpalette() or []
    clear.putpalette(palette[: 3 * CLEAR] + [0] * (768 - len(palette[: 3 * CLEAR])))
    clear.info["transparency"] = CLEAR
    return clear

"""What lies under transparent pixels, so that it does not bleed into the visible ones."""

import cv2
import numpy as np

from srgan_cli.images.value import Image


def bled(image: Image) -> np.ndarray:
    """The pixels, those that are fully transparent replaced by the nearest visible colour.

    A hidden colour is arbitrary, often black; a network would draw a dark fringe from it along the
    edge of what is visible.
    """
    assert image.alpha is not None
    hidden = image.alpha == 0
    if hidden.all() or not hidden.any():
        return image.pixels
    _, labels = cv2.distanceTransformWithLabels(
        hidden.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    position = np.zeros(labels.max() + 1, np.int64)  # of the visible pixel with each label
    position[labels[~hidden]] = np.flatnonzero(~hidden)
    flat = image.pixels.reshape(-1, image.pixels.shape[2])
    return flat[position[labels]].reshape(image.pixels.shape)

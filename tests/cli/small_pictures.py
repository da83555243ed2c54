"""Files to be enlarged."""

from pathlib import Path

import numpy as np
from PIL import Image as Pillow


def picture(path: Path, side: int = 5) -> Path:
    """Noise, one pixel wider than high; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = np.random.default_rng(side).integers(0, 256, (side, side + 1, 3), dtype=np.uint8)
    Pillow.fromarray(drawn).save(path)
    return path

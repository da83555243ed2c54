"""What half precision costs the image: against float32, of the same network and image."""

import numpy as np
from report import Figure, Table
from rivals import SIZE, SMALL
from workload import Workload, photograph

from srgan_cli.device import PRECISIONS
from srgan_cli.images.image import Image
from srgan_cli.metrics import psnr


def precision(workload: Workload) -> Table:
    image = Image(photograph(*(SMALL if workload.quick else SIZE)))
    exact = workload.ours("fp32").upscale(image).pixels
    rows = {
        name: _distance(workload.ours(name).upscale(image).pixels, exact)
        for name in PRECISIONS
        if name != "fp32"
    }
    return Table("Half precision against float32", rows)


def _distance(made: np.ndarray, exact: np.ndarray) -> dict[str, Figure]:
    apart = np.abs(made.astype(int) - exact)
    return {
        "PSNR RGB, dB": psnr(made, exact, channel="rgb"),
        "differing, %": 100 * float((apart > 0).mean()),
        "by more than a level, %": 100 * float((apart > 1).mean()),
        "largest, levels": float(apart.max()),
    }

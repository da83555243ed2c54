"""How much memory a long batch holds: resident set after 100 images and after all of them.

    python benchmarks/memory.py --images 1000 [--network]

The command line enlarges small images, with a bicubic or a tiny network, in one process. If each
left its pixels and those of its result, 900 of them would show as 134 MiB.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image
from srgan_cli.networks.fast import Fast
from srgan_cli.weights.container import Weights, write_weights
from srgan_cli.weights.metadata import Metadata

FIRST = 100
"""Images after which the libraries' buffers have grown, once."""


def materials(folder: Path, pictures: int) -> None:
    """Photographs would do as well; noise is as large as a file can be."""
    rng = np.random.default_rng(0)
    (folder / "in").mkdir()
    for number in range(pictures):
        pixels = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        write_image(Image(pixels), folder / "in" / f"{number:04}{('.png', '.jpg')[number % 2]}")
    torch.manual_seed(0)
    sizes = {"scale": 4, "features": 8, "blocks": 1}
    weights = Weights("fast", sizes, Fast(**sizes).state_dict(), Metadata(4))
    write_weights(weights, folder / "tiny.safetensors")


def resident(process: int) -> int:
    """KiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def measured(command: list[str], out: Path, pictures: int) -> dict[int, int]:
    """KiB after so many images; the last figure is of the last moment before the end."""
    process = subprocess.Popen(command)
    found: dict[int, int] = {}
    while process.poll() is None:
        done = sum(1 for each in out.glob("*_x4.*")) if out.is_dir() else 0
        try:
            now = resident(process.pid)
        except (OSError, StopIteration):  # it has just ended
            break
        if done >= FIRST:
            found.setdefault(FIRST, now)
        found[pictures] = now
        time.sleep(0.05)
    assert process.wait() == 0
    assert len(list(out.iterdir())) == pictures
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--network", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        materials(folder, given.pictures)
        how = ["-w", str(folder / "tiny.safetensors")] if given.network else ["-m", "bicubic"]
        command = [sys.executable, "-m", "srgan_cli", "upscale", str(folder / "in"), "-q"]
        out = folder / "out"
        for done, kib in measured([*command, "-o", str(out), *how], out, given.pictures).items():
            print(f"{done:5} pictures: {kib / 1024:.0f} MiB")


if __name__ == "__main__":
    main()

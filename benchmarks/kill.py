"""kill -9 at random moments of a batch: nothing half is left, and a rerun gives the same bytes.

    python benchmarks/kill.py --moments 50

A tiny network enlarges 30 tiny pictures. Each round kills it at another moment, checks that every
file under a final name is whole, reruns with --skip-existing and compares the folder, byte for
byte and without temporary files, with that of an undisturbed run.
"""

import argparse
import random
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


def materials(folder: Path, pictures: int) -> list[str]:
    """A folder of pictures and a network; the command that enlarges them, but for -o."""
    rng = np.random.default_rng(0)
    (folder / "in").mkdir()
    for number in range(pictures):
        pixels = rng.integers(0, 256, (24 + number, 40, 3), dtype=np.uint8)
        suffix = (".png", ".jpg", ".tif")[number % 3]
        write_image(Image(pixels), folder / "in" / f"{number:02}{suffix}")
    torch.manual_seed(0)
    sizes = {"scale": 4, "features": 4, "blocks": 1, "thin": 2}
    weights = Weights("fast", sizes, Fast(**sizes).state_dict(), Metadata(4))
    write_weights(weights, folder / "tiny.safetensors")
    command = [sys.executable, "-m", "srgan_cli", "upscale", str(folder / "in")]
    return [*command, "-w", str(folder / "tiny.safetensors"), "--skip-existing", "-q"]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


def started(command: list[str], out: Path) -> subprocess.Popen[bytes]:
    """The process, from its first sign of life in `out` on."""
    out.mkdir()
    process = subprocess.Popen([*command, "-o", str(out)])
    while process.poll() is None and not any(out.iterdir()):
        time.sleep(0.001)
    return process


def undisturbed(command: list[str], out: Path) -> float:
    """Seconds from the first sign of life to the end."""
    process = started(command, out)
    began = time.monotonic()
    assert process.wait() == 0
    return time.monotonic() - began


def killed(command: list[str], out: Path, moment: float) -> dict[str, bytes]:
    """What lies in `out` once a run was killed so many seconds after its first sign of life."""
    process = started(command, out)
    time.sleep(moment)
    process.kill()
    process.wait()
    return contents(out)


def check_round(command: list[str], out: Path, moment: float, whole: dict[str, bytes]) -> str:
    """One line; raises AssertionError if something is half done or lost."""
    left = killed(command, out, moment)
    parts = [name for name in left if name.endswith(".part")]
    for name in left.keys() - parts:
        assert left[name] == whole[name], f"{name} is not whole"
    subprocess.run([*command, "-o", str(out)], check=True)
    assert contents(out) == whole, "the rerun differs from the undisturbed run"
    return f"{moment:.3f} s: {len(left) - len(parts)} done, {len(parts)} temporary, rerun the same"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--pictures", type=int, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = materials(folder, given.pictures)
        span = undisturbed(command, folder / "whole")
        whole = contents(folder / "whole")
        assert len(whole) == given.pictures
        draw = random.Random(0)
        for number in range(given.moments):
            print(check_round(command, folder / str(number), draw.uniform(0, span), whole))


if __name__ == "__main__":
    main()

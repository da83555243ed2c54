"""kill -9 at random moments: nothing half is left, and a rerun gives the same bytes.

    python benchmarks/kill.py upscale --moments 50
    python benchmarks/kill.py train --moments 20

upscale: a tiny network enlarges 30 tiny images. Each round kills it at another moment, checks that
every file under a final name is whole, reruns with --skip-existing and compares the folder, byte
for byte and without temporary files, with that of an undisturbed run.

train: a tiny network is trained for 200 steps, with a checkpoint at every validation. Each round
kills it, reads every checkpoint, weights file, image and list that is there, goes on with --resume
(or begins again where there is no options.json yet), and compares the last checkpoint, bit for bit
but for the seconds it counts, with that of an undisturbed run.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.images.write import write_image
from srgan_cli.networks.fast import Fast
from srgan_cli.training.checkpoint import checkpoints, load_state
from srgan_cli.weights.container import Weights, read_weights, write_weights
from srgan_cli.weights.metadata import Metadata

SRGAN = [sys.executable, "-m", "srgan_cli"]
ImageCheck = Callable[[Path, float], str]
"""Kills a run in a folder so many seconds after its first sign of life; says what was found."""


def started(command: list[str], out: Path) -> subprocess.Popen[bytes]:
    """The process, from its first sign of life in `out` on."""
    out.mkdir()
    process = subprocess.Popen([*command, "-o", str(out)], stderr=subprocess.PIPE)
    while process.poll() is None and not any(out.iterdir()):
        time.sleep(0.001)
    return process


def undisturbed(command: list[str], out: Path) -> float:
    """Seconds from the first sign of life to the end."""
    process = started(command, out)
    began = time.monotonic()
    _, said = process.communicate()
    assert process.returncode == 0, said
    return time.monotonic() - began


def kill(command: list[str], out: Path, moment: float) -> None:
    process = started(command, out)
    time.sleep(moment)
    process.kill()
    process.communicate()


def rerun(command: list[str]) -> None:
    done = subprocess.run(command, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0, done.stderr


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def upscaling(folder: Path) -> tuple[float, ImageCheck]:
    """How long an undisturbed run takes, and how to check a killed one."""
    command = [*SRGAN, "upscale", str(folder / "in"), "-w", str(folder / "tiny.safetensors")]
    command += ["--skip-existing", "-q"]
    rng = np.random.default_rng(0)
    (folder / "in").mkdir()
    for number in range(30):
        pixels = rng.integers(0, 256, (24 + number, 40, 3), dtype=np.uint8)
        suffix = (".png", ".jpg", ".tif")[number % 3]
        write_image(Image(pixels), folder / "in" / f"{number:02}{suffix}")
    torch.manual_seed(0)
    sizes = {"scale": 4, "features": 4, "blocks": 1, "thin": 2}
    weights = Weights("fast", sizes, Fast(**sizes).state_dict(), Metadata(4))
    write_weights(weights, folder / "tiny.safetensors")
    span = undisturbed(command, folder / "whole")
    whole = contents(folder / "whole")
    assert len(whole) == 30

    def check(out: Path, moment: float) -> str:
        kill(command, out, moment)
        left = contents(out)
        parts = [name for name in left if name.endswith(".part")]
        for name in left.keys() - parts:
            assert left[name] == whole[name], f"{name} is not whole"
        rerun([*command, "-o", str(out)])
        assert contents(out) == whole, "the rerun differs from the undisturbed run"
        return f"{len(left) - len(parts)} done, {len(parts)} temporary"

    return span, check


def training(folder: Path) -> tuple[float, ImageCheck]:
    """The same for `srgan train`."""
    command = [*SRGAN, "train", str(folder / "photos"), "--steps", "200", "--stages", "psnr"]
    command += ["--patch", "32", "--batch-size", "2", "--blocks", "1", "--device", "cpu"]
    rng = np.random.default_rng(0)
    (folder / "photos").mkdir()
    for number in range(4):
        pixels = rng.integers(0, 256, (72, 80, 3), dtype=np.uint8)
        write_image(Image(pixels), folder / "photos" / f"{number}.png")
    span = undisturbed(command, folder / "whole")
    whole = last_state(folder / "whole")
    assert whole["step"] == 200

    def check(out: Path, moment: float) -> str:
        kill(command, out, moment)
        found = check_whole(out)
        begun = (out / "options.json").exists()
        rerun(
            [*SRGAN, "train", "--resume", "-o", str(out)] if begun else [*command, "-o", str(out)]
        )
        assert same(last_state(out), whole), "the resumed run differs from the undisturbed one"
        check_whole(out)
        left = [path.name for path in out.rglob("*.part")]
        assert not left, f"left over: {left}"
        return found

    return span, check


def check_whole(run: Path) -> str:
    """Reads what a run folder has under final names; a log may end in half a line."""
    files = [path for path in run.rglob("*") if path.is_file() and path.suffix != ".part"]
    for path in files:
        if path.suffix == ".pt":
            load_state(path)
        elif path.suffix == ".safetensors":
            read_weights(path)
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".png":
            read_image(path)
    parts = len(list(run.rglob("*.part")))
    return f"{len(files)} files, {len(checkpoints(run))} checkpoints, {parts} temporary"


def last_state(run: Path) -> dict[str, Any]:
    state = vars(load_state(checkpoints(run)[-1]))
    return {name: value for name, value in state.items() if name != "seconds"}


def same(a: Any, b: Any) -> bool:
    """Nested containers of tensors and plain values, bit for bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("upscale", "train"))
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        span, check = {"upscale": upscaling, "train": training}[given.command](folder)
        for number in range(given.moments):
            moment = draw.uniform(0, span)
            found = check(folder / str(number), moment)
            print(f"{number}: {moment:.3f} s: {found}, rerun the same", flush=True)


if __name__ == "__main__":
    main()

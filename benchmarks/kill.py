"""kill -9 at random moments: nothing half is left, and a rerun gives the same bytes.

    python benchmarks/kill.py upscale --moments 50
    python benchmarks/kill.py train --moments 20

upscale: a tiny network enlarges 30 tiny images. Each round kills it at another moment, checks that
every file under a final name is whole, reruns with --skip-existing and compares the folder, byte
for byte and without temporary files, with that of an undisturbed run.

train: a tiny network is trained for 60 steps, with a checkpoint at every validation. Each round
kills it, reads every checkpoint, weights file, image and list that is there, goes on with --resume
(or begins again where there is no options.json yet), and compares the last checkpoint, bit for bit
but for the seconds it counts, with that of an undisturbed run.

Processes are forked from one that has imported PyTorch, which saves a second each.
"""

import argparse
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from srgan_cli.cli import main
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.images.write import write_image
from srgan_cli.networks.fast import Fast
from srgan_cli.training.run_folder import checkpoints, load_state
from srgan_cli.weights.container import Weights, read_weights, write_weights
from srgan_cli.weights.metadata import Metadata

Check = Callable[[Path, float], str]
"""Kills a run in a folder so many seconds after its first sign of life; says what was found."""


def forked(words: list[str]) -> int:
    """The process that runs a command. Says nothing."""
    child = os.fork()
    if child:
        return child
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (1, 2):
        os.dup2(null, descriptor)
    code = 99
    try:
        main(words, prog_name="srgan")
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        os._exit(code)


def started(words: list[str], out: Path) -> int:
    """The process, from its first sign of life in `out` on."""
    out.mkdir()
    child = forked([*words, "-o", str(out)])
    while not any(out.iterdir()):
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "ended without a file"
        time.sleep(0.001)
    return child


def finished(child: int) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0, f"exit code {code}"


def undisturbed(words: list[str], out: Path) -> float:
    """Seconds from the first sign of life to the end."""
    child = started(words, out)
    began = time.monotonic()
    finished(child)
    return time.monotonic() - began


def kill(words: list[str], out: Path, moment: float) -> None:
    child = started(words, out)
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def upscaling(folder: Path) -> tuple[float, Check]:
    """How long an undisturbed run takes, and how to check a killed one."""
    command = ["upscale", str(folder / "in"), "-w", str(folder / "tiny.safetensors")]
    command += ["--skip-existing", "-q", "--device", "cpu"]
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
        finished(forked([*command, "-o", str(out)]))
        assert contents(out) == whole, "the rerun differs from the undisturbed run"
        return f"{len(left) - len(parts)} done, {len(parts)} temporary"

    return span, check


def training(folder: Path) -> tuple[float, Check]:
    """The same for `srgan train`."""
    command = ["train", str(folder / "photos"), "--steps", "60", "--stages", "psnr"]
    command += [
        "--patch",
        "32",
        "--batch-size",
        "2",
        "--blocks",
        "1",
        "--device",
        "cpu",
        "--workers",
        "0",
    ]
    rng = np.random.default_rng(0)
    (folder / "photos").mkdir()
    for number in range(4):
        pixels = rng.integers(0, 256, (72, 80, 3), dtype=np.uint8)
        write_image(Image(pixels), folder / "photos" / f"{number}.png")
    span = undisturbed(command, folder / "whole")
    whole = last_state(folder / "whole")
    assert whole["step"] == 60

    def check(out: Path, moment: float) -> str:
        kill(command, out, moment)
        found = check_whole(out)
        begun = (out / "options.json").exists()
        finished(forked([*(["train", "--resume"] if begun else command), "-o", str(out)]))
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


def measure() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("upscale", "train"))
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)  # threads do not survive a fork
    import srgan_cli.batch.run
    import srgan_cli.training.train_run  # noqa: F401 before the first fork

    draw = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        span, check = {"upscale": upscaling, "train": training}[given.command](folder)
        for number in range(given.moments):
            moment = draw.uniform(0, span)
            found = check(folder / str(number), moment)
            print(f"{number}: {moment:.3f} s: {found}, rerun the same", flush=True)


if __name__ == "__main__":
    measure()

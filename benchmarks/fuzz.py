"""Damaged pictures of every format: each ends in a picture or in one error line.

    python benchmarks/fuzz.py --files 5000
    python benchmarks/fuzz.py --files 5000 --bicubic --seconds 300

Small pictures of all formats are mutated (bytes changed, cut off, repeated, zeroed), and read and
enlarged by a tiny network or a bicubic. Counts what came of them; stops with a traceback at the
first fault:
another exception than ImageError, a message of several lines, more than 20 seconds, more than four
times the memory that the picture honestly needs, or a file left over.
"""

import argparse
import random
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from srgan_cli.batch.plan import Job
from srgan_cli.batch.run import JobOptions, Outcome, run_jobs
from srgan_cli.images.formats import CAPABILITIES, FORMAT_BY_SUFFIX, Encoding
from srgan_cli.images.image import Image, ImageSequence
from srgan_cli.images.write import write_image
from srgan_cli.inference.engine import TiledEngine
from srgan_cli.inference.pipeline import UpscalePipeline
from srgan_cli.networks.fast import Fast

MAX_PIXELS = 1_000_000
PATIENCE = 20.0
"""Seconds."""

ROOM = 300 << 20
"""Bytes beside the picture: buffers of the libraries, which grow once."""


def seeds(folder: Path) -> list[Path]:
    """A sound file of each format, depth and channel count that it can hold."""
    rng = np.random.default_rng(0)
    made = []
    for suffix, name in FORMAT_BY_SUFFIX.items():
        for channels in (1, 2, 3, 4):
            for dtype in (np.uint8, np.uint16):
                able = CAPABILITIES[name]
                if channels in (2, 4) and not able.alpha:
                    continue
                if dtype is np.uint16 and able.depth < 16:
                    continue
                samples = rng.integers(0, np.iinfo(dtype).max, (40, 48, channels), dtype=dtype)
                path = folder / f"{channels}-{np.dtype(dtype).name}{suffix}"
                write_image(image_of(samples), path)
                made.append(path)
    for name in ("gif", "png", "webp", "tiff"):
        frames = rng.integers(0, 256, (3, 20, 24, 3), dtype=np.uint8)
        durations = () if name == "tiff" else (50, 60, 70)
        loop = None if name == "tiff" else 0
        path = folder / f"several.{name}"
        write_image(ImageSequence(tuple(map(Image, frames)), durations, loop), path)
        made.append(path)
    return made


def image_of(samples: np.ndarray) -> Image:
    if samples.shape[2] in (1, 3):
        return Image(samples)
    return Image(samples[..., :-1], samples[..., -1])


def mutated(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        at = (
            draw.randrange(len(changed))
            if draw.random() < 0.5
            else draw.randrange(min(len(changed), 100))
        )
        length = draw.choice((1, 2, 4, 32))
        match draw.choice((0, 0, 0, 0, 1, 1, 2, 3, 4)):
            case 0:
                changed[at] = draw.randrange(256)
            case 1:
                changed[at : at + length] = draw.choice((b"\0", b"\xff", b"\x7f")) * length
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = changed[at : at + length]
            case _:
                del changed[max(at, 1) :]
        changed = changed or bytearray(b"\0")
    return bytes(changed)


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def honest(outcome: Outcome) -> int:
    """Bytes that the picture and its result take as float32 in RGB and alpha."""
    sides = [one for one in (outcome.before, outcome.after) if one is not None]
    return sum(16 * one.height * one.width for one in sides)


def tried(path: Path, work: JobOptions, base: int) -> str:
    """What came of it. Raises AssertionError for a fault."""
    target = path.with_name("out.tif" if path.suffix in (".tif", ".tiff") else "out.png")
    began = time.monotonic()
    (outcome,) = run_jobs([Job(path, target)], work)
    assert time.monotonic() - began < PATIENCE, "too slow"
    least = 16 * MAX_PIXELS if outcome.error else honest(outcome)
    assert peak() - base < 4 * least + ROOM, f"{(peak() - base) >> 20} MiB"
    left = {each.name for each in path.parent.iterdir()} - {path.name}
    assert left == (set() if outcome.error else {target.name}), f"left over: {left}"
    target.unlink(missing_ok=True)
    if outcome.error is None:
        return "picture"
    assert outcome.error.isprintable(), "not one line"
    return "error"


def with_network() -> UpscalePipeline:
    torch.manual_seed(0)
    return UpscalePipeline({2: TiledEngine(Fast(scale=2, features=4, blocks=1, thin=2), tile=256)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--bicubic", action="store_true")
    given = parser.parse_args()
    draw = random.Random(given.seed)
    work = JobOptions(
        UpscalePipeline() if given.bicubic else with_network(), Encoding(), MAX_PIXELS
    )
    end = time.monotonic() + given.seconds
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as name:
        sound = seeds(Path(made))
        for path in sound:
            copy = Path(name) / path.name
            copy.write_bytes(path.read_bytes())
            assert tried(copy, work, peak()) == "picture", f"{path.name} is sound"
            copy.unlink()
        base = peak()
        for number in range(given.files):
            if time.monotonic() > end:
                break
            origin = sound[number % len(sound)]
            path = Path(name) / f"{number}{origin.suffix}"
            path.write_bytes(mutated(origin.read_bytes(), draw))
            try:
                result = tried(path, work, base)
            except BaseException:
                print(f"file {number}, from {origin.name}, with --seed {given.seed}")
                raise
            counts[f"{origin.suffix} {result}"] += 1
            path.unlink()
    for key in sorted(counts):
        print(f"{counts[key]:5} {key}")
    print(
        f"{counts.total()} files, {(peak() - base) >> 20} MiB above the sound ones' peak, no fault"
    )


if __name__ == "__main__":
    main()

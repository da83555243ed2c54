"""Networks of other projects beside ours: quality, time and memory of `srgan upscale` for each.

    python benchmarks/others.py HIGH LOW -o OUT [-m NAME | -m NAME:BLEND | -w FILE]... [--judge CMD]

HIGH has originals, LOW their small versions under the same names. Each network upscales all of LOW
in a process of its own, as a user would, into OUT/NETWORK. Seconds are of the whole process: as
they pass, and of all cores together (CPU); memory is its peak. PSNR and SSIM are on Y, with the
scale cropped at the border. CMD is a program that is given HIGH and the folder of results; the
last line that it prints is shown.
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from srgan_cli.evaluation.measure import figures
from srgan_cli.images.read import read_image
from srgan_cli.metrics import FIDELITY

DEFAULT = ("bicubic", "photo:0", "photo:1", "realesrgan-x4plus")


@dataclass(frozen=True)
class Network:
    name: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    seconds: float
    cpu_seconds: float
    megabytes: float


def main() -> None:
    given = _parse()
    scale = _scale(given.high, given.low)
    print("| network | PSNR | SSIM | wall s | CPU s | MB |" + (" judge |" if given.judge else ""))
    print("| --- | ---: | ---: | ---: | ---: | ---: |" + (" --- |" if given.judge else ""))
    for network in _networks(given.model or ([] if given.weights else DEFAULT), given.weights):
        made = given.out / network.name
        run = upscale(given.low, made, network, given.options)
        psnr, ssim = quality(given.high, made, scale)
        cells = [network.name, f"{psnr:.2f}", f"{ssim:.3f}", f"{run.seconds:.1f}"]
        cells += [f"{run.cpu_seconds:.1f}", f"{run.megabytes:.0f}"]
        if given.judge:
            cells.append(judged(given.judge, given.high, made))
        print(f"| {' | '.join(cells)} |", flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("high", metavar="HIGH", type=Path)
    parser.add_argument("low", metavar="LOW", type=Path)
    parser.add_argument("-o", "--out", metavar="OUT", type=Path, required=True)
    parser.add_argument("-m", "--model", metavar="NAME[:BLEND]", action="append", default=[])
    parser.add_argument("-w", "--weights", metavar="FILE", type=Path, action="append", default=[])
    parser.add_argument("--judge", metavar="CMD")
    parser.add_argument("--options", default="", help="more options of srgan upscale, quoted")
    return parser.parse_args()


def _scale(high: Path, low: Path) -> int:
    first = next(path for path in sorted(low.iterdir()) if _of_name(high, path.stem))
    original = read_image(_of_name(high, first.stem)[0])
    return original.pixels.shape[0] // read_image(first).pixels.shape[0]


def _of_name(folder: Path, stem: str) -> list[Path]:
    return [path for path in folder.iterdir() if path.stem == stem]


def _networks(models: list[str], files: list[Path]) -> list[Network]:
    named = []
    for text in models:
        model, _, blend = text.partition(":")
        options = ("-m", model, *(("--blend", blend) if blend else ()))
        named.append(Network(text.replace(":", "-blend-"), options))
    return [*named, *(Network(path.stem, ("-w", str(path))) for path in files)]


def upscale(low: Path, out: Path, network: Network, more: str) -> Run:
    command = [sys.executable, "-m", "srgan_cli", "upscale", str(low), "-o", str(out), "-q"]
    command += ["--format", "png", "--name", "{stem}{suffix}", *network.options]
    began = time.perf_counter()
    process = subprocess.Popen([*command, *shlex.split(more)])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"{network.name}: srgan upscale failed")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def quality(high: Path, made: Path, scale: int) -> tuple[float, float]:
    """Means of PSNR and SSIM."""
    found = [
        figures(read_image(path), read_image(_of_name(high, path.stem)[0]), FIDELITY[:2], scale)
        for path in sorted(made.iterdir())
    ]
    psnr, ssim = (mean(one[metric.key] for one in found) for metric in FIDELITY[:2])
    return psnr, ssim


def judged(command: str, high: Path, made: Path) -> str:
    words = [*shlex.split(command), str(high), str(made)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.split("\n")[-2]


if __name__ == "__main__":
    main()

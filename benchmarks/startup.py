"""How long an image takes from the shell, start-up included: python benchmarks/startup.py [RUNS]

Whole processes, in turns. Machines differ and are noisy: compare figures of one run.
"""

import subprocess
import sys
import tempfile
from functools import partial

from PIL import Image
from report import Table, as_text
from timing import interleaved
from workload import SAMPLE

SMALL = 8
"""Side of an image that takes no time but the start's, in pixels."""
PRECISIONS = ("fp32", "bf16", "int8")


def startup_times(runs: int) -> Table:
    with tempfile.TemporaryDirectory() as folder:
        upscale = ["upscale", str(SAMPLE), "-o", f"{folder}/out.png", "--quiet"]
        small = f"{folder}/small.png"
        Image.new("RGB", (SMALL, SMALL)).save(small)
        tiny = ["-m", "srgan_cli", "upscale", small, "-o", f"{folder}/out.png", "--quiet"]
        cases = {
            "srgan --help": partial(_run, ["-m", "srgan_cli", "--help"]),
            "import torch": partial(_run, ["-c", "import torch"]),
            "srgan upscale, 256 x 256": partial(_run, ["-m", "srgan_cli", *upscale]),
        } | {
            f"{SMALL} x {SMALL}, {precision}": partial(_run, [*tiny, "--precision", precision])
            for precision in PRECISIONS
        }
        timings = interleaved(cases, runs, warm=False)
    rows = {
        name: {"least s": min(one.seconds), "median s": one.median} for name, one in timings.items()
    }
    return Table("From the shell, whole processes", rows)


def _run(arguments: list[str]) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    print(as_text(startup_times(int(sys.argv[1]) if len(sys.argv) > 1 else 5)))

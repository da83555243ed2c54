"""How long a picture takes from the shell, start-up included: python benchmarks/start.py [RUNS]

Prints the least and the median wall time of whole processes. Machines differ and are noisy: compare
figures of one run.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SAMPLE = Path(__file__).parent.parent / "tests" / "data" / "photo.jpg"


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        upscale = ["upscale", str(SAMPLE), "-o", f"{folder}/out.png", "--quiet"]
        cases = {
            "srgan --help": ["--help"],
            "import torch": None,
            "srgan upscale, 256 x 256": upscale,
        }
        for name, arguments in cases.items():
            seconds = [_timed(arguments) for _ in range(runs)]
            print(f"{name:28} {min(seconds):6.2f} s  {statistics.median(seconds):6.2f} s")


def _timed(arguments: list[str] | None) -> float:
    command = ["-c", "import torch"] if arguments is None else ["-m", "srgan_cli", *arguments]
    began = time.monotonic()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


if __name__ == "__main__":
    main()

"""Time and memory against the size of the image: each size in a process of its own."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from report import Check, Table
from timing import interleaved
from workload import Workload, photograph

from srgan_cli.images.image import Image
from srgan_cli.weights.loading import load_weights

MEGAPIXELS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
ASPECT = 4 / 3
REPEATED = 1.0  # megapixels; larger images are done once
TOLERANCE = 0.05


@dataclass(frozen=True)
class Cost:
    megapixels: float
    seconds: float
    peak: float
    """GiB of memory that the process took at most."""
    gpu_peak: float | None = None


def time_by_size(workload: Workload, weights: Path, most: float) -> Table:
    """Up to `most` megapixels."""
    sizes = [size for size in MEGAPIXELS if size <= most]
    costs = [_in_a_process(size, weights, workload) for size in sizes]
    exponent = fitted_exponent(costs)
    away = abs(exponent - 1)
    check = Check(
        f"exponent 1.00 within {TOLERANCE} (it is {exponent:.3f}); off", away, most=TOLERANCE
    )
    rows = {f"{cost.megapixels:g} Mpx": _row(cost) for cost in costs}
    return Table("Cost of a picture, array to array", rows, (check,))


def _row(cost: Cost) -> dict[str, float | str]:
    row: dict[str, float | str] = {
        "s": cost.seconds,
        "s a Mpx": cost.seconds / cost.megapixels,
        "peak GiB": cost.peak,
    }
    return row if cost.gpu_peak is None else row | {"peak GiB on the GPU": cost.gpu_peak}


def fitted_exponent(costs: list[Cost]) -> float:
    """The e of seconds = a x pixels^e that fits best."""
    logs = np.log([[cost.megapixels, cost.seconds] for cost in costs])
    return float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])


def _in_a_process(megapixels: float, weights: Path, workload: Workload) -> Cost:
    command = [sys.executable, __file__, str(megapixels), str(weights), workload.device]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Cost(**json.loads(done.stdout))


def cost(megapixels: float, weights: Path, device: str) -> Cost:
    engine = Workload(load_weights(weights), device).ours()
    height = round((megapixels * 1e6 / ASPECT) ** 0.5)
    image = Image(photograph(height, round(height * ASPECT)))
    engine.upscale(Image(photograph(300, 400)))  # libraries prepare themselves at the first
    rounds = 3 if megapixels <= REPEATED else 1
    case = {"ours": lambda: engine.upscale(image)}
    timing = interleaved(case, rounds, device, warm=rounds > 1)["ours"]
    gpu = torch.cuda.max_memory_allocated() / 2**30 if device.startswith("cuda") else None
    return Cost(image.height * image.width / 1e6, timing.median, peak_bytes() / 2**30, gpu)


def peak_bytes() -> int:
    """Of this process. Linux lets ru_maxrss start with what the parent process held: not that."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return largest if sys.platform == "darwin" else largest << 10


if __name__ == "__main__":
    print(json.dumps(asdict(cost(float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))))

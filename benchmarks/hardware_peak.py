"""Our engine against what the machine can do at all: its fastest products and convolutions."""

from dataclasses import dataclass
from functools import partial

import torch
from report import Check, Table
from rivals import SIZE, SMALL
from timing import Case, Timing, interleaved
from torch import Tensor, nn
from torch.nn.functional import conv2d
from torch.utils.flop_counter import FlopCounterMode
from workload import WHOLE, Workload, photograph

from srgan_cli.images.image import Image
from srgan_cli.inference.engine import TiledEngine

PROBE = 64
"""Side of the image on which a network's work is counted: it is proportional to pixels."""

SIDE = 3072  # of the matrices
SHARE = 0.8
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Task:
    """Something to be timed, and its floating-point operations."""

    case: Case
    operations: float

    def rate(self, timing: Timing) -> float:
        """GFLOP/s."""
        return self.operations / timing.median / 1e9


def hardware_peak(workload: Workload) -> Table:
    height, width = SMALL if workload.quick else SIZE
    engine = workload.ours(tile=WHOLE)
    image = Image(photograph(height, width))
    each = operations_per_pixel(engine.generator, workload.device)
    tasks = {"ours": Task(lambda: engine.upscale(image), each * height * width)}
    for name, dtype in PRECISIONS.items():
        tasks[f"matrix product, {name}"] = product(dtype, workload.device)
        tasks[f"convolution, {name}"] = convolution(engine.generator, height, width, dtype)
    cases = {name: task.case for name, task in tasks.items()}
    timings = interleaved(cases, workload.rounds, workload.device)
    rates = {name: task.rate(timings[name]) for name, task in tasks.items()}
    more = pixels_seen(engine, image) / (height * width)
    rates["ours, mirrored context counted"] = rates["ours"] * more
    return _table(rates, f"{width} x {height}")


def _table(rates: dict[str, float], size: str) -> Table:
    top = rates["convolution, bf16"]
    rows = {
        name: {"GFLOP/s": rate, "share of bf16 convolution": rate / top}
        for name, rate in rates.items()
    }
    promise = f"at least {SHARE:.0%} of the bf16 convolution"
    check = Check(promise, rates["ours"] / top, least=SHARE)
    return Table(f"Against the machine's ceiling, one tile of {size}", rows, (check,))


def operations_per_pixel(generator: nn.Module, device: str) -> float:
    """Floating-point operations for a low-resolution pixel; multiply and add are two.

    With gradients, as without them convolutions make some pixels at once, zeros included.
    """
    with torch.enable_grad(), FlopCounterMode(display=False) as counter:
        generator(torch.zeros(1, 3, PROBE, PROBE, device=device))
    return counter.get_total_flops() / PROBE**2


def pixels_seen(engine: TiledEngine, image: Image) -> int:
    """Low-resolution pixels that the network is given for `image`, contexts included."""
    seen: list[int] = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0][:, 0].numel())

    hook = engine.generator.register_forward_pre_hook(count)
    engine.upscale(image)
    hook.remove()
    return sum(seen)


def product(dtype: torch.dtype, device: str) -> Task:
    matrix = torch.rand(SIDE, SIDE, device=device, dtype=dtype)
    return _repeated(lambda: matrix @ matrix, 2 * SIDE**3, device)


def convolution(generator: nn.Module, height: int, width: int, dtype: torch.dtype) -> Task:
    """The network's heaviest at low resolution, on its own, in the fastest layout."""
    layer = heaviest(generator)
    inputs, outputs, kernel = layer.in_channels, layer.out_channels, layer.kernel_size[0]
    device = str(layer.weight.device)
    picture = torch.rand(1, inputs, height, width, device=device, dtype=dtype)
    weight = layer.weight.detach().to(dtype).contiguous(memory_format=torch.channels_last)
    bias = torch.zeros(outputs, device=device, dtype=dtype)
    run = partial(
        _convolve, picture.contiguous(memory_format=torch.channels_last), weight, bias, kernel // 2
    )
    return _repeated(run, 2 * layer.weight.numel() * height * width, device)


@torch.inference_mode()
def _convolve(picture: Tensor, weight: Tensor, bias: Tensor, padding: int) -> Tensor:
    return conv2d(picture, weight, bias, padding=padding)


def heaviest(generator: nn.Module) -> nn.Conv2d:
    """The convolution that all of one shape together spend most of the work on."""
    layers = [layer for layer in generator.modules() if isinstance(layer, nn.Conv2d)]
    work: dict[torch.Size, int] = {}
    for layer in layers:
        work[layer.weight.shape] = work.get(layer.weight.shape, 0) + layer.weight.numel()
    return max(layers, key=lambda layer: work[layer.weight.shape])


def _repeated(case: Case, operations: float, device: str) -> Task:
    """Often enough for the clock: a GPU is done with one at once."""
    times = 200 if device.startswith("cuda") else 4

    def all_of_them() -> None:
        for _ in range(times):
            case()

    return Task(all_of_them, operations * times)

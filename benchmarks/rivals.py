"""Our engine beside the usual way and other runtimes: one network, one image, array to array.

ONEDNN_MAX_CPU_ISA=AVX2 and ATEN_CPU_CAPABILITY=avx2 in the environment limit PyTorch to what most
processors have, and do not limit the other runtimes.
"""

import importlib.util
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from baseline import to_batch, to_image
from report import Check, Table
from timing import Timing, interleaved
from workload import WHOLE, Workload, photograph

from srgan_cli.device import keep_memory, pick_precision
from srgan_cli.images.image import Image
from srgan_cli.networks.int8 import int8_problem
from srgan_cli.weights.ncnn.writer import export_ncnn
from srgan_cli.weights.onnx import export_onnx

Way = Callable[[np.ndarray], np.ndarray]
"""(H, W, 3) uint8 -> (sH, sW, 3) uint8."""

SIZE = (384, 512)
SMALL = (192, 256)
OURS, COMMON = "ours, one tile", "common way, one tile"
FP32, BF16, INT8, NCNN = "ours, fp32", "ours, bf16", "ours, int8", "ncnn, fp32"
GAIN_BF16, GAIN_FP32 = 1.4, 1.6


def rivals(workload: Workload, title: str, least: float, others: bool = True) -> Table:
    """`least`: how many times the usual way ours is promised to be, both untiled."""
    pixels = photograph(*(SMALL if workload.quick else SIZE))
    with ExitStack() as kept:
        ways = _ours_and_common(workload, others)
        if others:
            folder = Path(kept.enter_context(tempfile.TemporaryDirectory()))
            ways |= _runtimes(workload, folder, pixels)
        cases = {name: (lambda way=way: way(pixels)) for name, way in ways.items()}
        timings = interleaved(cases, workload.rounds, workload.device)
    rows = {
        name: {"s": one.median, "times the usual way": one.times_faster(timings[COMMON])}
        for name, one in timings.items()
    }
    gain = timings[OURS].times_faster(timings[COMMON])
    check = Check(f"at least {least} times the usual way, untiled", gain, least=least)
    size = f"{pixels.shape[1]} x {pixels.shape[0]}"
    return Table(f"{title}, {size}, array to array", rows, (check, *_int8_checks(timings)))


def _int8_checks(timings: Mapping[str, Timing]) -> Iterator[Check]:
    """Against bfloat16 where the processor has it, else against float32 and ncnn."""
    if INT8 not in timings:
        return
    if BF16 in timings:
        gain = timings[INT8].times_faster(timings[BF16])
        yield Check(f"int8 at least {GAIN_BF16} times bfloat16", gain, least=GAIN_BF16)
        return
    gain = timings[INT8].times_faster(timings[FP32])
    yield Check(f"int8 at least {GAIN_FP32} times float32", gain, least=GAIN_FP32)
    if NCNN in timings:
        yield Check("int8 faster than ncnn", timings[INT8].times_faster(timings[NCNN]), least=1.0)


def _ours_and_common(workload: Workload, tiled: bool) -> dict[str, Way]:
    ways = {OURS: _ours(workload, tile=WHOLE), COMMON: workload.common(tile=None)}
    if tiled:
        ways |= {
            "ours": _ours(workload),
            "common way": workload.common(),
        }
        ways |= {name: _ours(workload, precision) for name, precision in _precisions(workload)}
    return ways


def _precisions(workload: Workload) -> Iterator[tuple[str, str]]:
    """Those that the processor computes quickly, for networks that have them."""
    yield FP32, "fp32"
    if workload.device != "cpu":
        return
    if pick_precision("auto", torch.device("cpu")) == torch.bfloat16:
        yield BF16, "bf16"
    if int8_problem(workload.network()) is None:
        yield INT8, "int8"


def _ours(workload: Workload, precision: str = "auto", tile: int | None = None) -> Way:
    engine = workload.ours(precision, tile)

    def way(pixels: np.ndarray) -> np.ndarray:
        keep_memory()
        return engine.upscale(Image(pixels)).pixels

    return way


def _runtimes(workload: Workload, folder: Path, pixels: np.ndarray) -> dict[str, Way]:
    """Those that are installed, on the CPU; each is checked to make the same image."""
    found: dict[str, Way] = {}
    if _installed("onnx", "onnxruntime"):
        export_onnx(workload.weights, folder / "network.onnx")
        found["ONNX Runtime, fp32"] = _onnxruntime(folder / "network.onnx")
        if _installed("openvino"):
            for precision in ("f32", "bf16") if BF16 in dict(_precisions(workload)) else ("f32",):
                found[f"OpenVINO, {precision}"] = _openvino(folder / "network.onnx", precision)
    if _installed("ncnn"):
        found[NCNN] = _ncnn(workload, folder)
    expected = workload.common(tile=None)(pixels).astype(int)
    for name, way in found.items():
        if np.abs(way(pixels) - expected).mean() > 1:
            raise SystemExit(f"{name} makes another picture: its time would mean nothing")
    return found


def _installed(*names: str) -> bool:
    return all(importlib.util.find_spec(name) for name in names)


def _onnxruntime(path: Path) -> Way:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return _around(lambda low: session.run(None, {"low": low})[0])


def _openvino(path: Path, precision: str) -> Way:
    import openvino

    hints = {
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    compiled = openvino.compile_model(str(path), "CPU", hints)
    return _around(lambda low: compiled([low])[0])


def _ncnn(workload: Workload, folder: Path) -> Way:
    """What `srgan convert` writes, with the options that ncnn has by itself: Winograd among them.

    ncnn takes the instructions that the processor has; nothing limits it to AVX2.
    """
    import ncnn

    export_ncnn(workload.weights, folder / "network.param", half=False)
    net = ncnn.Net()
    net.opt.num_threads = torch.get_num_threads()
    net.load_param(str(folder / "network.param"))
    net.load_model(str(folder / "network.bin"))

    def run(low: np.ndarray) -> np.ndarray:
        with net.create_extractor() as extractor:
            extractor.input("data", ncnn.Mat(low[0]).clone())
            return np.array(extractor.extract("output")[1])[None]

    return _around(run)


def _around(run: Callable[[np.ndarray], Any]) -> Way:
    """Between floats, from image to image."""
    return lambda pixels: to_image(torch.from_numpy(run(to_batch(pixels).numpy())))

"""Our engine beside the common way and other runtimes: one network, one picture, array to array."""

import importlib.util
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from clock import interleaved
from common_way import as_batch, as_picture
from report import Check, Table
from subject import WHOLE, Subject, photograph

from srgan_cli.device import keep_memory
from srgan_cli.images.image import Image
from srgan_cli.weights.onnx import export_onnx

Way = Callable[[np.ndarray], np.ndarray]
"""(H, W, 3) uint8 -> (sH, sW, 3) uint8."""

SIZE = (384, 512)
SMALL = (192, 256)
OURS, COMMON = "ours, one tile", "common way, one tile"


def rivals(subject: Subject, title: str, least: float, others: bool = True) -> Table:
    """`least`: how many times the common way ours is promised to be, both untiled."""
    pixels = photograph(*(SMALL if subject.quick else SIZE))
    with ExitStack() as kept:
        ways = _ours_and_common(subject, others)
        if others:
            folder = Path(kept.enter_context(tempfile.TemporaryDirectory()))
            ways |= _runtimes(subject, folder, pixels)
        cases = {name: (lambda way=way: way(pixels)) for name, way in ways.items()}
        timings = interleaved(cases, subject.rounds, subject.device)
    rows = {
        name: {"s": one.median, "times the common way": one.times_faster(timings[COMMON])}
        for name, one in timings.items()
    }
    gain = timings[OURS].times_faster(timings[COMMON])
    check = Check(f"at least {least} times the common way, untiled", gain, least=least)
    size = f"{pixels.shape[1]} x {pixels.shape[0]}"
    return Table(f"{title}, {size}, array to array", rows, (check,))


def _ours_and_common(subject: Subject, tiled: bool) -> dict[str, Way]:
    ways = {OURS: _ours(subject, tile=WHOLE), COMMON: subject.common(tile=None)}
    if tiled:
        ways |= {
            "ours": _ours(subject),
            "ours, fp32": _ours(subject, precision="fp32"),
            "common way": subject.common(),
        }
    return ways


def _ours(subject: Subject, precision: str = "auto", tile: int | None = None) -> Way:
    engine = subject.ours(precision, tile)

    def way(pixels: np.ndarray) -> np.ndarray:
        keep_memory()
        return engine.upscale(Image(pixels)).pixels

    return way


def _runtimes(subject: Subject, folder: Path, pixels: np.ndarray) -> dict[str, Way]:
    """Those that are installed, on the CPU; each is checked to make the same picture."""
    found: dict[str, Way] = {}
    if _installed("onnx", "onnxruntime"):
        export_onnx(subject.weights, folder / "network.onnx")
        found["ONNX Runtime, fp32"] = _onnxruntime(folder / "network.onnx")
        if _installed("openvino"):
            for precision in ("f32", "bf16"):
                found[f"OpenVINO, {precision}"] = _openvino(folder / "network.onnx", precision)
    if _installed("ncnn", "pnnx"):
        found["ncnn"] = _ncnn(subject, folder, pixels)
    expected = subject.common(tile=None)(pixels).astype(int)
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


def _ncnn(subject: Subject, folder: Path, pixels: np.ndarray) -> Way:
    """pnnx translates the network, traced on the picture's size."""
    import ncnn
    import pnnx

    pnnx.export(subject.network().cpu(), str(folder / "network.pt"), as_batch(pixels))
    net = ncnn.Net()
    net.opt.num_threads = torch.get_num_threads()
    net.load_param(str(folder / "network.ncnn.param"))
    net.load_model(str(folder / "network.ncnn.bin"))

    def run(low: np.ndarray) -> np.ndarray:
        with net.create_extractor() as extractor:
            extractor.input("in0", ncnn.Mat(low[0]).clone())
            return np.array(extractor.extract("out0")[1])[None]

    return _around(run)


def _around(run: Callable[[np.ndarray], Any]) -> Way:
    """Between floats, from picture to picture."""
    return lambda pixels: as_picture(torch.from_numpy(run(as_batch(pixels).numpy())))

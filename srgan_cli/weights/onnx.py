"""Export to ONNX, compared with torch before the file is written."""

import warnings
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from srgan_cli.errors import WeightsError
from srgan_cli.files import atomic_write
from srgan_cli.networks.layers import bicubic_kernels
from srgan_cli.weights.container import Weights
from srgan_cli.weights.loading import load_generator
from srgan_cli.weights.measured_field import max_difference
from srgan_cli.weights.onnx_reader import import_onnx

PACKAGES = "onnx onnxruntime"
OPSET = 17
TOLERANCE = 1e-4  # of values in [0, 1]
TEST_SIZES = ((24, 20), (17, 33), (5, 8))
"""Heights and widths at which ONNX must equal torch; the network is traced at the first."""


def export_onnx(weights: Weights, path: Path) -> float:
    """Input `low` (batch, 3, height, width) in [0, 1] to output `high`, of any height and width.

    Returns the largest difference from torch at three sizes; nothing is written if that is above
    TOLERANCE. Raises WeightsError, and OptionError if onnx or onnxruntime is missing.
    """
    onnx, runtime = (import_onnx(name, packages=PACKAGES) for name in PACKAGES.split())
    model = _with_properties(onnx, weights, _trace(load_generator(weights)))
    session = runtime.InferenceSession(model, providers=["CPUExecutionProvider"])
    difference = max_difference(weights, partial(_run, session), TEST_SIZES)
    if not difference <= TOLERANCE:
        raise WeightsError(f"{path}: ONNX would differ by {difference:.2g} from torch; not written")
    with atomic_write(path, WeightsError) as file:
        file.write(model)
    return difference


def _trace(network: nn.Module) -> bytes:
    """Export by tracing: unlike dynamo it needs no other package and keeps sizes dynamic."""
    traced = BytesIO()
    bicubic_kernels(int(network.scale))  # type: ignore[arg-type]  # known before, not traced
    axes = {"low": _axes("height", "width"), "high": _axes("high_height", "high_width")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated
        torch.onnx.export(
            network,
            (torch.rand(1, 3, *TEST_SIZES[0]),),
            traced,  # type: ignore[arg-type]
            input_names=["low"],
            output_names=["high"],
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    return traced.getvalue()


def _axes(height: str, width: str) -> dict[int, str]:
    return {0: "batch", 2: height, 3: width}


def _with_properties(onnx: Any, weights: Weights, traced: bytes) -> bytes:
    """Add scale, network and input range to the model's properties, and validate it."""
    model = onnx.load_model_from_string(traced)
    scale, network = str(weights.metadata.scale), str(weights)
    properties = {"scale": scale, "network": network, "input": "RGB in [0, 1]"}
    onnx.helper.set_model_props(model, properties)
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized


def _run(session: Any, low_res: Tensor) -> Tensor:
    return torch.from_numpy(session.run(None, {"low": low_res.numpy()})[0])

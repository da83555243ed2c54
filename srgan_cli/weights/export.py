"""Weights for other programs: their names for the tensors, or ONNX. Nothing half done is left."""

import warnings
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.files import atomic_write
from srgan_cli.weights.container import Weights, load_generator
from srgan_cli.weights.foreign import to_foreign
from srgan_cli.weights.pickles import write_pickle

OPSET = 17
TOLERANCE = 1e-4  # of values in [0, 1]
SIZES = ((24, 20), (17, 33), (5, 8))
"""Heights and widths on which ONNX must equal torch; it is traced on the first."""

WRAPPED = {"real-esrgan": "params_ema"}
"""The key under which a naming's programs look for the tensors; others take them as they are."""


def write_foreign(weights: Weights, path: Path, naming: str) -> None:
    """Under the names of NAMINGS: .safetensors, or else what torch.save makes of plain tensors.

    Raises WeightsError for a network that the naming's programs do not have.
    """
    named = to_foreign(weights.architecture, weights.hyperparameters, weights.state, naming)
    state = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in named.items()}
    with atomic_write(path, WeightsError) as file:
        if path.suffix == ".safetensors":
            file.write(save(state, metadata={"format": "pt"}))
        else:
            write_pickle({WRAPPED[naming]: state} if naming in WRAPPED else state, file)


def write_onnx(weights: Weights, path: Path) -> float:
    """Input `low` (batch, 3, height, width) in [0, 1] to output `high`, of any height and width.

    Returns the largest difference from torch on three sizes; nothing is written if that is more
    than TOLERANCE. Raises WeightsError, and OptionError where onnx or onnxruntime is missing.
    """
    onnx, runtime = _needed("onnx"), _needed("onnxruntime")
    network = load_generator(weights)
    model = _labelled(onnx, weights, _trace(network))
    worst = largest_difference(runtime, network, model)
    if not worst <= TOLERANCE:
        raise WeightsError(f"{path}: ONNX would differ by {worst:.2g} from torch; not written")
    with atomic_write(path, WeightsError) as file:
        file.write(model)
    return worst


def _needed(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise OptionError(f"ONNX needs {name}: pip install 'srgan-cli[onnx]'") from error


def _trace(network: nn.Module) -> bytes:
    """By tracing: it needs no further package, and keeps height and width free."""
    traced = BytesIO()
    free = {"low": _axes("height", "width"), "high": _axes("high_height", "high_width")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # this way is old, and says so
        torch.onnx.export(
            network,
            (torch.rand(1, 3, *SIZES[0]),),
            traced,  # type: ignore[arg-type]
            input_names=["low"],
            output_names=["high"],
            dynamic_axes=free,
            opset_version=OPSET,
            dynamo=False,
        )
    return traced.getvalue()


def _axes(height: str, width: str) -> dict[int, str]:
    return {0: "batch", 2: height, 3: width}


def _labelled(onnx: Any, weights: Weights, traced: bytes) -> bytes:
    """Say in the file what it is; and check that it is valid."""
    model = onnx.load_model_from_string(traced)
    about = {"scale": str(weights.facts.scale), "network": str(weights), "input": "RGB in [0, 1]"}
    onnx.helper.set_model_props(model, about)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@torch.inference_mode()
def largest_difference(runtime: Any, network: nn.Module, model: bytes) -> float:
    """Between what torch and the ONNX file make of pictures of SIZES."""
    session = runtime.InferenceSession(model, providers=["CPUExecutionProvider"])
    luck = torch.Generator().manual_seed(0)
    pictures = [torch.rand((1, 3, *size), generator=luck) for size in SIZES]
    made = [torch.from_numpy(session.run(None, {"low": low.numpy()})[0]) for low in pictures]
    return max(_apart(network(low), high) for low, high in zip(pictures, made, strict=True))


def _apart(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max()) if a.shape == b.shape else float("inf")

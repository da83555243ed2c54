import sys

import pytest
import torch
from reference_networks import CompactReference, RRDBReference
from safetensors.torch import load_file
from small_networks import NETWORKS, RRDB, random_weights

from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.weights import onnx as onnx_export
from srgan_cli.weights.container import to_half
from srgan_cli.weights.foreign.conversion import export_foreign
from srgan_cli.weights.loading import load_generator, load_weights
from srgan_cli.weights.onnx import OPSET, export_onnx


@pytest.mark.parametrize(("architecture", "sizes"), NETWORKS)
def test_onnx_equals_torch_at_every_size(architecture, sizes, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    weights = random_weights(architecture, sizes)
    assert export_onnx(weights, tmp_path / "one.onnx") <= 1e-4
    session = runtime.InferenceSession(tmp_path / "one.onnx", providers=["CPUExecutionProvider"])
    for shape in ((1, 3, 1, 1), (2, 3, 7, 30), (1, 3, 40, 6)):
        low = torch.rand(shape)
        (made,) = session.run(None, {"low": low.numpy()})
        with torch.no_grad():
            expected = load_generator(weights)(low)
        torch.testing.assert_close(torch.from_numpy(made), expected, rtol=0, atol=1e-4)


def test_an_onnx_file_says_what_it_is(tiny, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    export_onnx(tiny, tmp_path / "one.onnx")
    model = onnx.load(tmp_path / "one.onnx")
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert about["scale"] == "4"
    assert about["network"] == str(tiny)
    assert [entry.version for entry in model.opset_import] == [OPSET]
    free = [axis.dim_param for axis in model.graph.input[0].type.tensor_type.shape.dim]
    assert free == ["batch", "", "height", "width"]


def test_an_onnx_file_that_differs_is_not_put_in_place(tiny, tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(onnx_export, "max_difference", lambda *_: float("nan"))
    (tmp_path / "one.onnx").write_text("old")
    with pytest.raises(WeightsError, match="would differ by nan from torch; not written"):
        export_onnx(tiny, tmp_path / "one.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["one.onnx"]
    assert (tmp_path / "one.onnx").read_text() == "old"


def test_onnx_is_a_clear_error_where_it_is_missing(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "onnx", sys)
    with pytest.raises(OptionError, match=r"needs onnxruntime: pip install onnx onnxruntime"):
        export_onnx(tiny, tmp_path / "one.onnx")


def test_real_esrgans_naming_is_what_its_programs_load(tmp_path):
    weights = random_weights("rrdbnet", RRDB)
    export_foreign(weights, tmp_path / "one.pth", "real-esrgan")
    theirs = RRDBReference("real-esrgan", 1, 3, 2).eval()
    found = torch.load(tmp_path / "one.pth", weights_only=True)
    theirs.load_state_dict(found["params_ema"])
    low = torch.rand(1, 3, 6, 7)
    torch.testing.assert_close(load_generator(weights)(low), theirs(low), rtol=0, atol=1e-6)


def test_esrgans_naming_is_not_wrapped(tmp_path):
    weights = random_weights("rrdbnet", RRDB)
    export_foreign(weights, tmp_path / "one.pth", "esrgan")
    RRDBReference("published", 1, 3, 2).load_state_dict(
        torch.load(tmp_path / "one.pth", weights_only=True)
    )


def test_compact_networks_go_to_safetensors_too(tmp_path):
    sizes = {"scale": 2, "features": 5, "convolutions": 2}
    export_foreign(random_weights("compact", sizes), tmp_path / "a.safetensors", "real-esrgan")
    CompactReference(5, 2, 2).load_state_dict(load_file(tmp_path / "a.safetensors"))


@pytest.mark.parametrize("naming", ["real-esrgan", "esrgan", "esrgan-old"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_is_written_reads_back_identical(tmp_path, naming, suffix):
    weights = random_weights("rrdbnet", RRDB)
    path = tmp_path / f"one{suffix}"
    export_foreign(weights, path, naming)
    again = load_weights(path)
    assert again.hyperparameters == {**RRDB, "unshuffle": 1}
    torch.testing.assert_close(dict(again.state), dict(weights.state), rtol=0, atol=0)
    export_foreign(to_half(weights), path, naming)
    half = {name: tensor.half().float() for name, tensor in weights.state.items()}
    torch.testing.assert_close(dict(load_weights(path).state), half, rtol=0, atol=0)

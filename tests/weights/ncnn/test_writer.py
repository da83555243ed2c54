"""ncnn pairs are written for ncnn, and run by it where it is installed."""

import errno
from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner
from small_networks import NETWORKS, random_weights, write_pair

from srgan_cli import files
from srgan_cli.cli import main
from srgan_cli.errors import WeightsError
from srgan_cli.images.read import read_image
from srgan_cli.weights import zoo
from srgan_cli.weights.loading import load_generator, load_weights
from srgan_cli.weights.ncnn import writer
from srgan_cli.weights.ncnn.reader import read_pair
from srgan_cli.weights.ncnn.writer import export_ncnn, format_pair, run_ncnn

READABLE = [each for each in NETWORKS if each[0] not in ("srcnn", "vdsr")]


@torch.no_grad()
def outputs(weights, low):
    return load_generator(weights)(low)


@pytest.mark.parametrize(("architecture", "sizes"), READABLE)
def test_a_written_pair_reads_as_the_same_network(architecture, sizes, tmp_path):
    weights = random_weights(architecture, sizes)
    path = write_pair(tmp_path, *format_pair(weights, half=False))
    low = torch.rand(1, 3, 8, 12)
    found = load_weights(path)
    assert found.architecture == architecture
    assert found.metadata.scale == sizes["scale"]
    torch.testing.assert_close(outputs(found, low), outputs(weights, low), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("architecture", "sizes"), NETWORKS)
def test_ncnn_makes_the_same_of_a_written_pair_at_any_size(architecture, sizes):
    pytest.importorskip("ncnn")
    weights = random_weights(architecture, sizes)
    text, data = format_pair(weights, half=False)
    for shape in ((3, 24, 20), (3, 12, 36), (3, 8, 4)):
        low = torch.rand(shape).transpose(1, 2)  # not contiguous
        made = run_ncnn(text, data, low)
        torch.testing.assert_close(made, outputs(weights, low[None])[0], rtol=0, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("half", [False, True])
def test_the_default_network_written_for_ncnn_makes_the_same_picture_there(half, photo_file):
    pytest.importorskip("ncnn")
    weights = load_weights(zoo.find_weights_file(zoo.default_model(), 4, "gan"))
    text, data = format_pair(weights, half=half)
    photo = read_image(photo_file).pixels[20:84, 30:110].copy()
    low = torch.from_numpy(photo).permute(2, 0, 1).float() / 255
    made, ours = (
        (image.clamp(0, 1) * 255).round()
        for image in (run_ncnn(text, data, low), load_generator(weights)(low[None])[0])
    )
    assert ((made - ours).abs() <= 1).float().mean() >= 0.999


def test_batch_norm_is_folded_with_its_statistics():
    weights = random_weights("srresnet", {"scale": 2, "features": 3, "blocks": 1})
    state = {name: tensor.clone() for name, tensor in weights.state.items()}
    state["body.0.norm1.running_var"].uniform_(0.5, 2)
    state["end_body.running_mean"].normal_()
    found = read_pair(*format_pair(replace(weights, state=state), half=False))
    assert found.hyperparameters["norm"] is False
    expected = state["end_body.bias"] - state["end_body.running_mean"] / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(found.state["conv_body.bias"], expected)


def test_float16_is_the_default_and_half_the_size():
    sizes = {"scale": 2, "features": 32, "convolutions": 2}
    weights = random_weights("compact", sizes)
    _, full = format_pair(weights, half=False)
    text, half = format_pair(weights)
    assert len(half) < 0.55 * len(full)
    found = read_pair(text, half).state["body.2.weight"]
    assert torch.equal(found, weights.state["body.2.weight"].half().float())


def test_a_disk_that_is_full_leaves_the_older_pair(tmp_path, monkeypatch):
    def full(part, target, file):
        if target.suffix == ".param":
            raise OSError(errno.ENOSPC, "full")
        replace_file(part, target, file)

    replace_file = files._replace
    monkeypatch.setattr(writer, "find_spec", lambda _: None)
    older, newer = (
        random_weights("compact", {"scale": 2, "features": width, "convolutions": 1})
        for width in (3, 4)
    )
    export_ncnn(older, tmp_path / "one.param")
    monkeypatch.setattr(files, "_replace", full)
    with pytest.raises(WeightsError, match="full"):
        export_ncnn(newer, tmp_path / "one.param")
    assert load_weights(tmp_path / "one.param").hyperparameters["features"] == 3
    assert len(list(tmp_path.iterdir())) == 2


def test_weights_beyond_float16_are_refused():
    sizes = {"scale": 2, "features": 3, "convolutions": 1}
    weights = random_weights("compact", sizes)
    state = dict(weights.state)
    state["body.0.weight"] = torch.full_like(state["body.0.weight"], 1e5)
    with pytest.raises(WeightsError, match="float16"):
        format_pair(replace(weights, state=state))


@pytest.mark.parametrize(("option", "exact"), [("--full", True), ("--half", False)])
def test_convert_writes_a_pair_that_upscayl_names(option, exact, tiny_file, tmp_path):
    arguments = ["convert", str(tiny_file), "-o", str(tmp_path / "ours.param"), option]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    text = (tmp_path / "ours.param").read_text()
    assert " data" in text
    assert " output" in text
    found, expected = load_weights(tmp_path / "ours.param"), load_weights(tiny_file)
    assert found.hyperparameters == expected.hyperparameters
    name = "head.weight"
    assert torch.equal(found.state[name], expected.state[name]) is exact

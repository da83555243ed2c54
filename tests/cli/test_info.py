"""`srgan info`: what a weights file is."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import Result
from helpers import srgan
from torch import nn

from srgan_cli.networks import GENERATORS
from srgan_cli.weights.container import write_weights
from srgan_cli.weights.description import flop_per_megapixel
from srgan_cli.weights.generators import build_generator
from srgan_cli.weights.zoo import bundled_folder


def info(*arguments: object) -> Result:
    return srgan("info", *arguments)


def test_a_line_of_json_tells_all(tiny_file, tmp_path, make_weights):
    metadata = {
        "measured_receptive_field": 5,
        "training": {"steps": 7},
        "figures": {"set5": {"psnr_y": 30.5}},
    }
    write_weights(make_weights(**metadata), tiny_file)
    result = info(tiny_file, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["kind"] == "srgan"
    assert found["architecture"] == "fast"
    assert found["hyperparameters"]["features"] == 4
    assert (found["scale"], found["reach"], found["effective_reach"]) == (4, 6, 5)
    assert found["parameters"] == sum(t.numel() for t in make_weights().state.values())
    assert found["precision"] == ["float32"]
    assert (found["objective"], found["lineage"]) == ("psnr", "family")
    assert {name: found[name] for name in ("training", "figures")} == {
        name: metadata[name] for name in ("training", "figures")
    }


def test_a_table_tells_it_in_words(tiny_file, make_weights):
    training = {"options": {"seed": 1}, "data": ["a", "b"]}
    write_weights(make_weights(training=training), tiny_file)
    lines = {" ".join(line.split()) for line in info(tiny_file).stdout.splitlines()}
    for line in (
        "network fast (scale 4, features 4, blocks 1, thin 2)",
        "scale x4",
        "receptive field 6 pixels",
        "measured receptive field not measured",
        "training options seed 1",
        "training data a, b",
    ):
        assert line in lines


def test_another_programs_file_is_named_by_its_family(tmp_path):
    torch.save(GENERATORS["compact"](features=3, convolutions=1).state_dict(), tmp_path / "a.pth")
    found = json.loads(info(tmp_path / "a.pth", "--json").stdout)
    assert found["kind"] == "Compact (SRVGGNetCompact)"
    assert found["objective"] == "unknown"


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "a.pth").write_text("<html>")
    result = info(tmp_path / "a.pth")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {tmp_path / 'a.pth'}: an HTML page")


def test_operations_are_counted_as_by_hand():
    sizes = {"scale": 2, "features": 8, "convolutions": 3}
    pixel = 2 * 9 * (3 * 8 + 3 * 8 * 8 + 8 * 12)  # Compact: all of it at low resolution
    assert flop_per_megapixel(build_generator("compact", sizes)) == pixel * 1_000_000


@pytest.mark.parametrize("architecture", GENERATORS)
def test_every_layer_counts(architecture):
    """At least what the convolutions do at low resolution."""
    network = build_generator(architecture, {})
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    least = sum(2 * layer.weight.numel() for layer in layers) * 1_000_000
    assert flop_per_megapixel(network) >= least


def test_the_whole_history_and_all_teachers_are_reported(tiny_file, make_weights):
    before = [{"steps": 5, "teachers": ["big (BSD-3-Clause)"]}, {"steps": 6}]
    own = {"steps": 7, "teachers": ["big (BSD-3-Clause)", "other"]}
    write_weights(make_weights(training={**own, "history": before}, int8_psnr=55.25), tiny_file)
    found = json.loads(info(tiny_file, "--json").stdout)
    assert [record["steps"] for record in found["history"]] == [5, 6, 7]
    assert found["training"]["history"] == before
    assert found["teachers"] == ["big (BSD-3-Clause)", "other"]
    assert found["int8_psnr"] == 55.25
    lines = [" ".join(line.split()) for line in info(tiny_file).stdout.splitlines()]
    steps = [line for line in lines if line.startswith("training") and "steps" in line]
    assert steps == ["training 1 steps 5", "training 2 steps 6", "training 3 steps 7"]
    assert "teachers big (BSD-3-Clause), other" in lines
    assert "int8 55.2 dB from float32" in lines


def test_every_key_of_json_is_documented(tiny_file):
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    section = page.split("## srgan info")[1].split("\n## ")[0]
    found = json.loads(info(tiny_file, "--json").stdout)
    assert all(f"`{key}`" in section for key in found)


def test_dtype_is_that_of_the_file(tmp_path, tiny_file):
    half = {k: v.half() for k, v in GENERATORS["compact"](convolutions=1).state_dict().items()}
    torch.save({"params": half}, tmp_path / "a.pth")
    srgan("convert", tiny_file, "-o", tmp_path / "a.param")
    for name, expected in (("a.pth", "float16"), ("a.param", "float16"), (tiny_file, "float32")):
        found = json.loads(info(tmp_path / name, "--json").stdout)
        assert found["dtype"] == [expected]
        assert (found["receptive_field"], found["reflect_padding"]) == (
            found["reach"],
            found["mirrored"],
        )


def test_shipped_files_are_under_the_programs_license():
    shipped = bundled_folder() / "srcnn-x4-psnr.safetensors"
    assert json.loads(info(shipped, "--json").stdout)["license"] == "MIT"


@pytest.mark.parametrize("history", [3, "text", [1, None], {"a": 1}])
def test_records_of_a_wrong_form_do_no_harm(history, tiny_file, make_weights):
    write_weights(make_weights(training={"history": history, "teachers": 5}), tiny_file)
    assert info(tiny_file).exit_code == 0
    assert json.loads(info(tiny_file, "--json").stdout)["teachers"] == []


def test_in_a_pipe_rows_are_whole_and_nothing_is_markup_or_an_escape_code(tiny_file, make_weights):
    command = "srgan train " + "photos/ " * 30 + "[red]\x1b[31m\x07"
    write_weights(make_weights(training={"command": command}), tiny_file)
    stdout = info(tiny_file).stdout
    assert "photos/ photos/ [red]\\x1b[31m\\x07" in stdout
    assert "\x1b" not in stdout
    assert len([line for line in stdout.splitlines() if "photos/" in line]) == 1


def test_a_family_is_told_where_the_file_declares_one(tiny_file, family):
    file = family / "photo-x4-gan.safetensors"
    found = json.loads(info(file, "--json").stdout)
    assert (found["family"], found["denoise"]) == ("photo-clean", 1)
    lines = {" ".join(line.split()) for line in info(file).stdout.splitlines()}
    assert "family photo-clean, denoise 1" in lines
    assert json.loads(info(tiny_file, "--json").stdout)["family"] is None
    assert "\nfamily" not in info(tiny_file).stdout

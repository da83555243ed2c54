"""`srgan models`: the networks that there are."""

import json
import os
from pathlib import Path

import pytest
import torch
from helpers import srgan
from safetensors.torch import load, save, save_file

from srgan_cli.networks import GENERATORS
from srgan_cli.weights.container import Weights, write_weights


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SRGAN_WEIGHTS", str(tmp_path))
    return tmp_path


def rows() -> dict[str, dict]:
    result = srgan("models", "--json")
    assert result.exit_code == 0, result.output
    return {row["model"]: row for row in map(json.loads, result.stdout.splitlines())}


def test_personal_networks_are_listed_whoever_wrote_them(folder, make_weights):
    figures = {"set5": {"psnr_y": 31.5}}
    write_weights(make_weights(scale=2, figures=figures), folder / "my-anime-x2.safetensors")
    foreign = GENERATORS["compact"](scale=3, features=3, convolutions=1)
    save_file(dict(foreign.state_dict()), folder / "theirs.safetensors")
    found = rows()
    mine, theirs = found["my-anime-x2"], found["theirs"]
    assert (mine["scale"], mine["end"], mine["folder"]) == (2, "psnr", "yours")
    assert mine["set5_psnr"] == 31.5
    assert (theirs["scale"], theirs["end"]) == (3, "unknown")
    assert theirs["network"].startswith("compact")


def test_parameters_are_what_was_learned(folder, make_weights):
    network = GENERATORS["srresnet"](scale=2, features=4, blocks=1)
    sizes = {"scale": 2, "features": 4, "blocks": 1}
    weights = Weights("srresnet", sizes, network.state_dict(), make_weights(scale=2).metadata)
    write_weights(weights, folder / "normalized.safetensors")
    write_weights(
        Weights("srcnn", {}, GENERATORS["srcnn"]().state_dict(), make_weights(scale=4).metadata),
        folder / "plain.safetensors",
    )
    found = rows()
    learned = sum(values.numel() for values in network.parameters())
    assert found["normalized"]["parameters"] == learned  # and not BatchNorm's running statistics
    assert found["plain"]["network"] == "srcnn"


def test_what_cannot_be_read_is_listed_as_such(folder, tiny_file, tmp_path):
    raw = bytearray(tiny_file.read_bytes())
    raw[-1] ^= 1
    tiny_file.write_bytes(raw)
    (folder / "empty.safetensors").touch()
    (folder / "page.safetensors").write_text("<html>")
    (folder / "gone.safetensors").symlink_to(folder / "nowhere")
    (folder / "folder.safetensors").mkdir()
    save_file({"odd": torch.zeros(2)}, folder / "odd.safetensors")
    found = rows()
    for name in ("tiny", "empty", "page", "gone", "odd"):
        assert found[name]["network"].startswith("unreadable: ")
    assert "checksum" in found["tiny"]["network"]
    assert "folder" not in found
    assert srgan("models").exit_code == 0


def test_a_bad_personal_model_costs_one_line(folder, tiny_file, tmp_path):
    wrong = {
        "scale": {"hyperparameters": '{"scale": 0, "features": 4, "blocks": 1, "thin": 2}'},
        "blocks": {"hyperparameters": '{"scale": 4, "features": 4, "blocks": 1000000, "thin": 2}'},
        "features": {"hyperparameters": '{"scale": 4, "features": -4, "blocks": 1, "thin": 2}'},
        "figures": {"facts": '{"scale": 4, "figures": {"set5": 31}}'},
        "objective": {"facts": '{"scale": 4, "objective": ["psnr"]}'},
        "deep": {"facts": "[" * 100_000},
    }
    raw = tiny_file.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])["__metadata__"]
    for name, change in wrong.items():
        about = {key: value for key, value in header.items() if key != "header_sha256"} | change
        (folder / f"{name}.safetensors").write_bytes(save(load(raw), metadata=about))
    os.mkfifo(folder / "pipe.safetensors")
    found = rows()
    for name in (*wrong, "pipe"):
        assert found[name]["network"].startswith("unreadable: ")
    assert found["tiny"]["set5_psnr"] is None
    assert found["photo"]["folder"] == "shipped"
    assert srgan("models").exit_code == 0


def test_bicubic_stands_beside_networks_of_each_scale():
    lines = srgan("models", "--json").stdout.splitlines()
    bicubic = [row for row in map(json.loads, lines) if row["model"] == "bicubic"]
    figures = {row["scale"]: row["set5_psnr"] for row in bicubic}
    assert list(figures) == [2, 3, 4]
    assert figures[2] > figures[3] > figures[4] > 28


def listing() -> list[str]:
    result = srgan("models")
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_each_shipped_model_says_what_it_is_for_and_how_good_both_ends_are():
    lines = listing()
    shipped = [row for row in rows().values() if row["folder"] == "shipped"]
    assert all(row["purpose"] for row in shipped)
    for row in shipped:
        assert any(line.startswith(row["model"]) and row["purpose"] in line for line in lines)
    (title,) = [number for number, line in enumerate(lines) if line.startswith("photo (default): ")]
    x4 = lines[title + 2].split()
    assert (x4[0], x4[1], x4[3]) == ("x4", "faithful", "vivid")
    assert float(x4[2]) > float(x4[4]) > 28
    assert lines[-4:-3] == ["bicubic: no network; any scale"]


def test_in_a_pipe_no_line_is_wrapped_and_none_is_wider_than_a_terminal():
    assert all(len(line) <= 80 for line in listing())
    model_lines = [line for line in listing() if not line.startswith("  ")]
    assert len(model_lines) == len(rows())


def test_names_of_files_are_neither_escape_codes_nor_markup(folder, make_weights):
    write_weights(make_weights(objective="\x1b[2J"), folder / "[red]\x1b[31m\n.safetensors")
    result = srgan("models", color=True)
    assert "[red]\\x1b[31m\\n: your own" in result.stdout
    assert "\x1b" not in result.output


def test_how_to_name_ones_own_is_said(folder):
    stderr = srgan("models").stderr
    assert f"{folder}: NAME.safetensors" in stderr
    assert "NAME-x4-gan.safetensors" in stderr


def test_every_key_of_json_is_documented():
    page = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    section = page.split("## srgan models")[1].split("\n## ")[0]
    assert all(f"`{key}`" in section for key in rows()["photo"])


def test_json_has_the_file_and_the_ssim_too(folder, make_weights):
    figures = {"set5": {"psnr_y": 31.5, "ssim_y": 0.9}}
    write_weights(make_weights(figures=figures), folder / "mine.safetensors")
    mine = rows()["mine"]
    assert mine["file"] == str(folder / "mine.safetensors")
    assert (mine["set5_ssim"], mine["purpose"]) == (0.9, None)


@pytest.mark.usefixtures("family")
def test_a_family_is_listed_with_the_place_of_each_model():
    found = rows()
    assert (found["photo"]["family"], found["photo"]["denoise"]) == ("photo-clean", 1)
    assert (found["clean"]["family"], found["clean"]["denoise"]) == ("photo-clean", 0)
    assert (found["srcnn"]["family"], found["srcnn"]["denoise"]) == (None, None)
    lines = [line.strip() for line in listing()]
    assert lines.count("denoise 1, of photo-clean") == lines.count("denoise 0, of photo-clean") == 1
    assert all(len(line) <= 80 for line in listing())

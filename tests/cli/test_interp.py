"""`srgan interp`: blends of two networks or more."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from helpers import srgan

from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.images.write import write_image
from srgan_cli.networks import GENERATORS
from srgan_cli.weights.blending import interpolate
from srgan_cli.weights.container import read_weights, write_weights
from srgan_cli.weights.metadata import ModelFamily


def interp(*arguments: object) -> Result:
    return srgan("interp", *arguments)


def assert_is_blend(path: Path, ends: tuple[Path, Path], alpha: float) -> None:
    expected = interpolate(*map(read_weights, ends), alpha)
    torch.testing.assert_close(dict(read_weights(path).state), dict(expected.state))


def test_the_recommended_blend_is_the_default(tmp_path, tiny_file, other_file):
    result = interp(tiny_file, other_file, "-o", tmp_path / "out.safetensors")
    assert result.exit_code == 0, result.output
    line = f"0.2 {tiny_file} + 0.8 {other_file} -> {tmp_path / 'out.safetensors'}\n"
    assert result.stderr == line
    assert_is_blend(tmp_path / "out.safetensors", (tiny_file, other_file), 0.8)
    assert read_weights(tmp_path / "out.safetensors").metadata.objective == "blend"


def test_several_alphas_make_several_files(tmp_path, tiny_file, other_file):
    result = interp(
        tiny_file, other_file, "-o", tmp_path / "b-{alpha}.safetensors", "--alpha", "0,.50,1"
    )
    assert result.exit_code == 0, result.output
    for alpha in (0, 0.5, 1):
        assert_is_blend(tmp_path / f"b-{alpha:g}.safetensors", (tiny_file, other_file), alpha)
    assert read_weights(tmp_path / "b-0.safetensors").metadata.objective == "psnr"


def test_many_networks_are_blended_by_shares(tmp_path, tiny_file, other_file, make_weights):
    write_weights(make_weights(2), tmp_path / "third.safetensors")
    files = (tiny_file, other_file, tmp_path / "third.safetensors")
    result = interp(*files, "-o", tmp_path / "out.safetensors", "--shares", ".5,.3,.2")
    assert result.exit_code == 0, result.output
    states = [read_weights(path).state["head.weight"] for path in files]
    expected = 0.5 * states[0] + 0.3 * states[1] + 0.2 * states[2]
    made = read_weights(tmp_path / "out.safetensors")
    torch.testing.assert_close(made.state["head.weight"], expected)
    assert [part["share"] for part in made.metadata.training["blend"]] == [0.5, 0.3, 0.2]


def test_the_gan_stage_of_one_network_is_added_to_another(
    tmp_path, tiny_file, other_file, make_weights
):
    write_weights(make_weights(2), tmp_path / "third.safetensors")
    files = (tiny_file, other_file, tmp_path / "third.safetensors")
    result = interp(*files, "-o", tmp_path / "out.safetensors", "--shares", "1,1,-1", "--force")
    assert result.exit_code == 0, result.output
    states = [read_weights(path).state["head.weight"] for path in files]
    made = read_weights(tmp_path / "out.safetensors")
    torch.testing.assert_close(made.state["head.weight"], states[0] + states[1] - states[2])
    assert [part["share"] for part in made.metadata.training["blend"]] == [1, 1, -1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "b"], "name the blend with -o OUT"),
        (["a", "-o", "o.safetensors"], "two networks at least"),
        (["a", "b", "a", "-o", "o.safetensors"], "3 networks need --shares"),
        (["a", "b", "-o", "o.safetensors", "--shares", ".5,.3,.2"], "3 numbers for 2 networks"),
        (["a", "b", "-o", "o.safetensors", "--shares", ".5,.4"], "add up to 0.9"),
        (["a", "b", "-o", "o.safetensors", "--shares", "1,0", "--alpha", "1"], "exclude"),
        (["a", "b", "-o", "o.safetensors", "--alpha", "0,1"], "needs {alpha} in it"),
        (["a", "b", "-o", "{alpha}.safetensors", "--shares", ".5,.5"], "cannot have {alpha}"),
        (["a", "b", "-o", "{alpha}.safetensors", "--alpha", ".5,0.5"], "written twice"),
        (["a", "b", "-o", "o.safetensors", "--alpha", "2"], "between 0 and 1"),
        (["a", "b", "-o", "o.safetensors", "--alpha", "nan"], "between 0 and 1"),
        (["a", "b", "-o", "o.safetensors", "--shares", "-2.5,3.5"], "between -2 and 2"),
        (["a", "b", "-o", "o.safetensors", "--alpha", "much"], "no number or list"),
        (["a", "b", "-o", "o.pth"], "srgan convert makes others"),
        (["a", "b", "-o", "a"], "srgan convert makes others"),
        (["tiny.safetensors", "b", "-o", "tiny.safetensors"], "is an input"),
        (["tiny.safetensors", "b", "-o", "link.safetensors"], "is an input"),
        (["a", "b", "--sweep", "photo.png"], "go together"),
        (["a", "b", "--sweep", "photo.png", "--sheet", "photo.png"], "is an input"),
        (["a", "b", "--sweep", "photo.png", "--sheet", "sheet.txt"], "is an image"),
        (["a", "b", "--sweep", "p.png", "--high", "c", "--sheet", "c.png"], "is an input"),
        (["a", "b", "--sweep", "p.png", "--high", "high", "--sheet", "high/p.png"], "is an input"),
        (["a", "b", "-o", "link.safetensors", "--sweep", "p.png", "--sheet", "s.png", "--shrink",
          "--vgg", "tiny.safetensors"], "is an input"),
        (["a", "b", "--shares", ".9,.1", "--sweep", "p.png", "--sheet", "s.png"], "needs -o"),
        (["a", "b", "c", "-o", "o.safetensors", "--shares", "1,0,0", "--sweep", "p.png",
          "--sheet", "s.png"], "give two"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_one_line_and_nothing_is_written(
    arguments, message, tiny_file, monkeypatch
):
    monkeypatch.chdir(tiny_file.parent)
    Path("link.safetensors").symlink_to(tiny_file)
    Path("c.png").symlink_to("c")
    Path("high").mkdir()
    for name in ("a", "b", "c", "high/p.png"):
        Path(name).touch()
    before = sorted(Path().iterdir())
    result = interp(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert sorted(Path().iterdir()) == before


def test_networks_of_different_shapes_are_refused_with_their_differences(
    tmp_path, tiny_file, make_weights
):
    write_weights(make_weights(1, scale=2), tmp_path / "two.safetensors")
    result = interp(tiny_file, tmp_path / "two.safetensors", "-o", tmp_path / "out.safetensors")
    assert result.exit_code == 1
    for part in (
        str(tiny_file),
        "two.safetensors",
        "scale is 2, not 4",
        "up.1.0.weight is missing",
    ):
        assert part in result.stderr
    assert not (tmp_path / "out.safetensors").exists()


def test_unrelated_networks_are_refused_with_what_an_image_shows_unless_forced(
    tmp_path, tiny_file, make_weights
):
    write_weights(make_weights(1, lineage="elsewhere"), tmp_path / "far.safetensors")
    arguments = (tiny_file, tmp_path / "far.safetensors", "-o", tmp_path / "out.safetensors")
    result = interp(*arguments)
    assert result.exit_code == 1
    assert "not trained from one another: on a test image the blend is off by" in result.stderr
    assert "--force blends them anyway" in result.stderr
    assert not (tmp_path / "out.safetensors").exists()
    result = interp(*arguments, "--force")
    assert result.exit_code == 0
    assert result.stderr.startswith("Warning: these networks were not trained from one another")
    assert read_weights(tmp_path / "out.safetensors").metadata.lineage == ""


def test_other_programs_files_blend_too(tmp_path):
    torch.manual_seed(0)
    state = GENERATORS["compact"](scale=2, features=3, convolutions=1).state_dict()
    for number, name in enumerate(("a.pth", "b.pth")):
        torch.save({key: t + 0.01 * number for key, t in state.items()}, tmp_path / name)
    out = tmp_path / "out.safetensors"
    result = interp(tmp_path / "a.pth", tmp_path / "b.pth", "-o", out, "--alpha", 0.5)
    assert result.exit_code == 0, result.output
    made = read_weights(out).state
    torch.testing.assert_close(made["body.0.bias"], state["body.0.bias"] + 0.005)


def test_a_photograph_shows_the_way_from_faithful_to_vivid(tmp_path, tiny_file, other_file):
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    write_image(Image(pixels), tmp_path / "photo.png")
    look = ("--sweep", tmp_path / "photo.png", "--sheet", tmp_path / "sheet.png")
    result = interp(tiny_file, other_file, *look, "--alpha", "0,1")
    assert result.exit_code == 0, result.output
    assert read_image(tmp_path / "sheet.png").width > 2 * 96
    assert not list(tmp_path.glob("*.pth"))


def test_with_an_original_comes_the_curve_of_perception_and_distortion(
    tmp_path, tiny_file, other_file, photo_file
):
    sheets = [tmp_path / "strip.png", tmp_path / "curve.png"]
    torch.manual_seed(0)
    vgg = {"features.0.weight": torch.randn(4, 3, 3, 3), "features.0.bias": torch.zeros(4)}
    torch.save(vgg, tmp_path / "vgg.pth")
    curve_of = ("--shrink", "--vgg", tmp_path / "vgg.pth")
    for sheet, more in zip(sheets, [("--shrink",), curve_of], strict=True):
        look = ("--sweep", photo_file, "--sheet", sheet, "--alpha", "0,1")
        result = interp(tiny_file, other_file, *look, *more)
        assert result.exit_code == 0, result.output
    strip, curve = map(read_image, sheets)
    assert curve.height > strip.height + 200  # a plot below the strip


def test_an_original_without_a_sweep_is_refused(tmp_path, tiny_file, other_file):
    result = interp(tiny_file, other_file, "-o", tmp_path / "o.safetensors", "--shrink")
    assert result.exit_code == 2
    assert "go with --sweep" in result.output


def test_the_record_of_a_blend_is_shown_by_info(tmp_path, tiny_file, other_file):
    interp(tiny_file, other_file, "-o", tmp_path / "out.safetensors")
    result = srgan("info", tmp_path / "out.safetensors", "--json")
    found = json.loads(result.stdout)
    assert [part["objective"] for part in found["training"]["blend"]] == ["psnr", "gan"]


def test_a_blend_within_a_family_says_where_it_stands(tmp_path, family, tiny_file):
    out = tmp_path / "out.safetensors"
    ends = [family / f"{model}-x4-gan.safetensors" for model in ("clean", "photo")]
    interp(*ends, "-o", out, "--alpha", ".25")
    assert read_weights(out).metadata.family == ModelFamily("photo-clean", 0.25)

    interp(ends[0], tiny_file, "-o", out)
    assert read_weights(out).metadata.family is None

from fractions import Fraction

import pytest
import torch
from click.testing import CliRunner

from srgan_cli.cli import main
from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.settings import ModelChoice
from srgan_cli.weights import loading
from srgan_cli.weights.container import write_weights
from srgan_cli.weights.selection import select_model
from srgan_cli.weights.tensor_files import read_tensor_file


@pytest.fixture
def models(tmp_path, monkeypatch, make_weights):
    """A model with two ends, another with one, and a network by itself."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("SRGAN_WEIGHTS", str(folder))
    write_weights(make_weights(0), folder / "two-x4-psnr.safetensors")
    write_weights(make_weights(1, objective="gan"), folder / "two-x4-gan.safetensors")
    write_weights(make_weights(2), folder / "one-x4-psnr.safetensors")
    write_weights(make_weights(3, scale=2), folder / "alone.safetensors")
    return folder


def head(chosen):
    return chosen.weights[4].state["head.weight"]


def test_the_amount_goes_from_the_faithful_end_to_the_vivid_one(models, make_weights):
    ends = [head(select_model(ModelChoice("two", blend=amount))) for amount in (0.0, 0.25, 1.0)]
    torch.testing.assert_close(ends[0], make_weights(0).state["head.weight"])
    torch.testing.assert_close(ends[1], ends[0].lerp(ends[2], 0.25))
    torch.testing.assert_close(ends[2], make_weights(1).state["head.weight"])


def test_a_model_of_one_end_is_that_end(models):
    chosen = select_model(ModelChoice("one"))
    assert chosen.blend is None
    with pytest.raises(OptionError, match="only its psnr end"):
        select_model(ModelChoice("one", blend=0.5))


def test_a_blend_is_refused_at_a_scale_that_has_another_end_only(models, make_weights):
    write_weights(make_weights(4, scale=2, objective="gan"), models / "two-x2-gan.safetensors")
    for blend in (None, 1.0):
        assert select_model(ModelChoice("two", blend=blend)).weights[2].metadata.scale == 2
    for blend in (0.0, 0.5):
        chosen = select_model(ModelChoice("two", blend=blend))
        assert chosen.weights[4].metadata.scale == 4
        with pytest.raises(WeightsError, match=r"'two' has only its gan end at x2"):
            chosen.weights[2]


@pytest.fixture
def opened(monkeypatch):
    """The names of the weights files that are opened, in order."""
    names = []

    def read(path):
        names.append(path.name)
        return read_tensor_file(path)

    monkeypatch.setattr(loading, "read_tensor_file", read)
    return names


def test_only_the_network_that_runs_is_opened_and_once(
    models, make_weights, opened, photo_file, tmp_path
):
    write_weights(make_weights(4, scale=2), models / "two-x2-psnr.safetensors")
    (models / "two-x3-psnr.safetensors").write_text("damaged")
    result = upscale(photo_file, tmp_path / "out.png", "-m", "two", "--scale", 2)
    assert result.exit_code == 0, result.output
    assert opened == ["two-x2-psnr.safetensors"]


def test_a_damaged_network_is_told_before_any_image_is_read(models, tmp_path):
    (models / "two-x2-psnr.safetensors").write_text("damaged")
    result = upscale(tmp_path / "none.png", tmp_path / "out.png", "-m", "two", "--scale", 2)
    assert result.exit_code == 1
    assert "two-x2-psnr.safetensors" in result.stderr
    assert "none.png" not in result.stderr


def test_a_network_of_another_scale_than_its_name_is_refused(models, make_weights):
    write_weights(make_weights(4, scale=2), models / "three-x3-psnr.safetensors")
    with pytest.raises(WeightsError, match="enlarges by 2, not by 3"):
        select_model(ModelChoice("three")).weights[3]


def test_a_network_by_itself_has_the_scale_of_its_file(models):
    assert select_model(ModelChoice("alone")).weights.keys() == {2}
    with pytest.raises(OptionError, match="single network"):
        select_model(ModelChoice("alone", blend=0.5))


def test_bicubic_needs_no_network():
    assert select_model(ModelChoice("bicubic")).weights == {}


def test_two_files_are_blended(models):
    files = (models / "two-x4-psnr.safetensors", models / "two-x4-gan.safetensors")
    expected = head(select_model(ModelChoice("two", blend=0.3)))
    torch.testing.assert_close(head(select_model(ModelChoice(files=files, blend=0.3))), expected)


def test_a_damaged_file_is_named_in_one_line(models):
    (models / "alone.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match=r"alone.safetensors: neither a PyTorch nor"):
        select_model(ModelChoice("alone"))


def test_ends_that_do_not_fit_are_told(models, make_weights):
    write_weights(make_weights(1, scale=2), models / "two-x4-gan.safetensors")
    with pytest.raises(WeightsError, match=r"cannot blend .* scale is 2, not 4"):
        select_model(ModelChoice("two", blend=0.5)).weights[4]


@pytest.fixture
def stranger(models, make_weights):
    """Of the shape of the two ends, but no relative of theirs."""
    write_weights(make_weights(1, lineage="elsewhere"), models / "stranger.safetensors")
    return models / "stranger.safetensors"


def upscale(photo, out, *words):
    return CliRunner().invoke(main, ["upscale", str(photo), "-o", str(out), *map(str, words)])


def test_strangers_are_not_blended_on_the_fly(models, stranger, photo_file, tmp_path):
    ends = ("-w", models / "two-x4-psnr.safetensors", "-w", stranger)
    result = upscale(photo_file, tmp_path / "out.png", *ends, "--blend", 0.3)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: these networks were not trained from one another: on a")
    assert "srgan interp --force blends them" in result.stderr
    assert not (tmp_path / "out.png").exists()


def test_the_remedy_for_strangers_works(models, stranger, photo_file, tmp_path):
    mixed = tmp_path / "mixed.safetensors"
    parts = [str(models / "two-x4-psnr.safetensors"), str(stranger)]
    made = CliRunner().invoke(main, ["interp", "--force", *parts, "-o", str(mixed)])
    assert made.exit_code == 0, made.output
    result = upscale(photo_file, tmp_path / "out.png", "-w", mixed)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out.png").exists()


def test_one_of_two_strangers_alone_is_no_blend(models, stranger, make_weights):
    files = (models / "two-x4-psnr.safetensors", stranger)
    torch.testing.assert_close(
        head(select_model(ModelChoice(files=files, blend=1.0))),
        make_weights(1).state["head.weight"],
    )


def test_a_model_whose_ends_are_strangers_is_refused(models, make_weights):
    write_weights(make_weights(1, lineage="elsewhere"), models / "two-x4-gan.safetensors")
    with pytest.raises(WeightsError, match="not trained from one another"):
        select_model(ModelChoice("two", blend=0.5)).weights[4]


def test_either_name_gives_any_point_of_the_family(family):
    networks = [
        head(select_model(ModelChoice(m, blend=0.2, denoise=0.7))) for m in ("photo", "clean")
    ]
    torch.testing.assert_close(networks[0], networks[1], rtol=0, atol=0)
    vivid = head(select_model(ModelChoice("photo", denoise=0.0)))
    torch.testing.assert_close(vivid, head(select_model(ModelChoice("clean", blend=1.0))))


@pytest.mark.parametrize(("model", "own"), [("photo", 1.0), ("clean", 0.0)])
def test_a_models_own_denoise_changes_nothing_at_any_scale(model, own, opened):
    chosen = select_model(ModelChoice(model, denoise=own))
    assert chosen.denoise == select_model(ModelChoice(model)).denoise == own
    assert {2, 4} <= chosen.weights.keys()
    chosen.check_scale(2)
    assert chosen.weights[4].metadata.objective == "gan"
    assert opened == [f"{model}-x4-gan.safetensors"]


@pytest.mark.usefixtures("family")
@pytest.mark.parametrize(
    ("model", "scale", "network"),
    [("photo", 2, 2), ("photo", Fraction(3, 2), 2), ("clean", 3, 3), ("clean", Fraction(5, 2), 3)],
)
def test_denoise_is_refused_at_other_scales_with_the_reason(model, scale, network):
    chosen = select_model(ModelChoice(model, denoise=0.5))
    with pytest.raises(OptionError, match=f"at x{network}.*--scale 4"):
        chosen.check_scale(scale)


@pytest.mark.usefixtures("family")
@pytest.mark.parametrize("scale", [None, 1, Fraction(1, 2), Fraction(7, 2), 4, 16])
def test_denoise_goes_with_what_the_x4_network_makes(scale):
    chosen = select_model(ModelChoice("photo", denoise=0.5))
    chosen.check_scale(scale)
    assert chosen.weights.keys() == {4}


@pytest.mark.parametrize("denoise", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("model", ["two", "one", "alone", "srcnn"])
def test_other_models_have_no_denoise(models, model, denoise):
    assert select_model(ModelChoice(model)).denoise is None
    with pytest.raises(OptionError, match=f"clean and photo: {model!r} is neither"):
        select_model(ModelChoice(model, denoise=denoise))


def test_denoise_goes_with_neither_files_nor_bicubic(models):
    with pytest.raises(OptionError, match="not with --weights"):
        ModelChoice(files=(models / "alone.safetensors",), denoise=1.0)
    with pytest.raises(OptionError, match="bicubic"):
        ModelChoice("bicubic", denoise=0.5)
    with pytest.raises(OptionError, match=r"from 0 .* to 1"):
        ModelChoice("photo", denoise=1.5)

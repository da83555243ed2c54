import pytest
import torch

from srgan_cli.choice import choose
from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.library import Choice
from srgan_cli.weights import write_weights


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
    ends = [head(choose(Choice("two", amount=amount))) for amount in (0.0, 0.25, 1.0)]
    torch.testing.assert_close(ends[0], make_weights(0).state["head.weight"])
    torch.testing.assert_close(ends[1], ends[0].lerp(ends[2], 0.25))
    torch.testing.assert_close(ends[2], make_weights(1).state["head.weight"])


def test_a_model_of_one_end_is_that_end(models):
    chosen = choose(Choice("one"))
    assert chosen.blend is None
    with pytest.raises(OptionError, match="only its psnr end"):
        choose(Choice("one", amount=0.5))


def test_a_network_by_itself_has_the_scale_of_its_file(models):
    assert choose(Choice("alone")).weights.keys() == {2}
    with pytest.raises(OptionError, match="single network"):
        choose(Choice("alone", amount=0.5))


def test_bicubic_needs_no_network():
    assert choose(Choice("bicubic")).weights == {}


def test_two_files_are_blended(models):
    files = (models / "two-x4-psnr.safetensors", models / "two-x4-gan.safetensors")
    expected = head(choose(Choice("two", amount=0.3)))
    torch.testing.assert_close(head(choose(Choice(files=files, amount=0.3))), expected)


def test_a_damaged_file_is_named_in_one_line(models):
    (models / "alone.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match=r"alone.safetensors: neither a PyTorch nor"):
        choose(Choice("alone"))


def test_ends_that_do_not_fit_are_told(models, make_weights):
    write_weights(make_weights(1, scale=2), models / "two-x4-gan.safetensors")
    with pytest.raises(WeightsError, match=r"cannot blend .* scale is 2, not 4"):
        choose(Choice("two", amount=0.5))

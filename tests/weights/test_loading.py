import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from srgan_cli.errors import WeightsError
from srgan_cli.networks import GENERATORS
from srgan_cli.settings import ModelChoice
from srgan_cli.weights.container import Weights, write_weights
from srgan_cli.weights.loading import load_generator, load_weights, scale_in_name
from srgan_cli.weights.metadata import Metadata
from srgan_cli.weights.selection import select_model

COMPACT = {"scale": 2, "features": 3, "convolutions": 1}
SRCNN = {"n1": 3, "n2": 2, "f1": 3, "f2": 1, "f3": 3}


def saved(path: Path, architecture: str, sizes: dict[str, int]) -> Path:
    torch.manual_seed(0)
    torch.save({"params": GENERATORS[architecture](**sizes).state_dict()}, path)
    return path


def test_our_own_files_come_with_their_facts(tiny, tiny_file):
    assert load_weights(tiny_file).metadata == tiny.metadata


def test_of_other_programs_files_only_the_family_is_known(tmp_path):
    weights = load_weights(saved(tmp_path / "anime.pth", "compact", COMPACT))
    assert weights.metadata == Metadata(scale=2, training={"family": "Compact (SRVGGNetCompact)"})
    assert weights.metadata.objective == "unknown"
    assert load_generator(weights)(torch.zeros(1, 3, 4, 5)).shape == (1, 3, 8, 10)


def test_any_file_can_be_chosen(tmp_path):
    chosen = select_model(ModelChoice(files=(saved(tmp_path / "anime.pth", "compact", COMPACT),)))
    assert (chosen.name, [*chosen.weights]) == ("anime", [2])


def test_a_foreign_network_among_the_users_own_is_found_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("SRGAN_WEIGHTS", str(tmp_path))
    save_file(dict(GENERATORS["compact"](**COMPACT).state_dict()), tmp_path / "mine.safetensors")
    assert [*select_model(ModelChoice("mine")).weights] == [2]


def test_ours_is_not_taken_for_a_foreign_file_when_its_header_is_damaged(tmp_path):
    network = GENERATORS["compact"](**COMPACT)
    ours = Weights("compact", COMPACT, network.state_dict(), Metadata(scale=2))
    write_weights(ours, tmp_path / "ours.safetensors")
    raw = (tmp_path / "ours.safetensors").read_bytes()
    (tmp_path / "ours.safetensors").write_bytes(raw.replace(b'"srgan 1"', b'"srgxn 1"'))
    with pytest.raises(WeightsError, match="its format is 'srgxn 1'"):
        load_weights(tmp_path / "ours.safetensors")


def test_a_scale_that_no_key_tells_is_read_off_the_name(tmp_path):
    assert load_weights(saved(tmp_path / "srcnn-x3.pth", "srcnn", SRCNN)).metadata.scale == 3
    path = saved(tmp_path / "srcnn.pth", "srcnn", SRCNN)
    with pytest.raises(WeightsError, match=r"srcnn.pth: .*no key tells its scale; .*-x4.*--scale"):
        load_weights(path)
    assert load_weights(path, scale=2).metadata.scale == 2


def test_what_the_keys_tell_counts_more_than_the_name(tmp_path):
    path = saved(tmp_path / "4x-anime.pth", "compact", COMPACT)
    assert load_weights(path).metadata.scale == 2
    with pytest.raises(WeightsError, match=r"4x-anime.pth: .*for scale 2, not 3"):
        load_weights(path, scale=3)


def test_another_scale_than_that_of_our_own_file_is_refused(tiny_file):
    with pytest.raises(WeightsError, match="it enlarges by 4, not by 2"):
        load_weights(tiny_file, scale=2)


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("anime-x4", 4),
        ("anime_x3", 3),
        ("x2", 2),
        ("4xAnime", 4),
        ("4x-Anime", 4),
        ("RealESRGAN_x2plus", 2),
        ("general-x4v3", 4),
        ("max4", None),
        ("box2", None),
        ("1920x1080", None),
        ("2x-and-4x", None),
    ],
)
def test_scales_in_names(name, scale):
    assert scale_in_name(name) == scale


def test_a_missing_file_and_a_page_are_named_with_their_path(tmp_path):
    (tmp_path / "page.pth").write_text("<html>")
    for name, message in {"none.pth": "no such file", "page.pth": "HTML page"}.items():
        with pytest.raises(WeightsError, match=rf"{name}: .*{message}"):
            load_weights(tmp_path / name)


class Doubling(nn.Module):
    """Stands in for an architecture that spandrel knows."""

    def forward(self, low: torch.Tensor) -> torch.Tensor:
        return low.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


class Descriptor:
    """As spandrel.ImageModelDescriptor."""

    def __init__(self, channels: int) -> None:
        self.model = Doubling()
        self.architecture = SimpleNamespace(name="Doubler")
        self.scale, self.input_channels, self.output_channels = 2, channels, channels
        self.size_requirements = SimpleNamespace(multiple_of=24)

    def __call__(self, low: torch.Tensor) -> torch.Tensor:
        return self.model(low)


class UnsupportedModelError(Exception): ...


@pytest.fixture
def spandrel(monkeypatch):
    """A module with the names of spandrel that are used."""

    class ModelLoader:
        def load_from_state_dict(self, state):
            if "doubler.weight" not in state:
                raise UnsupportedModelError("never seen")
            return Descriptor(len(state["doubler.weight"]))

    module = ModuleType("spandrel")
    names = {"ImageModelDescriptor": Descriptor, "UnsupportedModelError": UnsupportedModelError}
    vars(module).update(names, ModelLoader=ModelLoader)
    monkeypatch.setitem(sys.modules, "spandrel", module)


def doubler(path: Path, key: str = "doubler.weight", channels: int = 3) -> Path:
    torch.save({"state_dict": {key: torch.zeros(channels)}}, path)
    return path


def test_an_architecture_of_spandrels_runs(spandrel, tmp_path):
    weights = load_weights(doubler(tmp_path / "one.pth"))
    network = load_generator(weights)
    assert (weights.metadata.scale, network.scale, network.alignment, network.receptive_field) == (
        2,
        2,
        24,
        72,
    )
    assert str(weights) == "spandrel (scale 2, network Doubler)"
    assert network(torch.zeros(1, 3, 4, 5)).shape == (1, 3, 8, 10)
    with pytest.raises(WeightsError, match="runs only from the file it came in"):
        write_weights(weights, tmp_path / "two.safetensors")


def test_what_spandrel_does_not_know_either_is_told(spandrel, tmp_path):
    with pytest.raises(WeightsError, match=r"one.pth: spandrel does not know .*never seen"):
        load_weights(doubler(tmp_path / "one.pth", key="strange.weight"))
    with pytest.raises(WeightsError, match="Doubler networks are used here for RGB alone"):
        load_weights(doubler(tmp_path / "one.pth", channels=1))


def test_without_spandrel_it_is_recommended(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(WeightsError, match=r"no network known here.*pip install spandrel"):
        load_weights(doubler(tmp_path / "one.pth"))

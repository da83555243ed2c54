from pathlib import Path

import pytest

from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.settings import ModelChoice
from srgan_cli.weights import zoo as library


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """(shipped, personal), the second one as the user names it."""
    shipped, personal = tmp_path / "shipped", tmp_path / "own"
    for folder in (shipped, personal):
        folder.mkdir()
    monkeypatch.setattr(library, "bundled_folder", lambda: shipped)
    monkeypatch.setenv("SRGAN_WEIGHTS", str(personal))
    return shipped, personal


def test_names_tell_model_scale_and_end(folders):
    shipped, personal = folders
    for name in ("clean-x4-psnr", "clean-x4-gan", "clean-x2-psnr"):
        (shipped / f"{name}.safetensors").touch()
    (personal / "my-anime-x4.safetensors").touch()
    (personal / "notes.txt").touch()
    assert library.model_names() == ["clean", "my-anime-x4", "bicubic"]
    assert library.paths_by_scale("clean") == {
        2: {"psnr": shipped / "clean-x2-psnr.safetensors"},
        4: {
            "gan": shipped / "clean-x4-gan.safetensors",
            "psnr": shipped / "clean-x4-psnr.safetensors",
        },
    }
    assert library.find_model("my-anime-x4")[0].path == personal / "my-anime-x4.safetensors"


def test_a_name_with_scale_0_is_a_model_of_its_own(folders):
    (folders[1] / "mine-x0-psnr.safetensors").touch()
    assert library.model_names() == ["mine-x0-psnr", "bicubic"]
    assert library.paths_by_scale("mine") == {}


def test_a_personal_network_hides_a_shipped_one(folders):
    for folder in folders:
        (folder / "clean-x4-psnr.safetensors").touch()
    assert library.find_weights_file("clean", 4, "psnr").parent == folders[1]


def test_a_personal_model_hides_both_shipped_ends_of_its_scale(folders):
    """Ends of two origins must not be blended."""
    shipped, personal = folders
    for name in ("clean-x4-psnr", "clean-x4-gan", "clean-x2-psnr"):
        (shipped / f"{name}.safetensors").touch()
    (personal / "clean-x4-psnr.safetensors").touch()
    assert library.paths_by_scale("clean") == {
        2: {"psnr": shipped / "clean-x2-psnr.safetensors"},
        4: {"psnr": personal / "clean-x4-psnr.safetensors"},
    }


def test_a_personal_network_of_a_shipped_models_name_is_that_model(folders):
    (folders[0] / "clean-x4-psnr.safetensors").touch()
    (folders[1] / "clean.safetensors").touch()
    assert library.paths_by_scale("clean") == {}
    assert [one.path for one in library.find_model("clean")] == [folders[1] / "clean.safetensors"]
    assert library.default_model() == "clean"


def test_the_variable_may_name_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SRGAN_WEIGHTS", "~/networks")
    assert library.user_folder() == tmp_path / "networks"


def test_the_home_of_nobody_is_a_folder_that_is_not_there(monkeypatch):
    monkeypatch.setenv("SRGAN_WEIGHTS", "~no-such-user/networks")
    assert library.user_folder() == Path("~no-such-user/networks")
    assert library.default_model()


def test_a_folder_that_is_not_there_holds_nothing(folders, monkeypatch):
    monkeypatch.setenv("SRGAN_WEIGHTS", str(folders[1] / "none"))
    assert library.model_names() == ["bicubic"]


def test_what_is_missing_is_told_with_what_there_is(folders):
    (folders[0] / "clean-x4-psnr.safetensors").touch()
    with pytest.raises(WeightsError, match="has no x2 psnr network; it has x4 psnr"):
        library.find_weights_file("clean", 2, "psnr")
    with pytest.raises(WeightsError, match="no model 'clear'; there are clean, bicubic"):
        library.find_weights_file("clear", 4, "psnr")


def test_the_default_is_photo_else_clean_else_bicubic(folders):
    assert library.default_model() == "bicubic"
    (folders[0] / "clean-x4-psnr.safetensors").touch()
    assert library.default_model() == "clean"
    (folders[0] / "photo-x4-psnr.safetensors").touch()
    assert library.default_model() == "photo"


def test_without_the_variable_the_users_data_folder_is_meant(monkeypatch):
    monkeypatch.delenv("SRGAN_WEIGHTS")
    monkeypatch.setattr(library.sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert library.user_folder() == Path("/data/srgan")


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "clean", "files": (Path("a"),)},
        {"files": (Path("a"), Path("b"))},
        {"files": (Path("a"),), "blend": 0.5},
        {"files": (Path("a"), Path("b"), Path("c")), "blend": 0.5},
        {"model": "bicubic", "blend": 0.5},
    ],
)
def test_choices_that_make_no_sense_are_refused(wrong):
    with pytest.raises(OptionError):
        ModelChoice(**wrong)

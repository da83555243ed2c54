"""What stands side by side, and how it enlarges."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import noise

from srgan_cli.errors import OptionError
from srgan_cli.evaluation.methods import bicubic, build_methods, choices, scale_of
from srgan_cli.settings import Machine, MethodOptions, ModelChoice


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (MethodOptions(models=("bicubic",)), []),
        (MethodOptions(models=("tiny",)), [ModelChoice("tiny")]),
        (
            MethodOptions(models=("tiny", "lone"), blends=(0.3, 1)),
            [ModelChoice("tiny", blend=0.3), ModelChoice("tiny", blend=1), ModelChoice("lone")],
        ),
        (MethodOptions(models=("lone",), blends=(0.3,)), [ModelChoice("lone", blend=0.3)]),
        (
            MethodOptions(models=("photo", "lone"), blends=(0, 1), strengths=(0.5,)),
            [
                ModelChoice("photo", blend=0, denoise=0.5),
                ModelChoice("photo", blend=1, denoise=0.5),
                ModelChoice("lone"),
            ],
        ),
        (
            MethodOptions(files=(Path("a"), Path("b")), blends=(0.5,)),
            [ModelChoice(files=(Path("a"), Path("b")), blend=0.5)],
        ),
        (
            MethodOptions(files=(Path("a"), Path("b"))),
            [ModelChoice(files=(Path("a"),)), ModelChoice(files=(Path("b"),))],
        ),
    ],
)
@pytest.mark.usefixtures("personal")
def test_a_line_up_is_a_choice_for_each_thing_shown(
    options: MethodOptions, expected: list[ModelChoice]
) -> None:
    assert choices(options) == expected


@pytest.mark.usefixtures("personal")
@pytest.mark.parametrize(
    "unblendable",
    [
        MethodOptions(models=("lone",)),
        MethodOptions(models=("bicubic",)),
        MethodOptions(files=(Path("a"),)),
        MethodOptions(files=(Path("a"), Path("b"), Path("c"))),
    ],
)
def test_a_blend_of_nothing_with_two_ends_is_a_usage_error(unblendable: MethodOptions) -> None:
    with pytest.raises(OptionError, match="--blend needs two ends"):
        build_methods(replace(unblendable, blends=(0.5,)))


def test_no_network_named_shows_the_default_from_end_to_end(personal: Path) -> None:
    for end in ("psnr", "gan"):
        (personal / f"tiny-x4-{end}.safetensors").rename(personal / f"photo-x4-{end}.safetensors")

    names = [
        method.name for method in build_methods(MethodOptions(machine=Machine(precision="fp32")))
    ]

    assert names == ["bicubic", "photo blend 0", "photo blend 1"]


@pytest.mark.usefixtures("family")
def test_a_family_named_by_nobody_is_a_grid_only_where_one_is_wanted() -> None:
    plain = build_methods(MethodOptions())
    grid = build_methods(MethodOptions(grid=True))

    assert [method.name for method in plain] == ["bicubic", "photo blend 0", "photo blend 1"]
    points = [(blend, denoise) for denoise in ("0", "0.5", "1") for blend in ("0", "0.5", "1")]
    names = [f"photo blend {blend} denoise {denoise}" for blend, denoise in points]
    assert [method.name for method in grid] == ["bicubic", *names]
    assert [method.row for method in grid] == ["", *(f"denoise {denoise}" for _, denoise in points)]


@pytest.mark.usefixtures("family")
def test_of_one_denoise_there_are_no_rows() -> None:
    methods = build_methods(MethodOptions(strengths=(0.5,)))

    names = [f"photo blend {blend} denoise 0.5" for blend in (0, 1)]
    assert [method.name for method in methods] == ["bicubic", *names]
    assert not any(method.row for method in methods)


@pytest.mark.usefixtures("family")
def test_denoise_is_refused_at_another_scale_and_for_other_models() -> None:
    with pytest.raises(OptionError, match="at x2"):
        build_methods(MethodOptions(strengths=(0.5,)), scale=2)
    (_, mixed) = build_methods(MethodOptions(models=("photo",), strengths=(0.5,)))
    with pytest.raises(OptionError, match="at x2"):
        mixed.upscale(noise(6, 5), 2)
    for others in (("srcnn",), ("srcnn", "vdsr"), ("bicubic",)):
        with pytest.raises(OptionError, match="--denoise"):
            build_methods(MethodOptions(models=others, strengths=(0.5,)))


@pytest.mark.usefixtures("personal")
def test_a_network_of_another_scale_takes_passes_and_a_resize() -> None:
    tiny = build_methods(MethodOptions(models=("lone",)))[1]

    assert scale_of([bicubic(), tiny]) == 4
    for scale in (2, 4, 5):
        output = tiny.upscale(noise(6, 5), scale)
        assert (output.height, output.width) == (6 * scale, 5 * scale)


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path, tiny_file: Path) -> None:
    names = ("r1/psnr.safetensors", "r2/psnr.safetensors", "gan.safetensors")
    files = tuple(tmp_path / name for name in names)
    for file in files:
        file.parent.mkdir(exist_ok=True)
        shutil.copy(tiny_file, file)

    methods = build_methods(MethodOptions(files=files))

    expected = ["bicubic", "r1/psnr", "r2/psnr", "gan"]
    assert [method.name for method in methods] == expected
    assert [method.settings.model for method in methods] == expected
    blended = build_methods(MethodOptions(files=files[:2], blends=(0.5,)))
    assert blended[1].name == "r1/psnr + r2/psnr blend 0.5"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (("a.safetensors", "a.copy.safetensors"), ["a", "a.copy"]),
        (("bicubic.safetensors",), ["files/bicubic"]),
        (("lone.safetensors",), ["files/lone"]),
        (("a.safetensors", "a.safetensors"), ["a", "a"]),
        (("a.safetensors", "a.ckpt"), ["a.safetensors", "a.ckpt"]),
    ],
)
@pytest.mark.usefixtures("personal")
def test_a_files_name_is_its_own(
    tmp_path: Path, tiny_file: Path, files: tuple[str, ...], expected: list[str]
) -> None:
    (tmp_path / "files").mkdir()
    paths = tuple(tmp_path / "files" / name for name in files)
    for path in paths:
        shutil.copy(tiny_file, path)

    methods = build_methods(MethodOptions(("lone",), paths))

    assert [method.name for method in methods] == ["bicubic", "lone", *expected]

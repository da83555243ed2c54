"""Images in folders are found by one rule."""

import os
from pathlib import Path

import pytest

from srgan_cli.errors import OptionError
from srgan_cli.folders import count_kinds, create_folder, distinct_names, image_name, scan_folder


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("bus_x4.png", "bus"),
        ("0801x4.png", "0801"),
        ("a-x2.5.jpg", "a"),
        ("bus.png", "bus"),
        ("x4.png", "x4"),
        ("box.png", "box"),
    ],
)
def test_the_scale_is_no_part_of_an_images_name(file, name):
    assert image_name(Path(file)) == name


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/x/a", "/y/b"], ["a", "b"]),
        (["/x/a", "/y/a", "/y/b"], ["x/a", "y/a", "b"]),
        (["/x/1/a", "/y/1/a", "/y/2/a"], ["x/1/a", "y/1/a", "2/a"]),
        (["a", "/x/a"], ["a", "x/a"]),
        (["/x/a", "/x/a"], ["/x/a", "/x/a"]),
    ],
)
def test_a_name_has_as_many_folders_as_tell_it_from_others(paths, names):
    assert distinct_names([Path(path) for path in paths]) == names


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in (
        "b.png",
        "a.JPG",
        "n.txt",
        ".hidden.png",
        "sub/c.png",
        ".cache/d.png",
        "out/e.png",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "gone.png").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.png")
    return tmp_path


def scanned(folder: Path, **how: object) -> tuple[list[str], list[str]]:
    found = scan_folder(folder, {".png", ".jpg"}, **how)  # type: ignore[arg-type]
    images = [str(path.relative_to(folder)) for path in found.images]
    return images, [str(path.relative_to(folder)) for path in found.others]


def test_a_folder_has_images_and_others_but_nothing_hidden(folder):
    assert scanned(folder) == (["a.JPG", "b.png", "gone.png"], ["n.txt", "pipe.png"])


def test_a_recursive_scan_leaves_out_hidden_folders_and_the_excluded_one(folder):
    images, others = scanned(folder, recursive=True, exclude=[folder / "out"])
    assert images == ["a.JPG", "b.png", "gone.png", "sub/c.png"]
    assert others == ["n.txt", "pipe.png"]


def test_of_several_excluded_folders_each_is_left_out_but_never_the_scanned_one(folder):
    out, sub = folder / "out", folder / "sub"
    images, _ = scanned(folder, recursive=True, exclude=[out, sub, folder])
    assert images == ["a.JPG", "b.png", "gone.png"]
    assert scanned(sub, recursive=True, exclude=[out, sub])[0] == ["c.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_entered_is_named(folder):
    (folder / "sub").chmod(0)
    found = scan_folder(folder, {".png"}, recursive=True)
    (folder / "sub").chmod(0o700)
    assert found.failed_folders == (folder / "sub",)


def test_a_folder_is_made_with_those_above_it_or_it_is_one_error(tmp_path):
    create_folder(tmp_path / "a" / "b", OptionError)
    create_folder(tmp_path / "a" / "b", OptionError)
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match=r"file: cannot be made \(File exists\)"):
        create_folder(tmp_path / "file", OptionError)


def test_kinds_are_counted_by_suffix():
    paths = map(Path, ["a.heic", "b.HEIC", "c.pdf", "README"])
    assert count_kinds(paths) == {"HEIC": 2, "PDF": 1, "no suffix": 1}

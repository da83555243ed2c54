"""Which inputs there are, and what their results are called."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from srgan_cli.batch.output_names import STREAM, OutputNames
from srgan_cli.batch.plan import BatchOptions, find_inputs, plan, with_shard
from srgan_cli.errors import ImageError, OptionError
from srgan_cli.images.formats import Encoding
from srgan_cli.settings import ImageSize

NAMING = OutputNames("clean", "4", Encoding(), lambda path: ImageSize(60, 80))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.jpg", "in/c.tif", "in/sub/d.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)


def targets(*inputs: str, naming: OutputNames = NAMING, **more: object) -> list[str]:
    return [str(job.target) for job in plan(BatchOptions(inputs, **more), naming)]


@pytest.mark.parametrize(
    ("inputs", "out", "expected"),
    [
        (["a.png"], None, ["a_x4.png"]),
        (["in/c.tif"], None, ["in/c_x4.tif"]),
        (["a.png"], "x.webp", ["x.webp"]),
        (["a.png"], "new/", ["new/a_x4.png"]),
        (["a.png"], "in", ["in/a_x4.png"]),
        (["a.png", "b.jpg"], "new", ["new/a_x4.png", "new/b_x4.jpg"]),
        (["in"], "new.png", ["new.png/c_x4.tif"]),
        (["-"], "x.png", ["x.png"]),
        (["-"], "in", ["in/stdin_x4.png"]),
    ],
)
def test_out_is_a_folder_if_it_is_one_or_ends_so_or_must_be(inputs, out, expected):
    assert targets(*inputs, out=out) == expected


def test_recursive_mirrors_the_tree():
    assert targets("in", out="new", recursive=True) == ["new/c_x4.tif", "new/sub/d_x4.png"]
    assert targets("in", recursive=True) == ["in/c_x4.tif", "in/sub/d_x4.png"]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{stem}-large{suffix}", "a-large.png"),
        ("{model}_{width}x{height}_{stem}", "clean_80x60_a.png"),
        ("{stem}.webp", "a.webp"),
        ("{scale:>02}{suffix}", "04.png"),
    ],
)
def test_name_is_a_template(template, expected):
    assert targets("a.png", name=template) == [expected]


def test_a_stem_that_looks_like_a_suffix_is_not_taken_for_one():
    Path("a.gif.png").touch()
    assert targets("a.gif.png", name="{stem}", out="new/") == ["new/a.gif.png"]


def test_a_size_gives_names_with_a_size_also_to_unreadable_images():
    sized = replace(NAMING, scale=None)
    assert targets("a.png", naming=sized) == ["a_80x60.png"]

    def broken(path: Path) -> ImageSize:
        raise ImageError("broken")

    assert targets("a.png", naming=replace(sized, output_size=broken)) == ["a_unknownxunknown.png"]


@pytest.mark.parametrize(
    ("source", "format", "expected"),
    [("b.jpg", "jpeg", "b_x4.jpg"), ("b.jpg", "webp", "b_x4.webp"), ("a.png", "tiff", "a_x4.tif")],
)
def test_the_suffix_follows_the_format(source, format, expected):
    assert targets(source, naming=replace(NAMING, encoding=Encoding(format))) == [expected]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "{nix}"},
        {"name": "{stem.__class__}"},
        {"name": "a/{stem}"},
        {"name": "{stem"},
        {"name": ""},
        {"name": "{stem:nix}"},
        {"name": "{stem}", "out": "x.png"},
        {"out": "x.xyz"},
        {"out": "-"},
        {"out": ""},
        {"out": "a.png"},
        {"out": "b.jpg/"},
        {"shard": (3, 2)},
    ],
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(OptionError):
        targets("a.png", **wrong)


def test_two_inputs_for_one_output_are_refused():
    Path("in/a.png").touch()
    with pytest.raises(OptionError, match=r"in/a.png would both become new/a_x4.png"):
        targets("a.png", "in/a.png", out="new")


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_an_output_that_is_an_input_through_a_link_is_refused(link):
    link(Path("a.png").absolute(), Path("b.png"))
    with pytest.raises(OptionError, match=r"b\.png is an input"):
        targets("a.png", out="b.png")


def test_a_folder_reached_by_two_names_is_one_folder():
    Path("same").symlink_to("in")
    with pytest.raises(OptionError, match="is an input"):
        targets("in/c.tif", "in/sub/d.png", out="same", name="c.tif")


def test_results_beside_their_sources_do_not_become_inputs_of_a_rerun():
    for name in ("in/c_x4.tif", "in/c_x4_x4.tif"):
        Path(name).touch()
    assert targets("in", skip_existing=True) == ["in/c_x4.tif"]
    with pytest.raises(OptionError, match=r"in/c_x4\.tif is an input: .* --skip-existing"):
        targets("in")


def test_shards_part_the_plan_and_do_not_change_it_while_results_appear():
    every = targets("in", "a.png", recursive=True, shard=(1, 1))
    first = targets("in", "a.png", recursive=True, shard=(1, 2))
    for name in first:
        Path(name).touch()
    second = targets("in", "a.png", recursive=True, shard=(2, 2))
    assert sorted(first + second) == sorted(every)


def test_torchrun_names_the_shard_unless_the_user_does():
    batch = BatchOptions(("a.png",))
    assert with_shard(batch, {"RANK": "1", "WORLD_SIZE": "4"}).shard == (2, 4)
    assert with_shard(replace(batch, shard=(1, 2)), {"RANK": "1", "WORLD_SIZE": "4"}).shard == (
        1,
        2,
    )
    assert with_shard(batch, {"WORLD_SIZE": "1"}).shard is None
    assert with_shard(batch, {}).shard is None
    for wrong in ({"WORLD_SIZE": "2"}, {"RANK": "2", "WORLD_SIZE": "2"}, {"WORLD_SIZE": "x"}):
        with pytest.raises(OptionError, match="give --shard"):
            with_shard(batch, wrong)


def test_standard_input_needs_an_output():
    with pytest.raises(OptionError, match="needs -o"):
        targets("-")
    encoded = replace(NAMING, encoding=Encoding("png"))
    assert targets("-", out="-", naming=encoded) == [str(STREAM)]
    with pytest.raises(OptionError, match="one image"):
        targets("-", "a.png", out="-", naming=encoded)


def test_a_result_whose_name_is_too_long_is_a_problem_of_its_own():
    Path("x" * 251 + ".png").touch()
    long, short = plan(BatchOptions(("x" * 251 + ".png", "a.png"), out="new"), NAMING)
    assert "258 bytes" in str(long.problem)
    assert short.problem is None


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.JPG", "note.txt", ".hidden.png", "sub/c.png", ".cache/d.png"):
        path = Path("photos") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def paths(*inputs: str, **more: object) -> list[str]:
    return [str(one.path) for one in find_inputs(BatchOptions(inputs, **more))]


def test_a_folder_gives_its_images_in_order():
    assert paths("photos") == ["photos/a.JPG", "photos/b.png"]


def test_recursive_enters_folders_but_not_hidden_ones():
    found = find_inputs(BatchOptions(("photos",), recursive=True))
    assert [str(one.path) for one in found] == ["photos/a.JPG", "photos/b.png", "photos/sub/c.png"]
    assert [str(one.output_folder) for one in found] == [".", ".", "sub"]


def test_the_output_folder_is_not_looked_into():
    assert paths("photos", recursive=True, out="photos/sub") == ["photos/a.JPG", "photos/b.png"]


def test_globs_are_expanded_and_a_file_of_such_a_name_comes_first():
    assert paths("photos/*.png") == ["photos/b.png"]
    assert paths("photos/**/*.png") == ["photos/b.png", "photos/sub/c.png"]
    Path("[ab].png").touch()
    assert paths("[ab].png") == ["[ab].png"]


def test_a_missing_file_stays_and_an_image_named_twice_is_taken_once():
    assert paths("nix.png", "photos/b.png", "./photos/b.png") == ["nix.png", "photos/b.png"]


def test_no_image_at_all_is_a_usage_error_that_knows_of_deeper_folders():
    Path("deep/er").mkdir(parents=True)
    with pytest.raises(OptionError, match="no image in deep; --recursive"):
        find_inputs(BatchOptions(("deep",)))


def test_an_empty_folder_beside_others_is_a_problem_of_its_own():
    Path("empty").mkdir()
    found = find_inputs(BatchOptions(("empty", "photos/b.png", "*.gif")))
    problems = [one.problem for one in found]
    assert problems == ["there is no image in empty", None, "there is no image in *.gif"]


def test_a_name_too_long_for_the_system_is_a_file_that_is_missing():
    assert paths("x" * 300) == ["x" * 300]

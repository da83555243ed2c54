"""What a run is asked to do, and how it is remembered."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest

from srgan_cli.errors import OptionError
from srgan_cli.training.loss_terms import PixelTerm
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.run_folder import (
    append_log,
    begin,
    read_options,
    resume_options,
    write_options,
)
from srgan_cli.training.schedule import resolve_stage
from srgan_cli.training.train_options import TrainOptions, seconds, size


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folders": ()}, "at least one folder"),
        ({"steps": 3, "budget": 60.0}, "exclude each other"),
        ({"steps": 0}, "--steps must be more than 0"),
        ({"lr": math.nan}, "--lr must be more than 0, and finite"),
        ({"lr": math.inf}, "--lr must be more than 0, and finite"),
        ({"batch_size": -1}, "--batch-size must be more than 0"),
        ({"precision": "int8"}, "--precision is one of"),
        ({"patch": 15}, "multiple of the scale 2"),
        ({"stages": "gan"}, "--from"),
        ({"stages": "int8", "blocks": None, "vgg": ()}, "--from"),
        ({"stages": "int8", "start": Path("a")}, "--blocks does not go with --stages int8"),
        (
            {"stages": "int8", "start": Path("a"), "blocks": None, "vgg": (), "teachers": ("b",)},
            "--teacher does not go with --stages int8",
        ),
        ({"vgg": ("f.pth:conv2_2=x",)}, "is a number"),
        ({"vgg": ("f.pth:conv2_2=0",)}, "more than 0"),
        ({"blocks": 10**6}, "--blocks must be from 0 to"),
        ({"scale": 10**6}, "--scale must be from 0 to"),
        ({"workers": -1}, "--workers must be from 0 to"),
        ({"seed": 2**63}, "--seed must be from 0 to"),
    ],
)
def test_options_that_make_no_sense_are_refused(make, changes, message) -> None:
    with pytest.raises(OptionError, match=message):
        make(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": "gan", "start": Path("a"), "optimizer": "muon"}, "--optimizer goes with"),
        ({"patch": 14}, "--patch must be at least 16 at scale 2"),
        ({"scale": 4, "patch": 28}, "--patch must be at least 32 at scale 4"),
        ({"pool_size": 50}, "name both"),
        ({"pool_size": 50, "pool": Path("a")}, "name both"),
        ({"pool_size": 50, "teachers": (Path("a"),)}, "name both"),
        (
            {
                "stages": "int8",
                "start": Path("a"),
                "blocks": None,
                "vgg": (),
                "precision": "bf16",
            },
            "--precision bf16 does not go with --stages int8",
        ),
    ],
)
def test_new_runs_refuse_what_older_ones_may_record(make, changes, message) -> None:
    options = make(**changes)
    with pytest.raises(OptionError, match=message):
        options.check_new()
    begin(options)
    older = read_options(options.out)  # as older versions recorded them
    names = ("optimizer", "precision", "pool_size", "stages", "patch")
    assert [getattr(older, name) for name in names] == [getattr(options, name) for name in names]


def test_options_with_an_effect_are_used(make) -> None:
    make(optimizer="muon").check_new()
    make(precision="bf16").check_new()
    make(pool_size=50, pool=Path("a"), teachers=(Path("b"),)).check_new()


def test_spans_and_sizes() -> None:
    assert [seconds(t) for t in ("90s", "20m", "2h", "1.5d", "3")] == [90, 1200, 7200, 129600, 180]
    assert [size(t) for t in ("500MB", "8GB", "8", "1.5 tb")] == [5e8, 8e9, 8e9, 1.5e12]
    for wrong in ("", "0", "two hours", "-3m"):
        with pytest.raises(OptionError):
            seconds(wrong)


def test_a_relative_vgg_file_is_recorded_with_its_folder(make, monkeypatch, tmp_path) -> None:
    folder = tmp_path / "two\nlines"
    folder.mkdir()
    monkeypatch.chdir(folder)
    begin(make(vgg=("vgg.pth:conv2_2=0.5,conv3_1", "vgg.pth", "download", "download:conv1_2")))
    monkeypatch.chdir("/")
    assert read_options(make().out).vgg == (
        f"{folder}/vgg.pth:conv2_2=0.5,conv3_1",
        f"{folder}/vgg.pth",
        "download",
        "download:conv1_2",
    )


def test_a_run_folder_remembers_its_options(make, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    given = make(
        folders=(Path("photos"),), out=Path("run"), val=Path("photos"), teachers=(Path("a.pth"),)
    )
    begin(given)
    monkeypatch.chdir("/")
    found = read_options(tmp_path / "run")
    paths = {"val": tmp_path / "photos", "out": tmp_path / "run"}
    tuples = {"folders": (tmp_path / "photos",), "teachers": (tmp_path / "a.pth",)}
    assert found == replace(given, **paths, **tuples)


def test_an_existing_run_is_not_begun_again(make) -> None:
    begin(make())
    append_log(make().out, {"stage": "psnr", "step": 1})
    with pytest.raises(OptionError, match="--resume"):
        begin(make())


def test_a_folder_that_is_no_run_cannot_be_resumed(make, tmp_path) -> None:
    with pytest.raises(OptionError, match="not a run folder"):
        read_options(tmp_path)
    options = make()
    begin(options)
    (options.out / "options.json").write_text('{"steps": 3}')
    with pytest.raises(OptionError, match="damaged"):
        read_options(options.out)


@pytest.mark.parametrize(
    "damage",
    [
        {"recipe": {}},
        {"recipe": "none"},
        {"recipe": None},
        {"vgg": [3]},
        {"folders": 3},
        {"out": 3, "device": 3},
        {"planned": {"psnr": "x"}},
        {"planned": []},
        {"seed": 1.5},
        {"blocks": True},
        {"cache": "8GB"},
        {"lineage": None},
        {"steps": 10**30},
    ],
    ids=str,
)
def test_options_of_other_types_are_damaged(make, damage) -> None:
    options = make()
    begin(options)
    file = options.out / "options.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | damage))
    with pytest.raises(OptionError):
        read_options(options.out)


def test_options_of_an_older_version_are_completed_with_defaults(make) -> None:
    options = make(vgg=(), stages=None)
    begin(options)
    path = options.out / "options.json"
    record = json.loads(path.read_text())
    for name in ("vgg", "stages", "low", "cache", "planned"):
        del record[name]
    path.write_text(json.dumps(record))
    assert read_options(options.out) == options


def test_a_run_that_names_no_optimizer_was_begun_with_adam_at_adams_rate(make) -> None:
    options, stage = make(), RECIPES["clean"].stages[0]
    begin(options)
    file = options.out / "options.json"
    record = json.loads(file.read_text())
    resolved = resolve_stage(options, stage)
    assert (resolved.optimizer, resolved.lr) == ("muon", 2e-3)
    del record["optimizer"]
    file.write_text(json.dumps(record))
    older = resolve_stage(read_options(options.out), stage)
    assert (older.optimizer, older.lr) == ("adam", 1e-3)


def test_optimizer_is_of_the_faithful_stage_and_lr_of_both() -> None:
    psnr, gan = RECIPES["srgan"].stages
    options = TrainOptions(folders=(Path("a"),), out=Path("b"), optimizer="muon")
    resolved = [resolve_stage(options, stage) for stage in (psnr, gan)]
    assert [stage.optimizer for stage in resolved] == ["muon", "adam"]
    assert [stage.lr for stage in resolved] == [2 * psnr.lr, gan.lr]
    faster = replace(options, lr=0.5)
    assert {resolve_stage(faster, stage).lr for stage in (psnr, gan)} == {0.5}


def test_the_discriminators_rate_keeps_its_ratio_to_the_generators() -> None:
    gan = RECIPES["clean"].stages[1]
    for lr in (None, 1e-3):
        options = TrainOptions(folders=(Path("a"),), out=Path("b"), lr=lr)
        resolved = resolve_stage(options, gan)
        assert resolved.gan.lr == 2 * resolved.lr == 2 * (lr or gan.lr)


def test_the_pixel_loss_is_of_the_faithful_stage() -> None:
    def distances(recipe: str, options: TrainOptions) -> list[str]:
        stages = [resolve_stage(options, stage) for stage in RECIPES[recipe].stages]
        terms = [stage.losses[0] for stage in stages]
        assert all(isinstance(term, PixelTerm) for term in terms)
        return [term.distance for term in terms]

    options = TrainOptions(folders=(Path("a"),), out=Path("b"))
    assert distances("clean", options) == ["l1", "l1"]
    assert distances("srresnet", options) == ["mse"]
    assert distances("srresnet", replace(options, loss="l1")) == ["l1"]
    named = replace(options, loss="mse")
    assert distances("clean", named) == ["mse", "l1"]
    with pytest.raises(OptionError, match="--loss goes with the PSNR stage"):
        replace(named, stages="gan", start=Path("c"))


def test_resuming_with_other_steps_forgets_the_budget_and_its_plan(make) -> None:
    options = make(steps=None, budget=60.0, planned={"psnr": 40})
    begin(options)
    assert resume_options(options.out, {}) == options
    more = resume_options(options.out, {"steps": 80})
    assert (more.steps, more.budget, more.planned) == (80, None, {})
    longer = resume_options(options.out, {"budget": 90.0})
    write_options(longer)
    assert (longer.steps, longer.budget, longer.planned) == (None, 90.0, {})


def test_stages_are_chosen_from_what_the_recipe_has() -> None:
    ends = {s: [stage.end for stage in RECIPES["clean"].chosen(s)] for s in (None, "both", "gan")}
    assert ends == {None: ["psnr", "gan"], "both": ["psnr", "gan"], "gan": ["gan"]}
    for wrong in ("gan", "both"):
        with pytest.raises(OptionError, match="has no GAN stage"):
            RECIPES["srcnn"].chosen(wrong)


def test_blocks_belong_to_networks_that_have_some() -> None:
    assert RECIPES["esrgan"].sized(2, 3) == {"scale": 2, "blocks": 3}
    with pytest.raises(OptionError, match="it has no blocks"):
        RECIPES["srcnn"].sized(4, 3)


def test_options_that_are_a_pipe_or_nested_too_deeply_are_damaged(tmp_path) -> None:
    os.mkfifo(tmp_path / "options.json")
    with pytest.raises(OptionError, match=r"damaged: .*pipe"):
        read_options(tmp_path)
    (tmp_path / "options.json").unlink()
    (tmp_path / "options.json").write_text("[" * 100_000)
    with pytest.raises(OptionError, match="damaged"):
        read_options(tmp_path)

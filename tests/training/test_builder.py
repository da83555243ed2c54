"""What stages leave behind, and what they begin with."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.training import builder, trainer
from srgan_cli.training.feature_extractors import load_vggs, metric_extractor
from srgan_cli.training.initial_weights import starting_weights
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.run_folder import (
    checkpoints,
    load_state,
    read_log,
    read_options,
    write_options,
)
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.training.train_run import check
from srgan_cli.weights.blending import interpolate
from srgan_cli.weights.container import is_running_statistic, read_weights, write_weights
from srgan_cli.weights.metadata import ModelFamily


def test_both_ends_share_a_lineage_and_blend(make, run) -> None:
    options = make(stages="both", steps=10)
    listener = run(options)
    assert [(p.stage, p.steps) for p in listener.seen] == [("psnr", 8)] * 8 + [("gan", 2)] * 2
    psnr, gan = (read_weights(options.out / f"{end}.safetensors") for end in ("psnr", "gan"))
    assert psnr.metadata.lineage == gan.metadata.lineage == options.lineage
    assert (psnr.metadata.objective, gan.metadata.objective) == ("psnr", "gan")
    assert any(not torch.equal(psnr.state[name], gan.state[name]) for name in psnr.state)
    assert interpolate(psnr, gan, 0.5).metadata.lineage == options.lineage


def test_statistics_of_batchnorm_settle_in_the_faithful_stage(make, run) -> None:
    options = make(recipe="srgan", steps=8)
    run(options)
    state = load_state(checkpoints(options.out)[-1])
    network, average = state.networks["generator"], state.average
    statistics = {name for name in average if is_running_statistic(name)}
    assert len(statistics) == 9
    assert all(average[name].any() for name in statistics)
    moving = {name for name in average if not torch.equal(network[name], average[name])}
    assert moving == set(average) - statistics


def test_statistics_of_batchnorm_stay_in_the_vivid_stage(make, run) -> None:
    options = make(recipe="srgan", stages="both", steps=10)
    run(options)
    psnr, gan = (read_weights(options.out / f"{end}.safetensors").state for end in ("psnr", "gan"))
    for name, value in psnr.items():
        assert torch.equal(gan[name], value) == is_running_statistic(name)


def test_a_run_folder_holds_images_of_its_progress(make, run) -> None:
    options = make(stages="both", steps=10)
    run(options)
    names = {path.name for path in options.out.iterdir()}
    assert {"options.json", "log.jsonl", "samples", "curves.png", "cache"} <= names
    assert (options.out / "samples" / "gan-00000002.png").exists()
    rows = read_log(options.out)
    assert all(row["features"] > 0 for row in rows if "psnr" in row)
    for stage in ("psnr", "gan"):  # so short a run has a curve of its losses, too
        steps = [row["step"] for row in rows if "lr" in row and row["stage"] == stage]
        assert len(steps) >= 2
        assert steps == sorted(set(steps))


@pytest.mark.parametrize(("seconds", "drawn"), [(1e9, [1, 4]), (-1.0, [1, 2, 3, 4])])
def test_curves_are_drawn_now_and_then_and_at_the_end(
    make, run, monkeypatch, seconds: float, drawn: list[int]
) -> None:
    steps: list[int] = []
    monkeypatch.setattr(trainer, "CURVES_EVERY", seconds)
    monkeypatch.setattr(builder, "draw_curves", lambda folder: steps.append(last_step(folder)))

    def last_step(folder: Path) -> int:
        return next(row["step"] for row in reversed(read_log(folder)) if "psnr" in row)

    run(make(steps=4))
    assert steps == drawn


def test_the_gan_end_alone_begins_with_a_file_and_keeps_its_lineage(make, run, tmp_path) -> None:
    first = make(steps=2)
    run(first)
    given = first.out / "psnr.safetensors"
    second = make(stages="gan", start=given, out=tmp_path / "second", steps=2, lineage="other")
    run(second)
    gan = read_weights(second.out / "gan.safetensors")
    psnr = read_weights(second.out / "psnr.safetensors")
    assert gan.metadata.lineage == psnr.metadata.lineage == first.lineage
    state = read_weights(given).state
    assert all(torch.equal(psnr.state[name], state[name]) for name in state)


def test_another_scale_keeps_all_but_the_tail_and_begins_a_lineage(make, run, tmp_path) -> None:
    first = make(steps=2)
    run(first)
    given = first.out / "psnr.safetensors"
    larger = make(start=given, scale=4, out=tmp_path / "larger", lineage="new", steps=2)
    torch.manual_seed(7)
    before, after = read_weights(given), starting_weights(larger, RECIPES["clean"])
    assert after.metadata.scale == after.hyperparameters["scale"] == 4
    assert after.metadata.lineage == "new"
    kept = {n.split(".")[0] for n in after.state if n in before.state
            and torch.equal(after.state[n], before.state[n])}  # fmt: skip
    assert kept >= {"head", "body", "body_end"}
    assert not any(torch.equal(after.state[n], before.state.get(n, torch.zeros(1)))
                   for n in after.state if n.startswith("up."))  # fmt: skip
    run(larger)
    with pytest.raises(OptionError, match="--stages both"):
        check(replace(larger, stages="gan"))


def test_a_recipe_trains_the_network_of_the_file_it_begins_with(make, run, tmp_path) -> None:
    first = make(steps=2)
    run(first)
    given = first.out / "psnr.safetensors"
    second = make(start=given, recipe="rrdb", blocks=None, out=tmp_path / "second", steps=2)
    listener = run(second)
    after = read_weights(second.out / "psnr.safetensors")
    assert (after.architecture, after.metadata.lineage) == ("fast", first.lineage)
    assert any("recipe rrdb trains fast (" in line for line in listener.lines)
    assert all("trains" not in line for line in run(make(start=given, out=tmp_path / "t")).lines)


def test_facts_of_the_file_begun_with_do_not_stick_to_what_is_trained(make, run, tmp_path) -> None:
    first = make(steps=2)
    run(first)
    given = read_weights(first.out / "psnr.safetensors")
    known = replace(given.metadata, measured_receptive_field=3, figures={"set5": {"psnr_y": 31.0}})
    write_weights(replace(given, metadata=known), tmp_path / "known.safetensors")
    second = make(start=tmp_path / "known.safetensors", out=tmp_path / "second", steps=2)
    run(second)
    metadata = read_weights(second.out / "psnr.safetensors").metadata
    assert (metadata.measured_receptive_field, metadata.figures) == (None, {})
    assert metadata.reflect_padding is not None  # measured when the run ends


def test_a_family_is_declared_by_what_was_trained_last(make, run, tmp_path, monkeypatch) -> None:
    for name in ("clean", "photo"):
        small = {**RECIPES[name].hyperparameters, "features": 4, "blocks": 1, "thin": 2}
        monkeypatch.setitem(RECIPES, name, replace(RECIPES[name], hyperparameters=small))

    def family(options: TrainOptions, end: str) -> ModelFamily | None:
        return read_weights(options.out / f"{end}.safetensors").metadata.family

    clean = make(scale=4, patch=32, steps=1)
    start = clean.out / "psnr.safetensors"
    photo = make(
        recipe="photo", stages="gan", start=start, out=tmp_path / "photo", scale=4, steps=1
    )
    other = make(start=start, out=tmp_path / "other", scale=2, steps=1)
    for options in (clean, photo, other):
        run(options)

    assert family(clean, "psnr") == family(photo, "psnr") == ModelFamily("photo-clean", 0)
    assert family(photo, "gan") == ModelFamily("photo-clean", 1)
    assert family(other, "psnr") is None


def test_a_gan_recipe_without_a_vgg_file_names_both_ways(make) -> None:
    with pytest.raises(OptionError, match=r"--vgg FILE, or let --vgg download"):
        check(make(stages="both", vgg=()))
    assert check(make(stages="psnr", vgg=())) == []


def test_a_layer_that_the_file_lacks_is_found_before_training(make, vgg_file) -> None:
    with pytest.raises(WeightsError, match=r"no conv5_4; it has conv1_1, .*conv3_1"):
        check(make(stages="both", vgg=(f"{vgg_file}:conv5_4",)))
    with pytest.raises(WeightsError, match="name its layers"):
        check(make(stages="both", vgg=(str(vgg_file),)))  # the recipe's own layers go deeper


def test_a_file_that_is_no_vgg_is_refused(make, tmp_path) -> None:
    (tmp_path / "junk.pth").write_bytes(b"junk")
    with pytest.raises(WeightsError, match=r"junk\.pth"):
        check(make(vgg=(str(tmp_path / "junk.pth"),)))
    torch.save({"fc.weight": torch.ones(2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="no VGG file"):
        check(make(vgg=(str(tmp_path / "other.pth"),)))


def test_results_are_measured_by_layers_that_are_not_trained_on(make) -> None:
    vggs = load_vggs(make().vgg_files())
    judged = metric_extractor(vggs, RECIPES["clean"].stages, torch.device("cpu"))
    assert list(judged.layers.values()) == [["conv1_2", "conv2_1"]]


def test_a_run_with_a_budget_records_its_steps_and_ends(make, run) -> None:
    options = make(steps=None, budget=1.5)
    options.out.mkdir()
    write_options(options)
    seen = run(options).seen
    recorded = read_options(options.out).planned
    assert recorded == {"psnr": seen[-1].step}
    assert seen[-1].step == seen[-1].steps
    assert seen[-1].score is not None


def test_the_best_network_of_a_gan_stage_is_nearest_in_features(make, run) -> None:
    options = make(stages="both", steps=20)
    run(options)
    rows = [r for r in read_log(options.out) if "features" in r]
    best = min(row["features"] for row in rows if row["stage"] == "gan")
    metadata = read_weights(options.out / "gan.safetensors").metadata
    assert metadata.training["validation"]["features"] == best
    best = max(row["psnr"] for row in rows if row["stage"] == "psnr")
    metadata = read_weights(options.out / "psnr.safetensors").metadata
    assert metadata.training["validation"]["psnr"] == best


@pytest.mark.parametrize("more", [{"recipe": "photo"}, {"precision": "bf16"}])
def test_degraded_images_and_half_precision_train_in_both_stages(make, run, more) -> None:
    options = make(stages="both", steps=5, **more)
    assert [p.stage for p in run(options).seen] == ["psnr"] * 4 + ["gan"]
    assert (options.out / "gan.safetensors").exists()

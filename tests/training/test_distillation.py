"""A trained network teaches another."""

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from kill import same
from torch import Tensor, nn
from torch.nn.functional import interpolate, l1_loss
from training_helpers import last_state, random_image, save_image

from srgan_cli.errors import DatasetError, OptionError, WeightsError
from srgan_cli.networks import GENERATORS
from srgan_cli.networks.layers import ORIENTATIONS, upscale_rotated
from srgan_cli.training.data import load_data
from srgan_cli.training.dataset import ImageSet
from srgan_cli.training.distillation import TeacherEnsemble, effective_teacher_weight, load_pool
from srgan_cli.training.dry_run import describe_run
from srgan_cli.training.memory_estimate import estimate_memory, stage_networks
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.run_folder import checkpoints, load_state, read_log
from srgan_cli.training.train_run import check
from srgan_cli.training.validation import Score
from srgan_cli.weights.container import read_weights
from srgan_cli.weights.loading import load_generator


class Lopsided(nn.Module):
    """Twice as large, and a pixel to the right."""

    def forward(self, low_res: Tensor) -> Tensor:
        return interpolate(low_res.roll(1, dims=3), scale_factor=2.0)


def test_a_teacher_looks_at_images_in_all_orientations_as_the_seed_draws_them() -> None:
    low_res = torch.rand(1, 3, 6, 6)
    each = [upscale_rotated(Lopsided(), low_res, *orientation) for orientation in ORIENTATIONS]
    teacher = TeacherEnsemble([Lopsided()])

    def drawn() -> list[int]:
        torch.manual_seed(1)
        told = [teacher(low_res) for _ in range(60)]
        return [next(n for n, one in enumerate(each) if torch.equal(one, t)) for t in told]

    first = drawn()
    ways = {tuple(each[n].flatten().tolist()) for n in first}
    assert len(ways) == 4  # mirrored ones coincide: to the right, left, up and down
    assert drawn() == first


@pytest.fixture
def teacher(make, run, tmp_path: Path) -> Path:
    """SRResNet, of a few steps: unlike the images, and unlike what `fast` begins with."""
    options = make(recipe="srresnet", out=tmp_path / "teacher", seed=3, steps=3)
    run(options)
    return options.out / "psnr.safetensors"


def test_a_network_comes_nearer_to_what_its_teacher_makes(make, run, teacher, tmp_path) -> None:
    low_res = torch.from_numpy(random_image(0)).permute(2, 0, 1)[None] / 255
    wanted = load_generator(read_weights(teacher)).eval()(low_res)

    def distance(name: str, **changes) -> float:
        options = make(out=tmp_path / name, steps=60, **changes)
        run(options)
        network = load_generator(read_weights(options.out / "psnr.safetensors"))
        network.load_state_dict(load_state(checkpoints(options.out)[-1]).networks["generator"])
        return l1_loss(network(low_res), wanted).item()

    alone = distance("alone")
    half = distance("half", teachers=(teacher,), teacher_weight=0.5)
    whole = distance("whole", teachers=(teacher,), teacher_weight=1.0)
    assert whole < half < alone
    assert whole < 0.8 * alone


def test_of_several_teachers_the_mean_is_learned() -> None:
    class Gray(nn.Module):
        def forward(self, low_res: Tensor) -> Tensor:
            return torch.full((1, 3, 12, 12), 0.5)

    low_res = torch.rand(1, 3, 6, 6)
    torch.manual_seed(1)
    alone = TeacherEnsemble([Lopsided()])(low_res)
    torch.manual_seed(1)
    torch.testing.assert_close(TeacherEnsemble([Lopsided(), Gray()])(low_res), (alone + 0.5) / 2)


def test_with_a_weight_of_one_the_originals_are_no_target(make, run, teacher, tmp_path) -> None:
    options = make(teachers=(teacher,), teacher_weight=1.0, out=tmp_path / "taught", steps=50)
    run(options)
    row = next(row for row in read_log(options.out) if "distillation" in row)
    assert "pixel" not in row
    assert row["distillation"] > 0


def test_a_teacher_of_another_scale_is_refused_before_a_run_is_made(make, teacher) -> None:
    with pytest.raises(OptionError, match=r"enlarges by 2: it cannot teach .* by 4"):
        check(make(teachers=(teacher,), scale=4))


def test_a_teacher_that_is_no_network_is_refused(make, tmp_path) -> None:
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    with pytest.raises(WeightsError, match=r"junk\.safetensors"):
        check(make(teachers=(tmp_path / "junk.safetensors",)))
    with pytest.raises(WeightsError, match=r"none\.pth"):
        check(make(teachers=(tmp_path / "none.pth",)))


@pytest.mark.parametrize("weight", [0.0, -0.1, 1.1, float("nan")])
def test_the_weight_is_a_share(make, teacher, weight) -> None:
    with pytest.raises(OptionError, match="--teacher-weight must be"):
        make(teachers=(teacher,), teacher_weight=weight)


def test_a_weight_of_no_teacher_is_refused(make) -> None:
    with pytest.raises(OptionError, match="a --teacher or a --pool counts: name one"):
        make(teacher_weight=0.5)


def test_a_teacher_counts_seven_tenths_by_default(make, teacher) -> None:
    stage = RECIPES["clean"].stages[0]
    given = [make(), make(teachers=(teacher,)), make(teachers=(teacher,), teacher_weight=1.0)]
    assert [effective_teacher_weight(options, stage) for options in given] == [0, 0.7, 1]


def test_the_vivid_end_alone_has_no_teacher(make, teacher) -> None:
    with pytest.raises(OptionError, match="--teacher goes with the PSNR stage"):
        make(teachers=(teacher,), stages="gan", start=teacher)


def test_a_dry_run_tells_of_the_teacher_and_counts_its_memory(make, teacher) -> None:
    options = make(teachers=(teacher,), teacher_weight=0.75)
    lines = list(describe_run(options, check(options)))
    assert "  losses: l1 x 0.25 to the original, l1 x 0.75 to the teacher" in lines
    stage = RECIPES["clean"].stages[0]
    casts = [
        stage_networks(o, stage, [])
        for o in (options, replace(options, teachers=(), teacher_weight=None))
    ]
    needs = [estimate_memory(networks, 16, 2, torch.float32) for networks in casts]
    large = GENERATORS["srresnet"](**read_weights(teacher).hyperparameters)
    assert needs[0].sample == needs[1].sample
    assert needs[0].fixed - needs[1].fixed == 4 * sum(p.numel() for p in large.parameters())


@pytest.fixture
def pool_teacher(make, run, tmp_path: Path) -> Path:
    options = make(out=tmp_path / "teacher", seed=3, steps=2)
    run(options)
    return options.out / "psnr.safetensors"


@pytest.fixture
def large_photos(tmp_path: Path) -> Path:
    folder = tmp_path / "large"
    folder.mkdir()
    for seed in range(3):
        image = random_image(seed, 220, 240)
        cv2.imwrite(str(folder / f"{seed}.png"), np.ascontiguousarray(image[..., ::-1]))
    return folder


def test_a_pool_is_made_once_and_trains_both_stages(
    make, run, pool_teacher, large_photos, tmp_path
) -> None:
    given = {
        "folders": (large_photos,),
        "teachers": (pool_teacher,),
        "pool": tmp_path / "pool",
        "pool_size": 2,
        "teacher_weight": 0.75,
    }
    first = make(out=tmp_path / "one", stages="both", steps=10, **given)
    run(first)
    rows = read_log(first.out)
    losses = [row for row in rows if "distillation" in row]
    assert losses
    assert all(row["pixel"] > 0 for row in losses)
    names = {
        folder: sorted(path.name for path in (tmp_path / "pool" / folder).iterdir())
        for folder in ("low", "teacher", "high")
    }
    assert names["low"] == names["teacher"] == names["high"] == ["00000.png", "00001.png"]
    low_res, high_res = (
        cv2.imread(str(tmp_path / "pool" / folder / "00000.png")) for folder in ("low", "high")
    )
    assert low_res.shape == (96, 96, 3)
    assert high_res.shape == (192, 192, 3)
    before = [path.stat().st_mtime_ns for path in (tmp_path / "pool" / "teacher").iterdir()]
    second = make(out=tmp_path / "two", stages="both", steps=10, **given)
    run(second)
    assert before == [path.stat().st_mtime_ns for path in (tmp_path / "pool" / "teacher").iterdir()]
    assert same(last_state(first), last_state(second))


def pool_by_hand(folder: Path, teacher_side: int = 32) -> Path:
    sides = {"low": 16, "high": 32, "teacher": teacher_side}
    for name, side in sides.items():
        (folder / name).mkdir(parents=True)
        for seed in range(2):
            save_image(folder / name / f"{seed}.png", seed, height=side, width=side)
    return folder


def test_a_pool_of_another_program_is_taken_as_it_is(make, run, pool_teacher, tmp_path) -> None:
    pool = pool_by_hand(tmp_path / "pool")
    run(make(teachers=(pool_teacher,), pool=pool, pool_size=2, steps=2))
    assert sorted(path.name for path in (pool / "low").iterdir()) == ["0.png", "1.png"]


def test_the_missing_crops_of_a_pool_are_made_and_no_more(
    make, pool_teacher, large_photos, tmp_path
) -> None:
    pool = pool_by_hand(tmp_path / "pool")
    given = {"folders": (large_photos,), "teachers": (pool_teacher,), "pool": pool}
    seen: list[tuple[int, int]] = []
    load_data(make(**given, pool_size=3), RECIPES["clean"], lambda *now: seen.append(now))
    assert seen == [(3, 3)]
    assert sorted(each.name for each in (pool / "high").iterdir()) == [
        "0.png",
        "00000.png",
        "1.png",
    ]


def test_photographs_too_small_for_a_pool_are_left_out_and_listed(
    make, pool_teacher, large_photos, tmp_path
) -> None:
    for seed in range(3):
        save_image(large_photos / f"small-{seed}.png", seed)
    options = make(
        folders=(large_photos,), teachers=(pool_teacher,), pool=tmp_path / "pool", pool_size=1
    )
    lines = [*describe_run(options, check(options))]
    assert "  cut from 3 images of at least 208 pixels a side" in lines
    data = load_data(options, RECIPES["clean"])
    assert len(data.training.high_res) == 1
    assert {each.path.name for each in data.skipped} == {f"small-{n}.png" for n in range(3)}
    assert load_data(options, RECIPES["clean"]).skipped == []  # nothing is to be cut any more


def test_a_pool_without_a_photograph_that_is_large_enough_is_refused(
    make, pool_teacher, tmp_path
) -> None:
    options = make(teachers=(pool_teacher,), pool=tmp_path / "pool", pool_size=1)
    for use in (lambda: [*describe_run(options, [])], lambda: load_data(options, RECIPES["clean"])):
        with pytest.raises(DatasetError, match="at least 208 pixels a side"):
            use()


def test_in_a_pool_of_several_teachers_is_the_mean_as_they_are(monkeypatch) -> None:
    monkeypatch.setattr("srgan_cli.training.distillation.draw_orientation", None)
    low_res = torch.rand(1, 3, 6, 6)
    mean = TeacherEnsemble([Lopsided(), nn.Upsample(scale_factor=2)], random_orientation=False)(
        low_res
    )
    torch.testing.assert_close(
        mean, (Lopsided()(low_res) + nn.Upsample(scale_factor=2)(low_res)) / 2
    )


@pytest.mark.parametrize(("weight", "kept"), [(0.75, "first"), (1.0, "last")])
def test_of_a_teacher_alone_the_last_network_is_kept(
    make, run, pool_teacher, tmp_path, monkeypatch, weight, kept
) -> None:
    """And not the best by PSNR to the originals, which is the one that has learned least."""
    monkeypatch.setattr(Score, "selection_score", lambda score, end: 0.0)
    pool = pool_by_hand(tmp_path / "pool")
    given = {"teachers": (pool_teacher,), "pool": pool, "pool_size": 2, "teacher_weight": weight}
    options = make(stages="psnr", steps=80, **given)
    run(options)
    rows = read_log(options.out)
    validated = [row["step"] for row in rows if "psnr" in row]
    steps = read_weights(options.out / "psnr.safetensors").metadata.training["steps"]
    assert len(validated) > 1
    assert steps == {"first": validated[0], "last": validated[-1]}[kept]


def test_a_pool_whose_sizes_do_not_fit_is_refused(make, run, pool_teacher, tmp_path) -> None:
    pool = pool_by_hand(tmp_path / "pool", teacher_side=48)
    with pytest.raises(DatasetError, match="not 2 times as large"):
        run(make(teachers=(pool_teacher,), pool=pool, pool_size=2))


def loaded(pool: Path, run: str = "run", patch: int = 32) -> dict[str, ImageSet]:
    options = SimpleNamespace(pool=pool, out=pool.parent / run, scale=2, cache=1e9)
    return load_pool(options, patch)  # type: ignore[arg-type]


def test_a_run_keeps_its_pool_while_another_one_reads_the_same(tmp_path: Path) -> None:
    pool = pool_by_hand(tmp_path / "pool")
    first = loaded(pool)
    loaded(pool, run="other", patch=16)
    assert not (pool / "cache").exists()
    for images in first.values():  # mapped at their first use, and again in each worker
        assert images.file.parent == tmp_path / "run" / "cache"
        assert images[0].shape == (images.entries[0].height, images.entries[0].width, 3)


@pytest.mark.parametrize("kind", ["dangling", "loop", "device", "pipe", "folder", "text"])
@pytest.mark.parametrize("folder", ["low", "teacher", "high"])
def test_a_pool_with_something_else_than_an_image_is_refused(
    kind: str, folder: str, tmp_path: Path
) -> None:
    path = pool_by_hand(tmp_path / "pool") / folder / "0.png"
    path.unlink()
    {
        "dangling": lambda: path.symlink_to("missing.png"),
        "loop": lambda: path.symlink_to(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "text": lambda: path.write_text("not an image"),
    }[kind]()
    with pytest.raises(DatasetError, match=rf"not whole.*{folder}/0\.png") as caught:
        loaded(tmp_path / "pool")
    assert str(caught.value).isprintable()
    assert not (tmp_path / "pool" / "cache").exists()
    assert not (tmp_path / "run").exists()


def test_a_crop_of_another_size_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("srgan_cli.training.distillation.load_images", None)
    with pytest.raises(DatasetError, match="not 2 times as large"):
        loaded(pool_by_hand(tmp_path / "pool", teacher_side=48))


def test_a_full_pool_needs_no_teacher_and_gives_its_name_to_the_record(make, run, tmp_path) -> None:
    options = make(pool=pool_by_hand(tmp_path / "hit-srf"), teacher_weight=0.5, steps=2)
    run(options)
    training = read_weights(options.out / "psnr.safetensors").metadata.training
    assert training["teachers"] == ["hit-srf"]
    assert all(
        {"pixel", "distillation"} <= set(row) for row in read_log(options.out) if "lr" in row
    )
    lines = [*describe_run(options, [])]
    assert f"trained on a pool of 2 crops: {options.pool}" in lines


def test_a_pool_that_cannot_be_made_is_one_error_before_images_are_decoded(
    make, run, pool_teacher, tmp_path
) -> None:
    (tmp_path / "file").touch()
    options = make(pool=tmp_path / "file" / "pool", teachers=(pool_teacher,))
    with pytest.raises(DatasetError, match=r"pool.*cannot be made"):
        run(options)
    assert not (options.out / "cache").exists()


def test_an_empty_pool_without_a_teacher_is_refused(make, run, tmp_path) -> None:
    with pytest.raises(DatasetError, match="name the --teacher"):
        run(make(pool=tmp_path / "pool"))

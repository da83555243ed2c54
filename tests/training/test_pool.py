"""Distillation from crops that a teacher has upscaled once."""

import os
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from kill import same
from training_helpers import last_state, random_image, save_image

from srgan_cli.errors import DatasetError, OptionError
from srgan_cli.training.dataset import ImageSet
from srgan_cli.training.pool import load_pool
from srgan_cli.training.report import read_log
from srgan_cli.training.validation import Score
from srgan_cli.weights.container import read_weights


@pytest.fixture
def teacher(make, run, tmp_path: Path) -> Path:
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
    make, run, teacher, large_photos, tmp_path
) -> None:
    given = {
        "folders": (large_photos,),
        "teachers": (teacher,),
        "pool": tmp_path / "pool",
        "pool_size": 2,
        "teacher_weight": 0.75,
    }
    first = make(out=tmp_path / "one", stages="both", steps=80, **given)
    run(first)
    rows = read_log(first.out / "log.jsonl")
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
    second = make(out=tmp_path / "two", stages="both", steps=80, **given)
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


def test_a_pool_of_another_program_is_taken_as_it_is(make, run, teacher, tmp_path) -> None:
    pool = pool_by_hand(tmp_path / "pool")
    run(make(teachers=(teacher,), pool=pool, pool_size=2, steps=2))
    assert sorted(path.name for path in (pool / "low").iterdir()) == ["0.png", "1.png"]


@pytest.mark.parametrize(("weight", "kept"), [(0.75, "first"), (1.0, "last")])
def test_of_a_teacher_alone_the_last_network_is_kept(
    make, run, teacher, tmp_path, monkeypatch, weight, kept
) -> None:
    """And not the best by PSNR to the originals, which is the one that has learned least."""
    monkeypatch.setattr(Score, "selection_score", lambda score, end: 0.0)
    pool = pool_by_hand(tmp_path / "pool")
    given = {"teachers": (teacher,), "pool": pool, "pool_size": 2, "teacher_weight": weight}
    options = make(stages="psnr", steps=80, **given)
    run(options)
    rows = read_log(options.out / "log.jsonl")
    validated = [row["step"] for row in rows if "psnr" in row]
    steps = read_weights(options.out / "psnr.safetensors").metadata.training["steps"]
    assert len(validated) > 1
    assert steps == {"first": validated[0], "last": validated[-1]}[kept]


def test_a_pool_whose_sizes_do_not_fit_is_refused(make, run, teacher, tmp_path) -> None:
    pool = pool_by_hand(tmp_path / "pool", teacher_side=48)
    with pytest.raises(DatasetError, match="not 2 times as large"):
        run(make(teachers=(teacher,), pool=pool, pool_size=2))


def loaded(pool: Path) -> dict[str, ImageSet]:
    options = SimpleNamespace(pool=pool, scale=2, cache=1e9)
    return load_pool(options, 32)  # type: ignore[arg-type]


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


def test_a_crop_of_another_size_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("srgan_cli.training.pool.load_images", None)
    with pytest.raises(DatasetError, match="not 2 times as large"):
        loaded(pool_by_hand(tmp_path / "pool", teacher_side=48))


def test_a_pool_without_its_teacher_is_refused(make, tmp_path) -> None:
    with pytest.raises(OptionError, match="name the teacher"):
        make(pool=tmp_path)

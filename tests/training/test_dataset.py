"""Folders as people have them: what can be used is used, and the rest is listed."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from training_helpers import random_image, save_image

from srgan_cli.errors import DatasetError
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.training import dataset
from srgan_cli.training.data import load_data
from srgan_cli.training.dataset import find_training_files, min_side_check, validation_indices
from srgan_cli.training.image_cache import CacheFile, load_images
from srgan_cli.training.image_checks import check_dataset
from srgan_cli.training.recipes import RECIPES


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """One of each kind; the first in order of names is broken."""
    folder = tmp_path / "mixed"
    (folder / "inner").mkdir(parents=True)
    (folder / "notes.txt").write_text("not an image")
    (folder / ".hidden").write_text("nor this")
    whole = save_image(folder / "whole.jpg", 1)
    (folder / "a-truncated.jpg").write_bytes(whole.read_bytes()[:900])
    deep = (random_image(2).astype(np.uint16) * 257)[..., ::-1]
    cv2.imwrite(str(folder / "inner" / "deep.png"), deep)
    Pillow.fromarray(random_image(3)).convert("CMYK").save(folder / "cmyk.jpg")
    Pillow.fromarray(random_image(4)).convert("L").save(folder / "gray.png")
    save_image(folder / "small.png", 5, height=12, width=90)
    Pillow.new("RGB", (1_000_000, 4)).save(folder / "line.png")
    return folder


def test_a_mixed_folder_is_trained_on_and_what_is_unfit_is_listed(make, run, mixed) -> None:
    listener = run(make(folders=(mixed,), steps=2))
    assert [p.step for p in listener.seen] == [1, 2]
    told = "\n".join(listener.lines)
    for name in ("notes.txt", "a-truncated.jpg", "small.png", "line.png"):
        assert f"{name}" in told
    assert "1000000 x 4 is too small" in told
    assert ".hidden" not in told
    assert "left out" in listener.lines[0]
    assert len(listener.lines) == 4


def test_what_is_usable_comes_out_as_eight_bits_in_three_channels(make, mixed) -> None:
    options = make(folders=(mixed,))
    options.out.mkdir()
    data = load_data(options, RECIPES["clean"])
    names = [
        Path(entry.path).name
        for part in (data.training, data.validation)
        for entry in part.high_res.entries
    ]
    assert sorted(names) == ["cmyk.jpg", "deep.png", "gray.png", "whole.jpg"]
    paths, _ = find_training_files([mixed / "inner"])
    deep, _ = load_images(paths, CacheFile(options.out / "deep.bytes"), min_side_check(1), [])
    assert np.array_equal(deep[0], random_image(2))


def test_a_folder_without_a_usable_image_says_why(make, run, tmp_path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    save_image(folder / "small.png", height=20, width=20)
    with pytest.raises(DatasetError, match="no image to train on among 1 files, the first: "):
        run(make(folders=(folder,)))


def test_the_run_folder_is_not_trained_on(photos, make, run) -> None:
    options = make(out=photos / "run", steps=2)
    run(options)
    assert list((options.out / "samples").glob("*.png"))
    paths, others = find_training_files([photos], exclude=[options.out])
    assert [path.name for path in paths] == ["0.png", "1.png", "2.png", "3.png"]
    assert others == []


def test_one_in_twenty_is_held_out() -> None:
    assert validation_indices(60) == [0, 20, 40]
    assert validation_indices(3) == [0]
    assert validation_indices(1) == [0]


def test_halves_are_kept_of_large_images_and_where_all_images_leave_room(photos) -> None:
    save_image(photos / "0.png", height=60)
    file, size = photos.parent / "c.bytes", random_image(0).nbytes
    ample = random_image(0, 60).nbytes + 3 * size + 2.5 * size / 4
    for limit, halves in (
        (ample, [False, True, True, False]),
        (2.5 * size, [False, True, False, False]),
    ):
        kept, _ = load_images(
            find_training_files([photos])[0], CacheFile(file, limit), min_side_check(1), [], 72
        )
        assert [kept.half(i) is not None for i in range(4)] == halves
        assert file.stat().st_size <= limit


def test_only_images_that_patches_are_cut_from_are_halved(make, photos) -> None:
    make().out.mkdir()
    data = load_data(make(val=photos), RECIPES["clean"])
    for source, half_from in ((data.training, True), (data.validation, False)):
        assert {source.high_res.half(i) is not None for i in range(4)} == {half_from}
    large = load_data(make(patch=32), RECIPES["clean"])  # 48 pixels with their margin
    assert {entry.half for entry in large.training.high_res.entries} == {None}


def test_images_are_drawn_in_proportion_to_their_area(photos, tmp_path) -> None:
    save_image(photos / "4.png", 4, height=144, width=160)
    paths, _ = find_training_files([photos])
    drawn = load_images(paths, CacheFile(tmp_path / "c.bytes"), min_side_check(1), [])[0]
    rng = np.random.default_rng(0)
    counts = np.bincount([drawn.draw(rng) for _ in range(4000)], minlength=5)
    assert counts[4] == pytest.approx(2000, abs=150)
    assert counts[:4] == pytest.approx([500] * 4, abs=100)


def test_inspection_counts_what_a_run_would_use(make, mixed) -> None:
    found = check_dataset(make(folders=(mixed,)))
    assert found.valid == 4
    assert {refusal.path.name for refusal in found.invalid} == {
        "a-truncated.jpg",
        "small.png",
        "line.png",
    }
    assert [refusal.path.name for refusal in found.others] == ["notes.txt"]


def test_an_error_that_nobody_foresaw_refuses_its_image_alone(make, mixed, monkeypatch) -> None:
    def broken(path: Path, **degradation: object) -> Image:
        if path.name == "gray.png":
            raise TypeError("of a codec")
        return read_image(path, **degradation)

    monkeypatch.setattr(dataset, "read_image", broken)
    found = check_dataset(make(folders=(mixed,)))
    assert any("gray.png: failed (TypeError: of a codec)" in one.reason for one in found.invalid)
    assert found.valid == 3
    data = load_data(make(folders=(mixed,)), RECIPES["clean"])
    assert any("gray.png" in refusal.reason for refusal in data.skipped)


def test_hidden_folders_and_links_to_nowhere_are_not_trained_on(make, mixed) -> None:
    (mixed / ".thumbnails").mkdir()
    (mixed / "whole.jpg").rename(mixed / ".thumbnails" / "whole.jpg")
    (mixed / "gone.png").symlink_to("nowhere")
    images, skipped = find_training_files([mixed])
    assert "whole.jpg" not in {path.name for path in images}
    assert "gone.png" in {refusal.path.name for refusal in skipped}

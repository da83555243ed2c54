"""Folders as people have them: what can be used is used, and the rest is listed."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from training_helpers import picture, save_picture

from srgan_cli.errors import DatasetError
from srgan_cli.images.image import Image
from srgan_cli.images.read import read_image
from srgan_cli.resample import resize
from srgan_cli.training import check, dataset
from srgan_cli.training.check import inspect
from srgan_cli.training.data import load_data
from srgan_cli.training.dataset import (
    Cache,
    ImageSet,
    find_images,
    load_images,
    min_side_check,
    validation_indices,
)
from srgan_cli.training.recipes import RECIPES


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """One of each kind; the first in order of names is broken."""
    folder = tmp_path / "mixed"
    (folder / "inner").mkdir(parents=True)
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".hidden").write_text("nor this")
    whole = save_picture(folder / "whole.jpg", 1)
    (folder / "a-truncated.jpg").write_bytes(whole.read_bytes()[:900])
    deep = (picture(2).astype(np.uint16) * 257)[..., ::-1]
    cv2.imwrite(str(folder / "inner" / "deep.png"), deep)
    Pillow.fromarray(picture(3)).convert("CMYK").save(folder / "cmyk.jpg")
    Pillow.fromarray(picture(4)).convert("L").save(folder / "gray.png")
    save_picture(folder / "small.png", 5, height=12, width=90)
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
        for entry in part.high.entries
    ]
    assert sorted(names) == ["cmyk.jpg", "deep.png", "gray.png", "whole.jpg"]
    paths, _ = find_images([mixed / "inner"])
    deep, _ = load_images(paths, Cache(options.out / "deep.bytes"), min_side_check(1), [])
    assert np.array_equal(deep[0], picture(2))


def test_a_folder_without_a_usable_picture_says_why(make, run, tmp_path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    save_picture(folder / "small.png", height=20, width=20)
    with pytest.raises(DatasetError, match="no picture to train on among 1 files, the first: "):
        run(make(folders=(folder,)))


def test_the_run_folder_is_not_trained_on(photos, make, run) -> None:
    options = make(out=photos / "run", steps=2)
    run(options)
    assert list((options.out / "samples").glob("*.png"))
    paths, others = find_images([photos], exclude=options.out)
    assert [path.name for path in paths] == ["0.png", "1.png", "2.png", "3.png"]
    assert others == []


def test_one_in_twenty_is_held_out() -> None:
    assert validation_indices(60) == [0, 20, 40]
    assert validation_indices(3) == [0]
    assert validation_indices(1) == [0]


def test_pictures_beyond_the_cache_are_decoded_when_drawn(photos: Path, tmp_path: Path) -> None:
    paths, _ = find_images([photos])
    limit = 2.5 * picture(0).nbytes
    half, _ = load_images(paths, Cache(tmp_path / "half.bytes", limit), min_side_check(1), [])
    assert (tmp_path / "half.bytes").stat().st_size == 2 * picture(0).nbytes
    assert [entry.offset is None for entry in half.entries] == [False, False, True, True]
    assert all(np.array_equal(half[i], picture(i)) for i in range(4))


def test_a_cache_is_used_again_and_renewed_when_a_picture_changes(photos, tmp_path) -> None:
    def load() -> ImageSet:
        paths, _ = find_images([photos])
        return load_images(paths, Cache(tmp_path / "c.bytes"), min_side_check(1), [])[0]

    load()
    written = (tmp_path / "c.bytes").stat().st_mtime_ns
    load()
    assert (tmp_path / "c.bytes").stat().st_mtime_ns == written
    save_picture(photos / "3.png", 9)
    assert np.array_equal(load()[3], picture(9))


def test_the_half_is_what_matlab_makes_of_a_picture_without_its_odd_edge(tmp_path) -> None:
    path = save_picture(tmp_path / "odd.png", height=73, width=81)
    kept, _ = load_images([path], Cache(tmp_path / "c.bytes"), min_side_check(1), [], half_from=73)
    even = torch.from_numpy(kept[0][:72, :80].astype(float)).permute(2, 0, 1)
    wanted = resize(even, 36, 40).round().clamp(0, 255).permute(1, 2, 0).numpy()
    assert np.array_equal(kept[0], picture(0, 73, 81))
    assert np.array_equal(kept.half(0), wanted)


def test_halves_are_kept_of_large_pictures_and_where_all_pictures_leave_room(photos) -> None:
    save_picture(photos / "0.png", height=60)
    file, size = photos.parent / "c.bytes", picture(0).nbytes
    ample = picture(0, 60).nbytes + 3 * size + 2.5 * size / 4
    for limit, halves in (
        (ample, [False, True, True, False]),
        (2.5 * size, [False, True, False, False]),
    ):
        kept, _ = load_images(
            find_images([photos])[0], Cache(file, limit), min_side_check(1), [], 72
        )
        assert [kept.half(i) is not None for i in range(4)] == halves
        assert file.stat().st_size <= limit


def test_only_pictures_that_patches_are_cut_from_are_halved(make, photos) -> None:
    make().out.mkdir()
    data = load_data(make(val=photos), RECIPES["clean"])
    for source, half_from in ((data.training, True), (data.validation, False)):
        assert {source.high.half(i) is not None for i in range(4)} == {half_from}
    large = load_data(make(patch=32), RECIPES["clean"])  # 48 pixels with their margin
    assert {entry.half for entry in large.training.high.entries} == {None}


def test_a_cache_of_an_older_version_is_renewed(photos, tmp_path) -> None:
    paths, cache = find_images([photos])[0], Cache(tmp_path / "c.bytes")
    load_images(paths, cache, min_side_check(1), [], half_from=72)
    index = tmp_path / "c.json"
    old = json.loads(index.read_text())
    del old["wanted"]["halved"]
    for entry in old["entries"]:
        del entry["half"]
    index.write_text(json.dumps(old))
    kept, _ = load_images(paths, cache, min_side_check(1), [], half_from=72)
    assert all(kept.half(i).shape == (36, 40, 3) for i in range(4))


@pytest.mark.parametrize(
    "index",
    [
        b"",
        b"\xff\xfe{",
        b"[]",
        b'{"wanted": {}}',
        b"[" * 100_000,
        {"refusals": 3.5},
        {"entries": [{"path": 3}]},
        {"entries": {"height": 10**12}},
        {"entries": {"height": True}},
        {"entries": {"offset": -1}},
        {"entries": {"path": "/etc/passwd"}},
    ],
    ids=str,
)
def test_a_damaged_cache_is_made_again(photos, tmp_path, index) -> None:
    paths, cache = find_images([photos])[0], Cache(tmp_path / "c.bytes")
    load_images(paths, cache, min_side_check(1), [])
    file = tmp_path / "c.json"
    if isinstance(index, dict):
        known = json.loads(file.read_text())
        if isinstance(index.get("entries"), dict):
            index = {"entries": [known["entries"][0] | index["entries"], *known["entries"][1:]]}
        index = json.dumps(known | index).encode()
    file.write_bytes(index)
    kept, _ = load_images(paths, cache, min_side_check(1), [])
    assert all(np.array_equal(kept[i], picture(i)) for i in range(4))


def test_a_cache_that_is_cut_off_is_made_again(photos, tmp_path) -> None:
    paths, cache = find_images([photos])[0], Cache(tmp_path / "c.bytes")
    load_images(paths, cache, min_side_check(1), [])
    cache.file.write_bytes(cache.file.read_bytes()[:-1])
    kept, _ = load_images(paths, cache, min_side_check(1), [])
    assert np.array_equal(kept[3], picture(3))


def test_relative_folders_are_decoded_once(photos, tmp_path, monkeypatch) -> None:
    cache = Cache(tmp_path / "c.bytes")
    monkeypatch.chdir(tmp_path)
    load_images(find_images([Path("photos")])[0], cache, min_side_check(1), [])
    written = cache.file.stat().st_mtime_ns
    kept, _ = load_images(find_images([photos])[0], cache, min_side_check(1), [])
    assert (cache.file.stat().st_mtime_ns, kept.changes) == (written, "")


def test_what_changed_among_the_pictures_is_told(photos, tmp_path) -> None:
    cache = Cache(tmp_path / "c.bytes")
    first, _ = load_images(find_images([photos])[0], cache, min_side_check(1), [])
    save_picture(photos / "2.png", 9)
    save_picture(photos / "5.png", 5)
    (photos / "0.png").unlink()
    (photos / "1.png").unlink()
    second, _ = load_images(find_images([photos])[0], cache, min_side_check(1), [])
    assert (first.changes, second.changes) == ("", "1 new, 2 missing, 1 changed")


def test_pictures_are_drawn_in_proportion_to_their_area(photos, tmp_path) -> None:
    save_picture(photos / "4.png", 4, height=144, width=160)
    paths, _ = find_images([photos])
    drawn = load_images(paths, Cache(tmp_path / "c.bytes"), min_side_check(1), [])[0]
    rng = np.random.default_rng(0)
    counts = np.bincount([drawn.draw(rng) for _ in range(4000)], minlength=5)
    assert counts[4] == pytest.approx(2000, abs=150)
    assert counts[:4] == pytest.approx([500] * 4, abs=100)


def test_inspection_counts_what_a_run_would_use(make, mixed) -> None:
    found = inspect(make(folders=(mixed,)))
    assert found.valid == 4
    assert {refusal.path.name for refusal in found.invalid} == {
        "a-truncated.jpg",
        "small.png",
        "line.png",
    }
    assert [refusal.path.name for refusal in found.others] == ["notes.txt"]


def test_an_error_that_nobody_foresaw_refuses_its_picture_alone(make, mixed, monkeypatch) -> None:
    def broken(path: Path, **degradation: object) -> Image:
        if path.name == "gray.png":
            raise TypeError("of a codec")
        return read_image(path, **degradation)

    monkeypatch.setattr(check, "read_image", broken)
    monkeypatch.setattr(dataset, "read_image", broken)
    found = check.inspect(make(folders=(mixed,)))
    assert any("gray.png: failed (TypeError: of a codec)" in one.reason for one in found.invalid)
    assert found.valid == 3
    data = load_data(make(folders=(mixed,)), RECIPES["clean"])
    assert any("gray.png" in refusal.reason for refusal in data.skipped)


def test_hidden_folders_and_links_to_nowhere_are_not_trained_on(make, mixed) -> None:
    (mixed / ".thumbnails").mkdir()
    (mixed / "whole.jpg").rename(mixed / ".thumbnails" / "whole.jpg")
    (mixed / "gone.png").symlink_to("nowhere")
    pictures, skipped = find_images([mixed])
    assert "whole.jpg" not in {path.name for path in pictures}
    assert "gone.png" in {refusal.path.name for refusal in skipped}

"""Images are decoded once, and again where the cache is damaged or they have changed."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from training_helpers import random_image, save_image

from srgan_cli.images.image import Image
from srgan_cli.resample import resize
from srgan_cli.training.dataset import ImageSet, find_training_files, min_side_check
from srgan_cli.training.image_cache import CacheFile, load_images


def test_images_beyond_the_cache_are_decoded_when_drawn(photos: Path, tmp_path: Path) -> None:
    paths, _ = find_training_files([photos])
    limit = 2.5 * random_image(0).nbytes
    half, _ = load_images(paths, CacheFile(tmp_path / "half.bytes", limit), min_side_check(1), [])
    assert (tmp_path / "half.bytes").stat().st_size == 2 * random_image(0).nbytes
    assert [entry.offset is None for entry in half.entries] == [False, False, True, True]
    assert all(np.array_equal(half[i], random_image(i)) for i in range(4))


def test_a_cache_is_used_again_and_renewed_when_an_image_changes(photos, tmp_path) -> None:
    def load() -> ImageSet:
        paths, _ = find_training_files([photos])
        return load_images(paths, CacheFile(tmp_path / "c.bytes"), min_side_check(1), [])[0]

    load()
    written = (tmp_path / "c.bytes").stat().st_mtime_ns
    load()
    assert (tmp_path / "c.bytes").stat().st_mtime_ns == written
    save_image(photos / "3.png", 9)
    assert np.array_equal(load()[3], random_image(9))


def test_the_half_is_what_matlab_makes_of_an_image_without_its_odd_edge(tmp_path) -> None:
    path = save_image(tmp_path / "odd.png", height=73, width=81)
    kept, _ = load_images(
        [path], CacheFile(tmp_path / "c.bytes"), min_side_check(1), [], half_from=73
    )
    even = torch.from_numpy(kept[0][:72, :80].astype(float)).permute(2, 0, 1)
    wanted = resize(even, 36, 40).round().clamp(0, 255).permute(1, 2, 0).numpy()
    assert np.array_equal(kept[0], random_image(0, 73, 81))
    assert np.array_equal(kept.half(0), wanted)


def test_a_cache_of_an_older_version_is_renewed(photos, tmp_path) -> None:
    paths, cache = find_training_files([photos])[0], CacheFile(tmp_path / "c.bytes")
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
    paths, cache = find_training_files([photos])[0], CacheFile(tmp_path / "c.bytes")
    load_images(paths, cache, min_side_check(1), [])
    file = tmp_path / "c.json"
    if isinstance(index, dict):
        known = json.loads(file.read_text())
        if isinstance(index.get("entries"), dict):
            index = {"entries": [known["entries"][0] | index["entries"], *known["entries"][1:]]}
        index = json.dumps(known | index).encode()
    file.write_bytes(index)
    kept, _ = load_images(paths, cache, min_side_check(1), [])
    assert all(np.array_equal(kept[i], random_image(i)) for i in range(4))


@pytest.mark.parametrize("kept", [[], [0, 1, 2], [1, 0, 2, 3], [0, 1, 2, 3, 3]], ids=str)
def test_an_index_of_other_images_is_made_again(photos, tmp_path, kept) -> None:
    paths, cache = find_training_files([photos])[0], CacheFile(tmp_path / "c.bytes")
    load_images(paths, cache, min_side_check(1), [])
    index = tmp_path / "c.json"
    known = json.loads(index.read_text())
    known["entries"] = [known["entries"][number] for number in kept]
    index.write_text(json.dumps(known))
    images, _ = load_images(paths, cache, min_side_check(1), [])
    assert [entry.path for entry in images.entries] == [str(path) for path in paths]


def test_a_cache_that_is_cut_off_is_made_again(photos, tmp_path) -> None:
    paths, cache = find_training_files([photos])[0], CacheFile(tmp_path / "c.bytes")
    load_images(paths, cache, min_side_check(1), [])
    cache.file.write_bytes(cache.file.read_bytes()[:-1])
    kept, _ = load_images(paths, cache, min_side_check(1), [])
    assert np.array_equal(kept[3], random_image(3))


def test_a_cache_that_is_a_pipe_is_replaced(photos, tmp_path) -> None:
    paths, cache = find_training_files([photos])[0], CacheFile(tmp_path / "c.bytes")
    load_images(paths, cache, min_side_check(1), [])
    for name in ("c.bytes", "c.json"):
        (tmp_path / name).unlink()
        os.mkfifo(tmp_path / name)
    kept, _ = load_images(paths, cache, min_side_check(1), [])
    assert np.array_equal(kept[3], random_image(3))


def test_a_cache_has_its_name_once_it_is_whole(photos, tmp_path) -> None:
    seen = []

    def check(path: Path, image: Image) -> None:
        seen.extend(each.name for each in tmp_path.glob("c.*"))

    load_images(find_training_files([photos])[0], CacheFile(tmp_path / "c.bytes"), check, [])
    assert seen == []
    assert sorted(each.name for each in tmp_path.glob("c.*")) == ["c.bytes", "c.json"]


def test_relative_folders_are_decoded_once(photos, tmp_path, monkeypatch) -> None:
    cache = CacheFile(tmp_path / "c.bytes")
    monkeypatch.chdir(tmp_path)
    load_images(find_training_files([Path("photos")])[0], cache, min_side_check(1), [])
    written = cache.file.stat().st_mtime_ns
    kept, _ = load_images(find_training_files([photos])[0], cache, min_side_check(1), [])
    assert (cache.file.stat().st_mtime_ns, kept.changes) == (written, "")


def test_what_changed_among_the_images_is_reported(photos, tmp_path) -> None:
    cache = CacheFile(tmp_path / "c.bytes")
    first, _ = load_images(find_training_files([photos])[0], cache, min_side_check(1), [])
    save_image(photos / "2.png", 9)
    save_image(photos / "5.png", 5)
    (photos / "0.png").unlink()
    (photos / "1.png").unlink()
    second, _ = load_images(find_training_files([photos])[0], cache, min_side_check(1), [])
    assert (first.changes, second.changes) == ("", "1 new, 2 missing, 1 changed")

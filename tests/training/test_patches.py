"""Patches: the same for the same number, whoever cuts them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_helpers import random_image, save_image

from srgan_cli.resample import resize, resize_levels
from srgan_cli.training.data import load_batches
from srgan_cli.training.dataset import CachedImage, ImageSet, min_side_check
from srgan_cli.training.degradation import bicubic_downsample
from srgan_cli.training.image_cache import CacheFile, load_images
from srgan_cli.training.patches import (
    MAX_SATURATION,
    Batches,
    GeneratedPairs,
    PatchOptions,
    StoredPairs,
    as_planes,
    detail,
    draw_color_block,
    draw_color_change,
    pick_detailed_crop,
    random_orientation,
    round_levels,
)


@pytest.fixture
def images(photos: Path, tmp_path: Path) -> ImageSet:
    paths = sorted(photos.iterdir())
    return load_images(paths, CacheFile(tmp_path / "c.bytes"), min_side_check(1), [])[0]


@pytest.fixture
def cut(images: ImageSet) -> GeneratedPairs:
    return GeneratedPairs(images, PatchOptions(patch=16, scale=2, shrink=0.5), bicubic_downsample)


def test_a_batch_is_a_function_of_its_number(cut) -> None:
    first, again = Batches(cut, 3, seed=1), Batches(cut, 3, seed=1)
    for number in (0, 5, 1):
        assert torch.equal(first[number]["high_res"], again[number]["high_res"])
    assert not torch.equal(first[0]["high_res"], first[1]["high_res"])
    assert not torch.equal(first[0]["high_res"], Batches(cut, 3, seed=2)[0]["high_res"])


def test_workers_deliver_the_same_batches_in_the_same_order(cut) -> None:
    batches = Batches(cut, 2, seed=1)
    expected, helped = (load_batches(batches, 3, workers) for workers in (0, 2))
    for _ in range(5):
        assert torch.equal(next(expected)["low_res"], next(helped)["low_res"])


def test_processes_share_a_batch_without_overlap(cut) -> None:
    whole = Batches(cut, 4, seed=1)[7]["high_res"]
    parts = [Batches(cut, 4, seed=1, rank=rank, world_size=2)[7]["high_res"] for rank in (0, 1)]
    assert torch.equal(torch.cat(parts), whole)


def test_patches_are_whole_levels_of_the_right_size(cut) -> None:
    batch = Batches(cut, 4, seed=1)[0]
    assert batch["low_res"].shape == (4, 3, 8, 8)
    assert batch["high_res"].shape == (4, 3, 16, 16)
    for name in ("low_res", "high_res"):
        assert batch[name].dtype == torch.uint8
        assert batch[name].unique().numel() > 50


def test_the_low_patch_is_the_high_one_shrunk_with_what_lies_around_it(images) -> None:
    """So that its border is what an image's inside is, not what an edge is."""
    cut = GeneratedPairs(images, PatchOptions(patch=16, scale=2, shrink=1.0), bicubic_downsample)
    pairs = [cut(np.random.default_rng(seed)) for seed in range(20)]
    expected = [round_levels(resize(pair["high_res"].float(), 8, 8)) for pair in pairs]
    difference = torch.stack(
        [(pair["low_res"] - low_res).abs() for pair, low_res in zip(pairs, expected, strict=True)]
    )
    assert difference[..., 2:-2, 2:-2].max() < 0.01
    assert difference.max() > 1.5


def test_patches_are_laid_in_all_eight_ways(images) -> None:
    one = images.subset([0])
    side = 2 * 8 + 56  # with its margin the whole height
    cut = GeneratedPairs(one, PatchOptions(patch=56, scale=2, shrink=1.0), bicubic_downsample)
    assert cut.options.padded_side == side == random_image(0).shape[0]
    corners = {
        tuple(cut(np.random.default_rng(seed))["high_res"][:, 0, 0].tolist()) for seed in range(200)
    }
    assert len(corners) >= 8


@pytest.mark.parametrize("seed", range(8))
def test_a_patch_may_be_laid_before_or_after_it_is_shrunk(seed) -> None:
    region = random_image(seed, 70, 70)
    laid = (
        random_orientation(as_planes(region), np.random.default_rng(seed)).permute(1, 2, 0).byte()
    )
    before = resize_levels(laid.numpy(), 24, 24)
    after = random_orientation(resize_levels(region, 24, 24), np.random.default_rng(seed))
    torch.testing.assert_close(before, after, atol=2e-4, rtol=0)


@pytest.fixture
def marked(tmp_path: Path) -> ImageSet:
    """One image of level 200 whose half is of level 7."""
    height, width = 150, 160
    whole, half = (
        bytes([level]) * (height // by * (width // by) * 3) for level, by in ((200, 1), (7, 2))
    )
    (tmp_path / "m.bytes").write_bytes(whole + half)
    return ImageSet(tmp_path / "m.bytes", [CachedImage("", height, width, 0, len(whole))])


def regions(images: ImageSet) -> list[np.ndarray]:
    """Those of patches of 32 pixels, cut out of the same random numbers."""
    cut = GeneratedPairs(images, PatchOptions(patch=16, scale=2, shrink=0.25), bicubic_downsample)
    return [cut._region(np.random.default_rng(seed)) for seed in range(300)]


def test_what_is_shrunk_by_two_or_more_is_cut_from_the_half(marked) -> None:
    unhalved = ImageSet(marked.file, [replace(marked.entries[0], half=None)])
    sides = [len(region) for region in regions(unhalved)]
    assert {region.max() for region in regions(unhalved)} == {200}
    for region, side in zip(regions(marked), sides, strict=True):
        if side != 64:  # rounded to twice the patch from above or below
            assert {*region.flat} == {7 if side > 64 else 200}


def test_the_half_changes_nothing_about_how_much_patches_are_shrunk(marked) -> None:
    unhalved = ImageSet(marked.file, [replace(marked.entries[0], half=None)])
    before = np.array([len(region) for region in regions(unhalved)])
    after = np.array([len(region) * (1 + (region.max() == 7)) for region in regions(marked)])
    assert np.abs(after - before).max() <= 1  # sides in the half are even ones
    assert np.mean(np.log2(before / 32) < 1) == pytest.approx(1 / np.log2(128 / 32), abs=0.08)


def test_patches_of_the_half_show_what_those_of_the_image_show(tmp_path) -> None:
    """The same place, wherever it lies, shrunk at once or in two steps."""
    save_image(tmp_path / "0.png", height=150, width=161)
    all_checks, _ = load_images(
        [tmp_path / "0.png"], CacheFile(tmp_path / "c.bytes"), min_side_check(1), [], 64
    )
    whole, half = all_checks[0][20:116, 30:126], all_checks.half(0)
    assert half is not None
    twice = resize_levels(half[10:58, 15:63], 32, 32)
    once = resize_levels(whole, 32, 32)
    assert (twice - once).abs()[:, 2:-2, 2:-2].mean() < 1


def test_a_patch_as_large_as_what_the_cache_keeps_is_cut_without_a_warning() -> None:
    kept = random_image(0, 32, 32)
    kept.flags.writeable = False
    assert np.array_equal(as_planes(kept).permute(1, 2, 0).numpy(), kept)


def test_detail_is_the_mean_step_in_green() -> None:
    region = np.zeros((6, 5, 3), np.uint8)
    region[0, :, 1] = (0, 255, 0, 10, 10)  # of every third row
    region[1, :, 1] = (9, 0, 9, 0, 9)
    region[..., 0] = random_image(0, 6, 5)[..., 0]
    assert detail(region) == (255 + 255 + 10) / 8 + 0.1
    assert detail(np.full((9, 9, 3), 77, np.uint8)) == 0.1


def test_detail_attracts() -> None:
    half_flat = np.full((64, 128, 3), 90, np.uint8)
    half_flat[:, 64:] = np.random.default_rng(0).integers(0, 255, (64, 64, 3))
    rng = np.random.default_rng(1)
    lefts = np.array([pick_detailed_crop(half_flat, 16, rng)[1] for _ in range(300)])
    assert np.mean(lefts > 56) > 0.75
    assert np.mean(lefts < 48) > 0.01  # flat places are drawn as well


def changed(planes: torch.Tensor, seed: int) -> torch.Tensor:
    change = draw_color_change(1.0, np.random.default_rng(seed))
    assert change is not None
    return change(planes)


@pytest.mark.parametrize("seed", range(8))
def test_color_augmentation_keeps_what_patches_show_in_stronger_colors(seed) -> None:
    weak = 112 + random_image(seed, 40, 40) // 8  # strengthened, it stays within the levels
    patch = as_planes(weak)
    other = changed(patch, seed)
    assert torch.equal(other, other.round())
    torch.testing.assert_close(other.mean(dim=0), patch.mean(dim=0), atol=0.5, rtol=0)
    before, after = (
        (planes - planes.mean(dim=0)).square().mean().sqrt() for planes in (patch, other)
    )
    assert 0.95 < after / before < MAX_SATURATION * 1.05


def test_color_augmentation_swaps_channels_and_saturates_as_far_as_levels_allow() -> None:
    orange = torch.tensor([200.0, 120.0, 90.0])[:, None, None].expand(3, 8, 8)
    made = {tuple(changed(orange, seed)[:, 0, 0].tolist()) for seed in range(200)}
    assert {int(np.argmax(color)) for color in made} == {0, 1, 2}
    assert any({0.0, 255.0} <= set(color) for color in made)


def test_as_many_patches_as_asked_for_are_augmented(images) -> None:
    def highs(share: float) -> list[torch.Tensor]:
        cut = GeneratedPairs(images, PatchOptions(16, 2, 0.5, share), bicubic_downsample)
        return [cut(np.random.default_rng(seed))["high_res"] for seed in range(300)]

    def same(theirs: list[torch.Tensor]) -> int:
        return sum(torch.equal(a, b) for a, b in zip(plain, theirs, strict=True))

    plain = highs(0)
    assert same(highs(0)) == 300
    assert same(highs(1)) < 5
    assert 180 < same(highs(0.25)) < 260


def test_color_blocks_paint_a_rectangle_of_one_color_often_a_strong_one() -> None:
    plain = as_planes(random_image(0, 40, 40))
    strong = 0
    for seed in range(60):
        drawn = draw_color_block(40, 1.0, np.random.default_rng(seed))
        assert drawn is not None
        painted = drawn(plain)
        rows, columns = (painted != plain).any(dim=0).nonzero(as_tuple=True)
        block = painted[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert min(block.shape[1:]) >= 9
        assert max(block.shape[1:]) < 40
        assert (block.flatten(1).std(dim=1) == 0).all()
        strong += set(block.unique().tolist()) <= {0.0, 255.0}
    assert 30 < strong < 55


def test_as_many_patches_as_asked_for_get_a_color_block() -> None:
    made = [draw_color_block(24, 0.25, np.random.default_rng(seed)) for seed in range(300)]
    assert 180 < made.count(None) < 260
    assert draw_color_block(24, 0.0, np.random.default_rng(0)) is None


def test_the_low_patch_is_made_of_the_painted_high_one(images) -> None:
    cut = GeneratedPairs(images, PatchOptions(16, 2, color_blocks=1), bicubic_downsample)
    plain = GeneratedPairs(images, PatchOptions(16, 2), bicubic_downsample)
    painted = 0
    for seed in range(5):
        pair = cut(np.random.default_rng(seed))
        expected = round_levels(resize(pair["high_res"].float(), 8, 8))
        assert (pair["low_res"] - expected)[..., 2:-2, 2:-2].abs().max() <= 1
        painted += not torch.equal(pair["high_res"], plain(np.random.default_rng(seed))["high_res"])
    assert painted > 2


def test_the_low_patch_is_made_of_the_augmented_high_one(images) -> None:
    cut = GeneratedPairs(images, PatchOptions(16, 2, 1.0, color_augmentation=1), bicubic_downsample)
    for seed in range(5):
        pair = cut(np.random.default_rng(seed))
        expected = round_levels(resize(pair["high_res"].float(), 8, 8))
        assert (pair["low_res"] - expected)[..., 2:-2, 2:-2].abs().max() <= 1


def test_a_color_block_is_scale_times_as_large_in_the_high_patch(tmp_path: Path) -> None:
    for folder, side in (("low", 16), ("high", 32)):
        (tmp_path / folder).mkdir()
        save_image(tmp_path / folder / "0.png", 0, height=side, width=side)
    low_res, high_res = (
        load_images(
            [tmp_path / folder / "0.png"],
            CacheFile(tmp_path / f"{folder}.bytes"),
            min_side_check(1),
            [],
        )[0]
        for folder in ("low", "high")
    )
    painted = StoredPairs(low_res, high_res, PatchOptions(32, 2, color_blocks=1), high_res)
    plain = StoredPairs(low_res, high_res, PatchOptions(32, 2))
    for seed in range(5):
        pair, unchanged = (one(np.random.default_rng(seed)) for one in (painted, plain))
        low_block = (pair["low_res"] != unchanged["low_res"]).any(dim=0)
        high_block = (pair["high_res"] != unchanged["high_res"]).any(dim=0)
        twice = low_block.repeat_interleave(2, 0).repeat_interleave(2, 1)
        assert high_block.any()
        assert torch.equal(twice, high_block)
        assert torch.equal(pair["high_res"], pair["teacher"])
        colors = [pair["low_res"][:, low_block], pair["high_res"][:, high_block]]
        assert torch.equal(colors[0].unique(dim=1), colors[1].unique(dim=1))
        assert len(colors[0].unique(dim=1).T) == 1


def test_pairs_and_their_teacher_are_augmented_alike(images) -> None:
    """The three images are the same one here, at a scale of 1."""
    cut = StoredPairs(images, images, PatchOptions(16, 1, color_augmentation=1), images)
    plain = StoredPairs(images, images, PatchOptions(16, 1), images)
    for seed in range(5):
        pair = cut(np.random.default_rng(seed))
        assert torch.equal(pair["low_res"], pair["high_res"])
        assert torch.equal(pair["low_res"], pair["teacher"])
        assert not torch.equal(pair["low_res"], plain(np.random.default_rng(seed))["low_res"])

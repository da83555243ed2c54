import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from srgan_cli.inference.tiling import Box, plan_tiles, reflect_indices, spans

sides = st.integers(1, 90)


@settings(deadline=None)
@given(sides, sides, st.integers(1, 40), st.integers(0, 30))
def test_cores_cover_the_image_exactly_once(height, width, size, margin):
    covered = np.zeros((height, width), int)
    for tile in plan_tiles(height, width, size, margin):
        covered[tile.core.top : tile.core.bottom, tile.core.left : tile.core.right] += 1
        assert tile.context == tile.core.padded(margin)
        assert max(tile.core.height, tile.core.width) <= size
    assert (covered == 1).all()


@given(sides, st.integers(1, 40))
def test_pieces_differ_by_at_most_one_pixel(length, size):
    lengths = {stop - start for start, stop in spans(length, size)}
    assert max(lengths) - min(lengths) <= 1


@given(sides, st.integers(0, 30))
def test_folding_mirrors_as_numpy_does(length, margin):
    line = np.arange(length)
    mode = "reflect" if length > margin else "edge"
    expected = np.pad(line, margin, mode)
    assert reflect_indices(-margin, length + margin, length, margin).tolist() == list(expected)


@given(sides, st.integers(0, 30))
def test_folding_never_goes_farther_back_than_it_must(length, margin):
    beyond = reflect_indices(length, length + margin + 50, length, margin)
    assert min(beyond) >= max(0, length - 1 - margin)


def test_a_box_moves_into_another_or_is_cut_off():
    outer = Box(2, 10, 12, 20)
    assert Box(8, 8, 14, 12).within(outer) == Box(6, 10, 12, 14)
    assert Box(0, 12, 99, 15).within(outer) == Box(2, 12, 12, 15)
    assert Box(6, 10, 12, 14).relative_to(outer) == Box(4, 0, 10, 4)


def test_halves_cut_the_longer_side():
    assert Box(0, 0, 4, 10).split() == (Box(0, 0, 4, 5), Box(0, 5, 4, 10))
    assert Box(2, 0, 7, 3).split() == (Box(2, 0, 4, 3), Box(4, 0, 7, 3))

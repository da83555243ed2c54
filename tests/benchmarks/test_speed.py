"""What benchmarks/ compares with, and how it counts. No test measures time."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from srgan_cli.inference.engine import TiledEngine
from srgan_cli.weights.loading import load_generator

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)

    def module(name: str) -> ModuleType:
        return importlib.import_module(name)

    return module


def test_the_common_way_computes_what_ours_does_inside_the_image(benchmark, tiny, noise):
    """Where no zeros are seen from; its tiles see enough around them, of so small a network."""
    network = load_generator(tiny)
    assert network.receptive_field <= 10
    common = benchmark("baseline").BaselineUpscaler(network, tile=16)(noise.pixels)
    ours = TiledEngine(load_generator(tiny)).upscale(noise).pixels
    assert common.shape == ours.shape
    edge = network.receptive_field * network.scale
    inside = (slice(edge, -edge), slice(edge, -edge))
    assert np.abs(common[inside].astype(int) - ours[inside]).max() <= 1
    assert (common != ours).any(), "beyond the edge ours sees the image mirrored"


def test_the_common_way_has_seams_where_a_tile_sees_too_little(benchmark, tiny, noise):
    way = benchmark("baseline").BaselineUpscaler
    whole = way(load_generator(tiny), tile=None)(noise.pixels).astype(int)
    apart = [
        np.abs(way(load_generator(tiny), tile=16, pad=pad)(noise.pixels) - whole).max()
        for pad in (10, 1)
    ]
    assert apart[0] <= 1 < apart[1]


def test_the_common_way_goes_from_file_to_file(benchmark, tiny, photo_file, tmp_path):
    way = benchmark("baseline").BaselineUpscaler(load_generator(tiny))
    way.files([(photo_file, tmp_path / "large.jpg")])
    read = benchmark("baseline").cv2.imread(str(tmp_path / "large.jpg"))
    assert read.shape == (1024, 1024, 3)


def test_timings_are_taken_in_turns_after_a_warm_up(benchmark):
    done: list[str] = []
    cases = {"a": lambda: done.append("a"), "b": lambda: done.append("b")}
    timings = benchmark("timing").interleaved(cases, rounds=2)
    assert "".join(done) == "ab" + "abab"
    assert [len(one.seconds) for one in timings.values()] == [2, 2]


def test_a_ratio_is_taken_within_each_round(benchmark):
    """A machine twice as slow in the last two rounds changes nothing."""
    timing = benchmark("timing").Timing
    ours, theirs = timing((1.0, 1.0, 2.0, 2.0)), timing((3.0, 3.0, 6.0, 6.0))
    assert ours.times_faster(theirs) == 3.0


def test_the_exponent_of_growth_is_that_of_the_pixels(benchmark):
    pixels = benchmark("image_sizes")
    costs = [pixels.Cost(size, 5.0 * size**1.5, peak=1.0) for size in (0.1, 1.0, 7.0)]
    assert pixels.fitted_exponent(costs) == pytest.approx(1.5)


def test_work_is_counted_by_hand_alike(benchmark, tiny):
    """head, two of the block, body_end: 4 channels; up1 4 -> 16; up2 4 -> 8 at twice the size;
    to_rgb 2 -> 3 at four times. Only convolutions count, not the bicubic base."""
    multiplied = 9 * (3 * 4 + 3 * 4 * 4 + 4 * 16 + 4 * 4 * 8 + 16 * 2 * 3)
    counted = benchmark("hardware_peak").operations_per_pixel(load_generator(tiny), "cpu")
    assert counted == 2 * multiplied

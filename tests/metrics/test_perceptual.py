"""Distances between the features of two images."""

import sys

import numpy as np
import pytest
import torch

from srgan_cli.errors import OptionError
from srgan_cli.metrics.perceptual import distance_by, feature_distance, lpips_distance


def flat(level: int) -> np.ndarray:
    return np.full((16, 16, 3), level, np.uint8)


def pixels_as_features(rgb: torch.Tensor) -> list[torch.Tensor]:
    return [rgb]


def test_equal_features_have_no_distance_and_unrelated_ones_2() -> None:
    red, blue = flat(0), flat(0)
    red[..., 0], blue[..., 2] = 200, 80

    assert feature_distance(pixels_as_features, red, red) == 0
    assert feature_distance(pixels_as_features, red, blue) == pytest.approx(2)


def test_features_are_compared_by_direction_alone() -> None:
    assert feature_distance(pixels_as_features, flat(100), flat(200)) == pytest.approx(0, abs=1e-6)


def test_the_distance_is_the_mean_of_the_layers() -> None:
    red, blue = flat(0), flat(0)
    red[..., 0], blue[..., 2] = 200, 80

    def two_layers(rgb: torch.Tensor) -> list[torch.Tensor]:
        return [rgb, torch.ones(1, 4, 2, 2)]  # the second sees no difference

    assert feature_distance(two_layers, red, blue) == pytest.approx(1)


def test_a_comparing_network_sees_values_from_minus_1_to_1() -> None:
    def range_of(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        assert a.shape == b.shape == (1, 3, 16, 16)
        return b.max() - a.min()

    assert distance_by(range_of)(flat(0), flat(255)) == pytest.approx(2)


def test_lpips_without_its_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lpips", None)

    with pytest.raises(OptionError, match="pip install lpips"):
        lpips_distance()

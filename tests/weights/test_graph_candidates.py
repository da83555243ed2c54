"""Candidates are no larger than the file that they are a guess for."""

import numpy as np

from srgan_cli.weights.generators import MAX_DEPTH
from srgan_cli.weights.graph import GraphLayer, step
from srgan_cli.weights.graph_candidates import list_candidates


def candidates_of(*kernels, factor=2):
    """Of convolutions in a row, (outputs, inputs, kernel) of each, and then a pixel shuffle."""
    layers = [
        GraphLayer(f"{n}", (f"{n - 1}",), (f"{n}",), step("conv")) for n in range(len(kernels))
    ]
    shuffle = GraphLayer("last", (layers[-1].name,), ("last",), step("pixel_shuffle", factor))
    arrays = {
        f"{n}": {"weight": np.zeros((outputs, inputs, kernel, kernel), np.float32)}
        for n, (outputs, inputs, kernel) in enumerate(kernels)
    }
    found = list_candidates([*layers, shuffle], arrays)
    return {(one.architecture, one.hyperparameters.get("form")) for one in found}


def test_sizes_come_from_the_convolutions():
    body = [(5, 5, 3), (5, 5, 3), (5, 5, 3)]
    found = candidates_of((5, 3, 9), *body, (20, 5, 3), (3, 5, 9))
    assert ("srresnet", "paper") in found
    assert ("srresnet", "msrresnet") not in found  # its kernels are smaller


def test_a_sub_pixel_convolution_that_no_layer_is_makes_no_candidate():
    start, last = [(5, 3, 9), (5, 5, 3)], (3, 5, 9)
    assert ("srresnet", "paper") in candidates_of(*start, (1280, 5, 3), last, factor=16)
    assert candidates_of(*start, (1279, 5, 3), last, factor=16) == {("compact", None)}


def test_more_layers_than_a_network_can_have_make_no_candidate():
    block = (1, 1, 1)
    assert candidates_of((1, 3, 9), *[block] * MAX_DEPTH, (4, 1, 3), (12, 1, 9))
    assert not candidates_of((1, 3, 9), *[block] * 2 * (MAX_DEPTH + 2), (4, 1, 3), (12, 1, 9))

from dataclasses import replace

import pytest
import torch

from srgan_cli.weights.blending import describe_blend, different_lineage, distance, lineage_warning
from srgan_cli.weights.generators import build_generator


def nudged(weights, amount, **metadata):
    """A fine-tuned one, of unknown origin unless told."""
    luck = torch.Generator().manual_seed(0)
    state = {
        name: t + amount * t.abs().mean() * torch.randn(t.shape, generator=luck)
        for name, t in weights.state.items()
    }
    return replace(weights, state=state, metadata=replace(weights.metadata, lineage="", **metadata))


def test_independent_networks_lie_about_1_4_apart(make_weights):
    a, b = make_weights(0), make_weights(1)
    assert distance(a.state, a.state) == 0
    assert 1.2 < distance(a.state, b.state) < 1.6
    assert distance(a.state, nudged(a, 0.3).state) < 0.5


def test_networks_are_strangers_if_far_apart_and_of_no_common_lineage(make_weights):
    a, b = make_weights(0, lineage=""), make_weights(1, lineage="")
    assert different_lineage([a, b])
    assert different_lineage([a, a, b])
    assert different_lineage([replace(a, metadata=replace(a.metadata, lineage="one")), b])
    assert not different_lineage([a, nudged(a, 0.3)])
    assert not different_lineage([make_weights(0), make_weights(1)])


def test_a_picture_shows_what_blending_does(make_weights):
    a, b = make_weights(0), make_weights(1)
    shown = describe_blend([a, b], (0.5, 0.5))
    assert "off by" in shown
    assert "off by 0.0 levels" in describe_blend([a, a], (0.5, 0.5))
    assert "off by 0.0 levels" not in shown


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        ("srcnn", {}),
        ("vdsr", {"depth": 4}),
        ("srresnet", {"features": 8, "blocks": 2}),
        ("rrdbnet", {"features": 8, "blocks": 1, "growth": 4}),
        ("compact", {"features": 8, "convolutions": 3}),
    ],
)
def test_fresh_networks_of_every_kind_are_far_apart(kind, sizes):
    torch.manual_seed(0)
    a, b = (build_generator(kind, sizes).state_dict() for _ in range(2))
    assert 1.3 < distance(a, b) < 1.5


def test_only_strangers_meet_an_objection_and_it_shows_their_blend(make_weights):
    a, far = make_weights(0), make_weights(1, lineage="elsewhere")
    assert lineage_warning([a, make_weights(1)], (0.5, 0.5)) is None
    assert lineage_warning([a, nudged(a, 0.3)], (0.5, 0.5)) is None
    found = lineage_warning([a, far], (0.7, 0.3))
    assert found is not None
    assert "not trained from one another" in found
    assert describe_blend([a, far], (0.7, 0.3)) in found
    assert describe_blend([a, far], (0.5, 0.5)) in lineage_warning([a, far], (1, 0))

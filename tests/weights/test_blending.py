from dataclasses import replace
from pathlib import Path

import pytest
import torch

from srgan_cli.errors import OptionError, WeightsError
from srgan_cli.weights.blending import (
    blend_all,
    blend_problems,
    describe_blend,
    different_lineage,
    distance,
    has_family,
    interpolate,
    lineage_warning,
    mix_family,
)
from srgan_cli.weights.container import Weights, read_weights, write_weights
from srgan_cli.weights.generators import build_generator
from srgan_cli.weights.metadata import Metadata, ModelFamily
from srgan_cli.weights.zoo import bundled_folder


def numbers(tiny: Weights, number: float, **metadata: object) -> Weights:
    """A float and a counter, as a BatchNorm has both."""
    state = {"w": torch.tensor(number), "mean": torch.tensor(-number), "n": torch.tensor(3)}
    return replace(tiny, state=state, metadata=replace(tiny.metadata, **metadata))


def test_a_blend_lies_between_its_parents(tiny):
    blended = interpolate(numbers(tiny, 2.0), numbers(tiny, 6.0), 0.25)
    assert (blended.state["w"], blended.state["mean"], blended.state["n"]) == (3.0, -3.0, 3)


def test_a_blend_of_many_goes_by_their_shares(tiny):
    three = [numbers(tiny, number) for number in (1.0, 10.0, 100.0)]
    assert blend_all(three, (0.5, 0.25, 0.25)).state["w"] == 28.0


def test_an_end_of_a_blend_is_that_network_itself(tiny):
    faithful, vivid = numbers(tiny, 2.0), numbers(tiny, 6.0)
    assert interpolate(faithful, vivid, 0) is faithful
    assert interpolate(faithful, vivid, 1) is vivid


def test_a_blend_tells_what_it_is_made_of_and_claims_no_figures(tiny):
    faithful = numbers(
        tiny, 2.0, training={"steps": 7}, measured_receptive_field=9, figures={"set5": {}}
    )
    vivid = numbers(tiny, 6.0, objective="gan", measured_receptive_field=11)
    metadata = interpolate(faithful, vivid, 0.25).metadata
    assert (metadata.objective, metadata.lineage, metadata.measured_receptive_field) == (
        "blend",
        "family",
        11,
    )
    assert metadata.figures == {}
    assert metadata.training["blend"] == [
        {"share": 0.75, "objective": "psnr", "training": {"steps": 7}},
        {"share": 0.25, "objective": "gan", "training": {}},
    ]
    stranger = numbers(tiny, 6.0, lineage="other", measured_receptive_field=None)
    metadata = interpolate(faithful, stranger, 0.25).metadata
    assert (metadata.lineage, metadata.measured_receptive_field) == ("", None)


def test_networks_that_use_equal_tensors_differently_do_not_blend():
    torch.manual_seed(0)
    sizes = {"scale": 2, "features": 3, "convolutions": 1, "activation": "relu"}
    state = build_generator("compact", sizes).state_dict()
    relu = Weights("compact", sizes, state, Metadata(scale=2))
    leaky = replace(relu, hyperparameters={**sizes, "activation": "leakyrelu"})
    with pytest.raises(WeightsError, match="activation is leakyrelu, not relu"):
        interpolate(relu, leaky, 0.5)


def test_a_size_left_at_its_default_is_no_difference(tiny):
    given = {"scale": 4, "features": 4, "blocks": 1, "thin": 8}
    told, untold = (
        replace(tiny, hyperparameters=h) for h in (given, dict(list(given.items())[:3]))
    )
    assert blend_problems(told, untold) == []


def test_networks_of_different_size_do_not_blend(tiny):
    state = dict(tiny.state)
    state["head.weight"] = torch.zeros(9, 3, 3, 3)
    with pytest.raises(WeightsError, match=r"head.weight has shape \[9, 3, 3, 3\]"):
        interpolate(tiny, replace(tiny, state=state), 0.5)


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


CORNERS = {
    "clean-x4-psnr": (0, 0),
    "clean-x4-gan": (1, 0),
    "photo-x4-psnr": (0, 1),
    "photo-x4-gan": (1, 1),
}
"""File -> its blend and denoise."""


def read(folder: Path, name: str) -> Weights:
    return read_weights(folder / f"{name}.safetensors")


def change(folder: Path, name: str, **metadata: object) -> None:
    weights = read(folder, name)
    changed = replace(weights, metadata=replace(weights.metadata, **metadata))  # type: ignore[arg-type]
    write_weights(changed, folder / f"{name}.safetensors")


@pytest.mark.parametrize(("blend", "denoise"), [(0.3, 0.6), (0.5, 0.5), (0, 0.25), (0.75, 0)])
def test_a_point_between_the_four_is_their_bilinear_mix(family, blend, denoise) -> None:
    mix = mix_family(blend, denoise).state

    a, b, c, d = (read(family, name).state for name in CORNERS)
    for name, values in mix.items():
        clean = torch.lerp(a[name], b[name], blend)
        photo = torch.lerp(c[name], d[name], blend)
        torch.testing.assert_close(values, torch.lerp(clean, photo, denoise))


@pytest.mark.parametrize(("name", "point"), CORNERS.items())
def test_a_corner_is_its_file_with_all_that_it_says(family, name, point) -> None:
    change(family, name, figures={"set5": {"psnr_y": 30.5}})

    mix, file = mix_family(*point), read(family, name)

    assert mix.metadata == file.metadata
    assert all(torch.equal(mix.state[key], values) for key, values in file.state.items())


def test_a_mix_says_where_in_the_family_it_stands_and_of_what_it_is(family) -> None:
    metadata = mix_family(0.5, 0.25).metadata

    assert metadata.family == ModelFamily("photo-clean", 0.25)
    assert (metadata.objective, metadata.lineage) == ("blend", "family")
    assert [part["share"] for part in metadata.training["blend"]] == [0.375, 0.375, 0.125, 0.125]


@pytest.mark.parametrize("name", CORNERS)
@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (None, "{name} declares none"),
        (ModelFamily("other", 0), "'photo-clean'|'other'|denoise 0, not 1"),
        (ModelFamily("photo-clean", 0.5), "{name} declares denoise 0.5"),
    ],
)
def test_all_four_must_declare_their_place_in_one_family(family, name, declared, said) -> None:
    change(family, name, family=declared)

    assert not has_family()
    with pytest.raises(OptionError, match=said.format(name=name)):
        mix_family(0.5, 0.5)


def test_all_four_must_be_alike(family, make_weights) -> None:
    place = ModelFamily("photo-clean", 0)
    write_weights(
        make_weights(scale=2, family=place, objective="gan"), family / "clean-x4-gan.safetensors"
    )

    with pytest.raises(OptionError, match="clean-x4-gan enlarges by 2"):
        mix_family(0.5, 0.5)


def test_another_architecture_is_told_with_its_sizes(family) -> None:
    network = read_weights(bundled_folder() / "photo-x4-gan.safetensors")
    write_weights(network, family / "photo-x4-gan.safetensors")

    with pytest.raises(OptionError, match=r"photo-x4-gan differs from clean-x4-psnr: .*blocks"):
        mix_family(0.5, 0.5)


def test_a_missing_end_is_told(family, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("srgan_cli.weights.zoo.bundled_folder", lambda: tmp_path / "none")
    (family / "clean-x4-gan.safetensors").unlink()

    assert not has_family()
    with pytest.raises(OptionError, match="'clean' has no x4 gan network"):
        mix_family(0.5, 0.5)


def test_a_damaged_file_is_named(family) -> None:
    (family / "clean-x4-psnr.safetensors").write_bytes(b"nothing")

    with pytest.raises(WeightsError, match="clean-x4-psnr"):
        mix_family(0.5, 1)


def test_strangers_are_not_mixed_whatever_they_declare(family) -> None:
    change(family, "photo-x4-gan", lineage="elsewhere")

    with pytest.raises(WeightsError, match="not trained from one another"):
        mix_family(0.5, 0.5)
    assert mix_family(0, 0.5).metadata.objective == "blend"  # without the stranger


def test_shipped_files_are_a_family_or_the_reason_is_told() -> None:
    if has_family():
        assert mix_family(0.5, 0.5).metadata.family == ModelFamily("photo-clean", 0.5)
    else:
        with pytest.raises(OptionError, match="no family"):
            mix_family(0.5, 0.5)

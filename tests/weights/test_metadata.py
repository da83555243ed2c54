"""What a file says about its network is checked, and its keys on disk are as they always were."""

import pytest

from srgan_cli.weights.metadata import (
    MAX_NESTING,
    Metadata,
    ModelFamily,
    blend_metadata,
    metadata_from_json,
    metadata_to_json,
    parse_family,
)

RECORD = {
    "scale": 4,
    "objective": "psnr",
    "lineage": "abc",
    "effective_reach": 9,
    "mirrored": 8,
    "training": {"steps": 7},
    "figures": {"set5": {"psnr_y": 31.5}},
}


def test_keys_on_disk_are_those_of_older_files():
    metadata = metadata_from_json(RECORD)
    assert (metadata.measured_receptive_field, metadata.reflect_padding) == (9, 8)
    assert metadata_to_json(metadata) == RECORD


def test_ranges_for_int8_are_written_only_where_they_are_known():
    record = RECORD | {"activation_ranges": [[-1.5, 2], [0, 3.0]], "int8_psnr": 58.5}
    record |= {"channel_scales": [[1.5, 2], [3]], "float_layers": [2]}
    metadata = metadata_from_json(record)
    assert metadata.activation_ranges == ((-1.5, 2), (0, 3.0))
    assert metadata_from_json(metadata_to_json(metadata)) == metadata
    assert metadata.channel_scales == ((1.5, 2), (3,))
    assert metadata.float_layers == (2,)
    names = {"activation_ranges", "channel_scales", "float_layers", "int8_psnr"}
    assert not names & metadata_to_json(Metadata(scale=2)).keys()


def test_a_family_is_written_only_where_it_is_declared():
    record = RECORD | {"family": {"name": "photo-clean", "denoise": 1}}
    metadata = metadata_from_json(record | {"family": {**record["family"], "unheard": 2}})
    assert metadata.family == ModelFamily("photo-clean", 1)
    assert metadata_to_json(metadata) == record
    assert "family" not in metadata_to_json(Metadata(scale=2))


def test_a_family_is_told_in_a_word():
    assert parse_family("photo-clean:0") == ModelFamily("photo-clean", 0)
    for wrong in ("photo-clean", "photo-clean:", ":1", "photo-clean:2", "photo-clean:nan", "a:b"):
        with pytest.raises(ValueError, match=r".*"):
            parse_family(wrong)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("a", "a"), ModelFamily("a", 0.25)),
        (("a", "b"), None),
        (("a", None), None),
        ((None, None), None),
    ],
)
def test_a_blend_stands_between_its_parts_if_they_are_of_one_family(names, expected):
    parts = [
        Metadata(scale=4, family=name and ModelFamily(name, denoise))
        for denoise, name in enumerate(names)
    ]
    assert blend_metadata(parts, (0.75, 0.25)).family == expected


def test_unknown_keys_of_later_versions_are_ignored():
    assert metadata_from_json({"scale": 2, "unheard": [1]}) == Metadata(scale=2)


def nested(depth: int) -> dict:
    record: dict = {}
    for _ in range(depth):
        record = {"inner": [record]}
    return record


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"scale": 0}, "a scale 0, not a whole number from 1 to 64"),
        ({"effective_reach": -1}, "a receptive field -1, not a whole number"),
        ({"effective_reach": "", "mirrored": 4.5}, "a receptive field '', not"),
        ({"mirrored": False}, "a reflect padding False, not"),
        ({"objective": 3}, "objective, lineage, training or figures"),
    ],
)
def test_a_wrong_value_is_named_in_the_fields_terms(wrong, says):
    with pytest.raises((TypeError, ValueError), match=says):
        metadata_from_json(RECORD | wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": 0},
        {"scale": 4.0},
        {"scale": True},
        {"scale": 1 << 40},
        {"effective_reach": 1 << 40},
        {"mirrored": "8"},
        {"objective": 3},
        {"lineage": None},
        {"figures": {"set5": 31.5}},
        {"figures": {"set5": {"psnr_y": "high"}}},
        {"figures": {"set5": {"psnr_y": [31.5]}}},
        {"figures": {"set5": {"psnr_y": 10**400}}},
        {"activation_ranges": 3},
        {"channel_scales": 3},
        {"channel_scales": [3]},
        {"channel_scales": [[0.0]]},
        {"channel_scales": [["1"]]},
        {"channel_scales": [[float("inf")]]},
        {"float_layers": 3},
        {"float_layers": [-1]},
        {"float_layers": [1.5]},
        {"float_layers": [[1]]},
        {"activation_ranges": [3]},
        {"activation_ranges": [[0, 1, 2]]},
        {"activation_ranges": [[1, 2]]},
        {"activation_ranges": [[0, float("nan")]]},
        {"activation_ranges": [["0", 1]]},
        {"activation_ranges": [[0, 10**400]]},
        {"family": "photo-clean"},
        {"family": {"name": "photo-clean", "denoise": "1"}},
        {"family": {"name": "photo-clean", "denoise": 2}},
        {"family": {"name": "photo-clean", "denoise": float("nan")}},
        {"family": {"name": "", "denoise": 1}},
        {"family": {"name": "x" * 1000, "denoise": 1}},
        {"family": {"name": 3, "denoise": 1}},
        {"int8_psnr": "60"},
        {"int8_psnr": float("inf")},
        {"training": []},
        {"training": nested(MAX_NESTING)},
    ],
    ids=str,
)
def test_values_of_a_wrong_type_or_range_are_refused(wrong):
    with pytest.raises((TypeError, ValueError)):
        metadata_from_json(RECORD | wrong)

"""Recognizes unsupported networks, and finds the nearest family."""

import re
from collections.abc import Iterable

from srgan_cli.errors import WeightsError
from srgan_cli.weights.foreign.layout import Family, State, UnknownNetworkError
from srgan_cli.weights.foreign.unwrap import first_keys

KINDS = (
    (
        r"(weight_orig$|\.original\d?$|^(conv0_0|linear1|classifier)\.|^net\.\d+\.weight)",
        "a discriminator or classifier, which judges images in training and makes none",
    ),
    (
        r"^(model\.)?(diffusion_model|first_stage_model|cond_stage_model|time_embed(ding)?)\.",
        "a diffusion model",
    ),
    (r"(lora_(up|down|A|B)\.|^down_blocks\.\d)", "a diffusion model, or an addition to one"),
    (
        r"^features\.\d+\.(weight|bias)$",
        "a VGG network of features, which belongs to `srgan train --vgg`",
    ),
)
"""Pattern of a key -> what such a file is."""

TRANSFORMER = r"(relative_position_bias_table|relative_position_index|\.attn\.qkv\.)"

SUPPORTED_HINT = "give a generator of the families of ESRGAN, Compact (Real-ESRGAN's) or SRResNet"
SIMILAR = 0.5


def check_supported(state: State) -> None:
    for pattern, what in KINDS:
        key = next((key for key in state if re.search(pattern, key)), None)
        if key is not None:
            raise WeightsError(f"this looks like {what} (it holds {key}); {SUPPORTED_HINT}")
    key = next((key for key in state if re.search(TRANSFORMER, key)), None)
    if key is not None:
        raise UnknownNetworkError(
            f"this looks like a transformer (it holds {key}); {SUPPORTED_HINT}"
        )


def patterns(keys: Iterable[str]) -> set[str]:
    """Keys without their numbers: they identify a family at any depth."""
    return {re.sub(r"\d+", "#", key) for key in keys}


def similarity(state: State, family: Family) -> float:
    """Share of the key patterns of the two that they have in common: 0 to 1."""
    given = patterns(state)
    entries = family.example.entries
    possible = patterns(entry.source_key for entry in entries)
    needed = patterns(entry.source_key for entry in entries if entry.default is None)
    return len(given & possible) / len(given | needed)


def nearest(state: State, families: Iterable[Family]) -> Family:
    """Raises WeightsError where even the nearest is far away."""
    family = max(families, key=lambda family: similarity(state, family))
    if similarity(state, family) < SIMILAR:
        expected = [entry.source_key for entry in family.example.entries]
        unexpected = [key for key in state if not patterns([key]) & patterns(expected)]
        missing = [key for key in expected if not patterns([key]) & patterns(state)]
        raise UnknownNetworkError(
            f"this is no network known here; nearest is {family.name}, "
            f"but the file has {first_keys(unexpected, 2)} and not {first_keys(missing, 2)}; "
            f"{SUPPORTED_HINT}"
        )
    return family

"""ESRGAN's networks under their three namings."""

from srgan_cli.errors import WeightsError
from srgan_cli.weights.foreign.layout import (
    Entry,
    Family,
    Hints,
    Hyperparameters,
    Layout,
    State,
    conv,
    count,
    numbers,
    root,
    sides,
)


def original(blocks: int, ups: int) -> dict[str, str]:
    """Our prefixes -> theirs, in the numbered sequence of 2018."""
    names = {"conv_first": "model.0", "conv_body": f"model.1.sub.{blocks}"}
    dense = "model.1.sub.{block}.RDB{part}.conv{layer}.0"
    up_convs = {f"conv_up{i + 1}": f"model.{3 * i + 3}" for i in range(ups)}
    ends = {"conv_hr": f"model.{3 * ups + 2}", "conv_last": f"model.{3 * ups + 4}"}
    return names | ends | up_convs | dense_blocks(dense, blocks)


def official(blocks: int, ups: int) -> dict[str, str]:
    names = {
        "conv_first": "conv_first",
        "conv_body": "trunk_conv",
        "conv_hr": "HRconv",
        "conv_last": "conv_last",
    }
    dense = "RRDB_trunk.{block}.RDB{part}.conv{layer}"
    return names | {f"conv_up{i}": f"upconv{i}" for i in each(ups)} | dense_blocks(dense, blocks)


def real_esrgan(blocks: int, ups: int) -> dict[str, str]:
    """The names that ours took over."""
    names = {name: name for name in ("conv_first", "conv_body", "conv_hr", "conv_last")}
    up_convs = {f"conv_up{i}": f"conv_up{i}" for i in each(ups)}
    return names | up_convs | dense_blocks(OURS, blocks)


OURS = "body.{block}.rdb{part}.conv{layer}"


def each(number: int) -> range:
    return range(1, number + 1)


def dense_blocks(pattern: str, blocks: int) -> dict[str, str]:
    return {
        OURS.format(block=block, part=part, layer=layer): pattern.format(
            block=block, part=part, layer=layer
        )
        for block in range(blocks)
        for part in each(3)
        for layer in each(5)
    }


def build_layout(names: dict[str, str], hyperparameters: Hyperparameters) -> Layout:
    """`names`: our prefixes -> theirs."""
    features, growth = int(hyperparameters["features"]), int(hyperparameters["growth"])
    unshuffle = int(hyperparameters["unshuffle"])
    entries: list[Entry] = []
    for ours, source_key in names.items():
        entries += conv(source_key, ours, channels(ours, features, growth, unshuffle))
    return Layout("rrdbnet", hyperparameters, tuple(entries))


def channels(ours: str, features: int, growth: int, unshuffle: int) -> tuple[int, int]:
    """Inputs and outputs of the layer that we call `ours`."""
    if ours == "conv_first":
        return 3 * unshuffle * unshuffle, features
    if ours == "conv_last":
        return features, 3
    if ".rdb" not in ours:
        return features, features
    layer = int(ours[-1])
    return features + (layer - 1) * growth, features if layer == 5 else growth


def read_sizes(state: State, first: str, dense: str, blocks: int, ups: int) -> Hyperparameters:
    """`first` and `dense` are keys of the first layer and of the first one in a dense block."""
    inputs, features, _ = sides(state, first)
    if inputs % 3:
        raise WeightsError(f"{first} reads {inputs} channels: only networks for RGB can be used")
    unshuffle = root(inputs // 3, f"a third of {first}'s inputs")
    if 2**ups % unshuffle:
        raise WeightsError(f"{first} reads {inputs} channels, but it enlarges only {ups} times")
    return {
        "scale": 2**ups // unshuffle,
        "features": features,
        "blocks": blocks,
        "growth": sides(state, dense)[1],
        "unshuffle": unshuffle,
    }


def measure_original(state: State, _: Hints) -> Layout:
    last = max(numbers(state, "model."), default=0)
    ups = (last - 4) // 3
    if ups not in range(8) or 3 * ups + 4 != last:
        raise WeightsError(f"its last layer is model.{last}; one of model.4, 7, 10, 13 is expected")
    blocks = count(state, "model.1.sub.", "RDB")
    dense = "model.1.sub.0.RDB1.conv1.0.weight"
    sizes = read_sizes(state, "model.0.weight", dense, blocks, ups)
    return build_layout(original(blocks, ups), sizes)


def measure_official(state: State, _: Hints) -> Layout:
    blocks, ups = count(state, "RRDB_trunk."), count(state, "upconv", start=1)
    dense = "RRDB_trunk.0.RDB1.conv1.weight"
    sizes = read_sizes(state, "conv_first.weight", dense, blocks, ups)
    return build_layout(official(blocks, ups), sizes)


def measure_real_esrgan(state: State, _: Hints) -> Layout:
    blocks, ups = count(state, "body."), count(state, "conv_up", start=1)
    dense = "body.0.rdb1.conv1.weight"
    sizes = read_sizes(state, "conv_first.weight", dense, blocks, ups)
    return build_layout(real_esrgan(blocks, ups), sizes)


TYPICAL: Hyperparameters = {"scale": 4, "features": 64, "blocks": 2, "growth": 32, "unshuffle": 1}

FAMILIES = (
    Family("ESRGAN, oldest naming", measure_original, build_layout(original(2, 2), TYPICAL)),
    Family("ESRGAN", measure_official, build_layout(official(2, 2), TYPICAL)),
    Family("Real-ESRGAN", measure_real_esrgan, build_layout(real_esrgan(2, 2), TYPICAL)),
)

LAYOUTS = {"esrgan-old": original, "esrgan": official, "real-esrgan": real_esrgan}


def layout_for(naming: str, hyperparameters: Hyperparameters) -> Layout:
    """How that naming would call the tensors of our network of these sizes.

    Raises WeightsError for a network that its programs could not run.
    """
    factor = int(hyperparameters["scale"]) * int(hyperparameters["unshuffle"])
    ups = factor.bit_length() - 1
    if 2**ups != factor or (ups != 2 and naming != "esrgan-old"):
        raise WeightsError(
            f"{naming} naming has no RRDBNet that enlarges {factor} times behind its input layer; "
            "it has 4 (esrgan-old: any power of 2)"
        )
    names = LAYOUTS[naming](int(hyperparameters["blocks"]), ups)
    return build_layout(names, hyperparameters)

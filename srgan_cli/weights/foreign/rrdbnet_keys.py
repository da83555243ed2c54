"""ESRGAN's networks under their three namings."""

from srgan_cli.errors import WeightsError
from srgan_cli.weights.foreign.layout import (
    Family,
    Hyperparameters,
    KeyPair,
    Layout,
    State,
    UserProperties,
    conv,
    count,
    numbers,
    root,
    sides,
)


def old_esrgan_keys(blocks: int, upsamplings: int) -> dict[str, str]:
    """Our prefixes -> theirs, in the numbered sequence of 2018."""
    key_map = {"conv_first": "model.0", "conv_body": f"model.1.sub.{blocks}"}
    dense = "model.1.sub.{block}.RDB{part}.conv{layer}.0"
    up_convs = {f"conv_up{i + 1}": f"model.{3 * i + 3}" for i in range(upsamplings)}
    ends = {"conv_hr": f"model.{3 * upsamplings + 2}", "conv_last": f"model.{3 * upsamplings + 4}"}
    return key_map | ends | up_convs | dense_blocks(dense, blocks)


def esrgan_keys(blocks: int, upsamplings: int) -> dict[str, str]:
    key_map = {
        "conv_first": "conv_first",
        "conv_body": "trunk_conv",
        "conv_hr": "HRconv",
        "conv_last": "conv_last",
    }
    dense = "RRDB_trunk.{block}.RDB{part}.conv{layer}"
    return (
        key_map
        | {f"conv_up{i}": f"upconv{i}" for i in numbered(upsamplings)}
        | dense_blocks(dense, blocks)
    )


def real_esrgan_keys(blocks: int, upsamplings: int) -> dict[str, str]:
    """The names that ours took over."""
    key_map = {name: name for name in ("conv_first", "conv_body", "conv_hr", "conv_last")}
    up_convs = {f"conv_up{i}": f"conv_up{i}" for i in numbered(upsamplings)}
    return key_map | up_convs | dense_blocks(OWN_PATTERN, blocks)


OWN_PATTERN = "body.{block}.rdb{part}.conv{layer}"


def numbered(number: int) -> range:
    return range(1, number + 1)


def dense_blocks(pattern: str, blocks: int) -> dict[str, str]:
    return {
        OWN_PATTERN.format(block=block, part=part, layer=layer): pattern.format(
            block=block, part=part, layer=layer
        )
        for block in range(blocks)
        for part in numbered(3)
        for layer in numbered(5)
    }


def build_layout(key_map: dict[str, str], hyperparameters: Hyperparameters) -> Layout:
    """`key_map`: our prefixes -> theirs."""
    features, growth = int(hyperparameters["features"]), int(hyperparameters["growth"])
    unshuffle = int(hyperparameters["unshuffle"])
    entries: list[KeyPair] = []
    for key, source_key in key_map.items():
        entries += conv(source_key, key, channels(key, features, growth, unshuffle))
    return Layout("rrdbnet", hyperparameters, tuple(entries))


def channels(key: str, features: int, growth: int, unshuffle: int) -> tuple[int, int]:
    """Inputs and outputs of the layer that we call `key`."""
    if key == "conv_first":
        return 3 * unshuffle * unshuffle, features
    if key == "conv_last":
        return features, 3
    if ".rdb" not in key:
        return features, features
    layer = int(key[-1])
    return features + (layer - 1) * growth, features if layer == 5 else growth


def read_sizes(
    state: State, first: str, dense: str, blocks: int, upsamplings: int
) -> Hyperparameters:
    """`first` and `dense` are keys of the first layer and of the first one in a dense block."""
    inputs, features, _ = sides(state, first)
    if inputs % 3:
        raise WeightsError(f"{first} reads {inputs} channels: only networks for RGB can be used")
    unshuffle = root(inputs // 3, f"a third of {first}'s inputs")
    if 2**upsamplings % unshuffle:
        raise WeightsError(
            f"{first} reads {inputs} channels, but it upscales only {upsamplings} times"
        )
    return {
        "scale": 2**upsamplings // unshuffle,
        "features": features,
        "blocks": blocks,
        "growth": sides(state, dense)[1],
        "unshuffle": unshuffle,
    }


def measure_old_esrgan(state: State, _: UserProperties) -> Layout:
    last = max(numbers(state, "model."), default=0)
    upsamplings = (last - 4) // 3
    if upsamplings not in range(8) or 3 * upsamplings + 4 != last:
        raise WeightsError(f"its last layer is model.{last}; one of model.4, 7, 10, 13 is expected")
    blocks = count(state, "model.1.sub.", "RDB")
    dense = "model.1.sub.0.RDB1.conv1.0.weight"
    sizes = read_sizes(state, "model.0.weight", dense, blocks, upsamplings)
    return build_layout(old_esrgan_keys(blocks, upsamplings), sizes)


def measure_esrgan(state: State, _: UserProperties) -> Layout:
    blocks, upsamplings = count(state, "RRDB_trunk."), count(state, "upconv", start=1)
    dense = "RRDB_trunk.0.RDB1.conv1.weight"
    sizes = read_sizes(state, "conv_first.weight", dense, blocks, upsamplings)
    return build_layout(esrgan_keys(blocks, upsamplings), sizes)


def measure_real_esrgan(state: State, _: UserProperties) -> Layout:
    blocks, upsamplings = count(state, "body."), count(state, "conv_up", start=1)
    dense = "body.0.rdb1.conv1.weight"
    sizes = read_sizes(state, "conv_first.weight", dense, blocks, upsamplings)
    return build_layout(real_esrgan_keys(blocks, upsamplings), sizes)


TYPICAL: Hyperparameters = {"scale": 4, "features": 64, "blocks": 2, "growth": 32, "unshuffle": 1}

FAMILIES = (
    Family(
        "ESRGAN, oldest naming", measure_old_esrgan, build_layout(old_esrgan_keys(2, 2), TYPICAL)
    ),
    Family("ESRGAN", measure_esrgan, build_layout(esrgan_keys(2, 2), TYPICAL)),
    Family("Real-ESRGAN", measure_real_esrgan, build_layout(real_esrgan_keys(2, 2), TYPICAL)),
)

LAYOUTS = {"esrgan-old": old_esrgan_keys, "esrgan": esrgan_keys, "real-esrgan": real_esrgan_keys}


def layout_for(layout_name: str, hyperparameters: Hyperparameters) -> Layout:
    """The keys of our network of these sizes in that naming.

    Raises WeightsError for a network that its programs could not run.
    """
    factor = int(hyperparameters["scale"]) * int(hyperparameters["unshuffle"])
    upsamplings = factor.bit_length() - 1
    if 2**upsamplings != factor or (upsamplings != 2 and layout_name != "esrgan-old"):
        raise WeightsError(
            f"{layout_name} naming has no RRDBNet that upscales x{factor} behind its input layer; "
            "it has 4 (esrgan-old: any power of 2)"
        )
    key_map = LAYOUTS[layout_name](int(hyperparameters["blocks"]), upsamplings)
    return build_layout(key_map, hyperparameters)

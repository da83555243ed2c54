"""ESRGAN's networks under their three namings, and Real-ESRGAN's compact ones."""

from functools import partial
from itertools import product

from srgan_cli.errors import WeightsError
from srgan_cli.weights.foreign.layout import (
    Family,
    Layout,
    UserProperties,
    count,
    numbers,
    root,
    sides,
)
from srgan_cli.weights.generators import Hyperparameters, State

RRDBNET_NAMES = {
    "real-esrgan": (
        *("conv_first", "conv_body", "conv_up{number}", "conv_hr", "conv_last"),
        "body.{block}.rdb{part}.conv{layer}",
    ),
    "esrgan": (
        *("conv_first", "trunk_conv", "upconv{number}", "HRconv", "conv_last"),
        "RRDB_trunk.{block}.RDB{part}.conv{layer}",
    ),
    "esrgan-old": (
        *("model.0", "model.1.sub.{blocks}", "model.{place}", "model.{place}", "model.{place}"),
        "model.1.sub.{block}.RDB{part}.conv{layer}.0",
    ),
}
"""Naming -> names of the first layer, the body's last, those that upscale, the last two, and those
of the dense blocks. Real-ESRGAN's are ours."""

LAYOUT_NAMES = tuple(RRDBNET_NAMES)
DEFAULT_SIZES = {"scale": 4, "features": 64, "blocks": 2, "growth": 32, "unshuffle": 1}


def rrdbnet_layout(layout_name: str, hyperparameters: Hyperparameters) -> Layout:
    """place: a layer's number in the sequence of 2018."""
    first, body, up, hr, last, dense = RRDBNET_NAMES[layout_name]
    blocks = hyperparameters["blocks"]
    factor = hyperparameters["scale"] * hyperparameters["unshuffle"]
    upsamplings = factor.bit_length() - 1
    parts = product(range(blocks), (1, 2, 3), range(1, 6))
    names = {
        "conv_first": first,
        "conv_body": body.format(blocks=blocks),
        **{f"conv_up{n}": up.format(number=n, place=3 * n) for n in range(1, upsamplings + 1)},
        "conv_hr": hr.format(place=3 * upsamplings + 2),
        "conv_last": last.format(place=3 * upsamplings + 4),
        **{
            f"body.{block}.rdb{part}.conv{layer}": dense.format(block=block, part=part, layer=layer)
            for block, part, layer in parts
        },
    }
    return Layout("rrdbnet", hyperparameters, names)


def measure_rrdbnet(layout_name: str, state: State, _: UserProperties) -> Layout:
    first, _body, up, _hr, _last, dense = RRDBNET_NAMES[layout_name]
    if layout_name == "esrgan-old":
        blocks, upsamplings = count(state, "model.1.sub.", "RDB"), old_upsamplings(state)
    else:
        blocks = count(state, dense.partition("{")[0])
        upsamplings = count(state, up.partition("{")[0], start=1)
    inputs, features, _kernel = sides(state, f"{first}.weight")
    if inputs % 3:
        raise WeightsError(f"{first} reads {inputs} channels: only networks for RGB can be used")
    unshuffle = root(inputs // 3, f"a third of {first}'s inputs")
    if 2**upsamplings % unshuffle:
        raise WeightsError(
            f"{first} reads {inputs} channels, but it upscales only {upsamplings} times"
        )
    growth = sides(state, f"{dense.format(block=0, part=1, layer=1)}.weight")[1]
    sizes = {"scale": 2**upsamplings // unshuffle, "features": features, "blocks": blocks}
    return rrdbnet_layout(layout_name, {**sizes, "growth": growth, "unshuffle": unshuffle})


def old_upsamplings(state: State) -> int:
    last = max(numbers(state, "model."), default=0)
    upsamplings = (last - 4) // 3
    if upsamplings not in range(8) or 3 * upsamplings + 4 != last:
        raise WeightsError(f"its last layer is model.{last}; one of model.4, 7, 10, 13 is expected")
    return upsamplings


def compact_layout(hyperparameters: Hyperparameters) -> Layout:
    layers = range(2 * hyperparameters["convolutions"] + 3)
    return Layout("compact", hyperparameters, {f"body.{n}": f"body.{n}" for n in layers})


def measure_compact(state: State, given: UserProperties) -> Layout:
    last = count(state, "body.") - 1
    if last < 2 or last % 2:
        raise WeightsError(f"its last layer is body.{last}; an even number from 2 is expected")
    outputs = sides(state, f"body.{last}.weight")[1]
    if outputs % 3:
        raise WeightsError(f"body.{last} has {outputs} outputs: only networks for RGB can be used")
    sizes = {
        "scale": root(outputs // 3, f"a third of body.{last}'s outputs"),
        "features": sides(state, "body.0.weight")[1],
        "convolutions": last // 2 - 1,
    }
    if "body.1.weight" in state:
        return compact_layout({**sizes, "activation": "prelu"})
    if given.activation not in ("relu", "leakyrelu"):
        raise WeightsError(
            "no key tells its activation, relu or leakyrelu; say it once: "
            "`srgan convert FILE -o OUT --activation NAME`, and use OUT"
        )
    return compact_layout({**sizes, "activation": given.activation})


FAMILIES = (
    *(
        Family(name, partial(measure_rrdbnet, layout), rrdbnet_layout(layout, DEFAULT_SIZES))
        for name, layout in (
            ("ESRGAN, oldest naming", "esrgan-old"),
            ("ESRGAN", "esrgan"),
            ("Real-ESRGAN", "real-esrgan"),
        )
    ),
    Family(
        "Compact (SRVGGNetCompact)",
        measure_compact,
        compact_layout({"scale": 4, "features": 64, "convolutions": 2, "activation": "prelu"}),
    ),
)


def layout_in(
    layout_name: str, architecture: str, hyperparameters: Hyperparameters, state: State
) -> Layout:
    """The layout of our network in one of LAYOUT_NAMES; hyperparameters not given are measured.

    Raises WeightsError for a network that the naming's programs could not run.
    """
    if layout_name not in LAYOUT_NAMES:
        raise WeightsError(f"unknown naming {layout_name!r}: there are {', '.join(LAYOUT_NAMES)}")
    if architecture == "compact" and layout_name == "real-esrgan":
        return measure_compact(state, UserProperties(activation=hyperparameters.get("activation")))
    if architecture != "rrdbnet":
        raise WeightsError(
            f"{architecture} networks cannot be written as .pth in {layout_name} format; "
            f"{'use --to real-esrgan' if architecture == 'compact' else 'write .onnx or .param'}"
        )
    measured = measure_rrdbnet("real-esrgan", state, UserProperties()).hyperparameters
    sizes = {**measured, **hyperparameters}
    factor = sizes["scale"] * sizes["unshuffle"]
    power_of_two = factor.bit_count() == 1
    if not power_of_two or (factor != 4 and layout_name != "esrgan-old"):
        raise WeightsError(
            f"{layout_name} naming has no RRDBNet that upscales x{factor} behind its input layer; "
            "it has 4 (esrgan-old: any power of 2)"
        )
    return rrdbnet_layout(layout_name, sizes)

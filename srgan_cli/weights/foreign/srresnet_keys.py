"""SRResNet and SRGAN generators of several programs, with and without BatchNorm; SRCNN and VDSR."""

from collections.abc import Container, Mapping
from functools import partial

from srgan_cli.errors import WeightsError
from srgan_cli.weights.foreign.layout import (
    Family,
    Layout,
    UserProperties,
    check_steps,
    count,
    numbered,
    numbers,
    shuffle_step,
    sides,
)
from srgan_cli.weights.generators import State

Steps = list[int]
"""Factors of the enlargements, one after another."""


def srresnet_layout(
    features: int,
    blocks: int,
    steps: Steps,
    names: Mapping[str, str],
    *,
    form: str,
    norm: bool = False,
    bias: bool = True,
    output: str = "linear",
    zero_biases: Container[str] = (),
) -> Layout:
    sizes = {"scale": check_steps(steps), "features": features, "blocks": blocks}
    options = {"norm": norm, "bias": bias, "form": form, "output": output}
    return Layout("srresnet", sizes | options, names, zero_biases)


# With BatchNorm, as in the paper (Lornatang's SRGAN-PyTorch and many others)


def paper_layout(features: int, blocks: int, steps: Steps, bias: bool) -> Layout:
    layers = ("conv1", "norm1", "act", "conv2", "norm2")
    body = {f"body.{{i}}.{layer}": f"trunk.{{n}}.rcb.{n}" for n, layer in enumerate(layers)}
    block = "upsampling.{n}.upsample_block"
    names = {
        "conv_first": "conv1.0",
        "act_first": "conv1.1",
        **numbered(blocks, body),
        "conv_body": "conv2.0",
        "end_body": "conv2.1",
        **numbered(len(steps), {"ups.{i}.0": f"{block}.0", "act_ups.{i}": f"{block}.2"}),
        "conv_last": "conv3",
    }
    return srresnet_layout(features, blocks, steps, names, form="paper", norm=True, bias=bias)


def measure_paper(state: State, _: UserProperties) -> Layout:
    places = range(count(state, "upsampling."))
    steps = [shuffle_step(state, f"upsampling.{i}.upsample_block.0.weight") for i in places]
    features = sides(state, "conv1.0.weight")[1]
    return paper_layout(features, count(state, "trunk."), steps, "conv2.0.bias" in state)


# leftthomas/SRGAN: tanh at the end; in 2018 a PReLU where the BatchNorm behind the blocks is now


def leftthomas_layout(features: int, blocks: int, steps: Steps, form: str) -> Layout:
    end, tail = f"block{blocks + 2}", f"block{blocks + 3}"
    layers = {"conv1": "conv1", "norm1": "bn1", "act": "prelu", "conv2": "conv2", "norm2": "bn2"}
    body = {f"body.{{i}}.{ours}": f"block{{n}}.{source}" for ours, source in layers.items()}
    ups = {"ups.{i}.0": f"{tail}.{{n}}.conv", "act_ups.{i}": f"{tail}.{{n}}.prelu"}
    names = {
        "conv_first": "block1.0",
        "act_first": "block1.1",
        **numbered(blocks, body, start=2),
        "conv_body": f"{end}.0",
        "end_body": f"{end}.1",
        **numbered(len(steps), ups),
        "conv_last": f"{tail}.{len(steps)}",
    }
    return srresnet_layout(features, blocks, steps, names, form=form, norm=True, output="tanh")


def measure_leftthomas(state: State, _: UserProperties) -> Layout:
    blocks = count(state, "block", start=1) - 3
    if blocks < 0:
        raise WeightsError("it has fewer than 3 blocks; block1 to block8 are usual")
    tail = f"block{blocks + 3}."
    places = range(len(numbers(state, tail, "conv.")))
    steps = [shuffle_step(state, f"{tail}{i}.conv.weight") for i in places]
    normed = f"block{blocks + 2}.1.running_mean" in state
    features = sides(state, "block1.0.weight")[1]
    return leftthomas_layout(features, blocks, steps, "paper" if normed else "closing-prelu")


# Without BatchNorm: MSRResNet of BasicSR and KAIR

MSR_NAMES = {"basicsr": ("body", "conv_hr"), "older": ("recon_trunk", "HRconv")}


def msr_layout(variant: str, features: int, blocks: int, steps: Steps) -> Layout:
    body, conv_hr = MSR_NAMES[variant]
    layers = {f"body.{{i}}.{layer}": f"{body}.{{n}}.{layer}" for layer in ("conv1", "conv2")}
    names = {
        "conv_first": "conv_first",
        **numbered(blocks, layers),
        **numbered(len(steps), {"ups.{i}.0": "upconv{n}"}, start=1),
        "conv_hr": conv_hr,
        "conv_last": "conv_last",
    }
    return srresnet_layout(features, blocks, steps, names, form="msrresnet")


def measure_msr(variant: str, state: State, _: UserProperties) -> Layout:
    places = range(count(state, "upconv", start=1))
    steps = [shuffle_step(state, f"upconv{i + 1}.weight") for i in places]
    features = sides(state, "conv_first.weight")[1]
    return msr_layout(variant, features, count(state, f"{MSR_NAMES[variant][0]}."), steps)


# What MSRResNet was before: a numbered sequence, by pixel-shuffle or by repeated pixels


def early_layout(features: int, blocks: int, steps: Steps, nearest: bool) -> Layout:
    body = {"body.{i}.conv1": "model.1.sub.{n}.res.0", "body.{i}.conv2": "model.1.sub.{n}.res.2"}
    layer, start = ("ups.{i}.1", 3) if nearest else ("ups.{i}.0", 2)
    end = 3 * len(steps) + 2
    names = {
        "conv_first": "model.0",
        **numbered(blocks, body),
        "conv_body": f"model.1.sub.{blocks}",
        **numbered(len(steps), {layer: "model.{n}"}, start=start, step=3),
        "conv_hr": f"model.{end}",
        "conv_last": f"model.{end + 2}",
    }
    form = "early-nearest" if nearest else "early"
    return srresnet_layout(features, blocks, steps, names, form=form, zero_biases=("conv_last",))


def measure_early(state: State, _: UserProperties) -> Layout:
    """Which layer follows the blocks tells the two ways of upscaling apart. Repeated pixels are
    taken to double the image, as in every such network known."""
    places = numbers(state, "model.")
    upsamplings = (max(places, default=0) - 4) // 3
    if upsamplings not in range(8):
        raise WeightsError("its layers are not those of model.0 to model.10")
    nearest = "model.3.weight" in state or upsamplings == 0
    shuffles = [] if nearest else [f"model.{3 * i + 2}.weight" for i in range(upsamplings)]
    steps = [2] * upsamplings if nearest else [shuffle_step(state, key) for key in shuffles]
    blocks = count(state, "model.1.sub.", "res.")
    return early_layout(sides(state, "model.0.weight")[1], blocks, steps, nearest)


# SRCNN and VDSR work on the upscaled luma, so no key tells their scale


def scale_of(given: UserProperties) -> int:
    scale = given.scale or given.guess
    if scale is None:
        raise WeightsError(
            "no key tells its scale; let the file's name say it, such as NAME-x4, "
            "or `srgan convert FILE -o OUT --scale N`"
        )
    return scale


SRCNN_NAMES = {name: name for name in ("conv1", "conv2", "conv3")}


def measure_srcnn(state: State, given: UserProperties) -> Layout:
    _, n1, f1 = sides(state, "conv1.weight")
    _, n2, f2 = sides(state, "conv2.weight")
    _, _, f3 = sides(state, "conv3.weight")
    sizes = {"scale": scale_of(given), "n1": n1, "n2": n2, "f1": f1, "f2": f2, "f3": f3}
    return Layout("srcnn", sizes, SRCNN_NAMES)


def vdsr_layout(scale: int, features: int, depth: int) -> Layout:
    names = {
        "layers.0": "conv1.0",
        **{f"layers.{n + 1}": f"trunk.{n}.conv" for n in range(depth - 2)},
        f"layers.{depth - 1}": "conv2",
    }
    sizes = {"scale": scale, "depth": depth, "features": features}
    return Layout("vdsr", sizes, names, zero_biases=names)


def measure_vdsr(state: State, given: UserProperties) -> Layout:
    features = sides(state, "conv1.0.weight")[1]
    return vdsr_layout(scale_of(given), features, count(state, "trunk.") + 2)


TYPICAL = (64, 2, [2, 2])
"""Features, blocks and steps of the examples."""

FAMILIES = (
    Family("SRResNet (SRGAN)", measure_paper, paper_layout(*TYPICAL, bias=False)),
    Family("SRGAN, leftthomas", measure_leftthomas, leftthomas_layout(*TYPICAL, "closing-prelu")),
    Family("MSRResNet", partial(measure_msr, "basicsr"), msr_layout("basicsr", *TYPICAL)),
    Family("MSRResNet, older naming", partial(measure_msr, "older"), msr_layout("older", *TYPICAL)),
    Family("SRResNet, oldest naming", measure_early, early_layout(*TYPICAL, nearest=False)),
    Family("SRCNN", measure_srcnn, Layout("srcnn", {}, SRCNN_NAMES)),
    Family("VDSR", measure_vdsr, vdsr_layout(4, 64, 4)),
)

"""SRResNet and SRGAN generators of several programs, with and without BatchNorm."""

from srgan_cli.errors import WeightsError
from srgan_cli.weights.foreign.layout import (
    Family,
    Hyperparameters,
    KeyPair,
    Layout,
    State,
    UserProperties,
    check_steps,
    conv,
    count,
    norm,
    numbers,
    shuffle_step,
    sides,
    slope,
)


def sizes(
    steps: list[int],
    features: int,
    blocks: int,
    *,
    norm: bool,
    bias: bool,
    form: str,
    output: str = "linear",
) -> Hyperparameters:
    return {
        "scale": check_steps(steps),
        "features": features,
        "blocks": blocks,
        "norm": norm,
        "bias": bias,
        "form": form,
        "output": output,
    }


def build_layout(hyperparameters: Hyperparameters, *parts: tuple[KeyPair, ...]) -> Layout:
    return Layout("srresnet", hyperparameters, tuple(entry for part in parts for entry in part))


# With BatchNorm, as in the paper (Lornatang's SRGAN-PyTorch and many others)


def paper_layout(features: int, blocks: int, steps: list[int], bias: bool) -> Layout:
    within = (features, features)
    parts = [conv("conv1.0", "conv_first", (3, features), 9), slope("conv1.1", "act_first")]
    for i in range(blocks):
        source_key, key = f"trunk.{i}.rcb", f"body.{i}"
        parts += [
            conv(f"{source_key}.0", f"{key}.conv1", within, bias=bias),
            norm(f"{source_key}.1", f"{key}.norm1", features),
            slope(f"{source_key}.2", f"{key}.act"),
            conv(f"{source_key}.3", f"{key}.conv2", within, bias=bias),
            norm(f"{source_key}.4", f"{key}.norm2", features),
        ]
    parts += [
        conv("conv2.0", "conv_body", within, bias=bias),
        norm("conv2.1", "end_body", features),
    ]
    for i, step in enumerate(steps):
        source_key = f"upsampling.{i}.upsample_block"
        parts += [
            conv(f"{source_key}.0", f"ups.{i}.0", (features, features * step * step)),
            slope(f"{source_key}.2", f"act_ups.{i}"),
        ]
    parts.append(conv("conv3", "conv_last", (features, 3), 9))
    found = sizes(steps, features, blocks, norm=True, bias=bias, form="paper")
    return build_layout(found, *parts)


def measure_paper(state: State, _: UserProperties) -> Layout:
    upsamplings = count(state, "upsampling.")
    steps = [
        shuffle_step(state, f"upsampling.{i}.upsample_block.0.weight") for i in range(upsamplings)
    ]
    features = sides(state, "conv1.0.weight")[1]
    return paper_layout(features, count(state, "trunk."), steps, "conv2.0.bias" in state)


# leftthomas/SRGAN: tanh at the end; in 2018 a PReLU where the BatchNorm behind the blocks is now


def leftthomas_layout(features: int, blocks: int, steps: list[int], form: str) -> Layout:
    within, end, tail = (features, features), f"block{blocks + 2}", f"block{blocks + 3}"
    parts = [conv("block1.0", "conv_first", (3, features), 9), slope("block1.1", "act_first")]
    for i in range(blocks):
        source_key, key = f"block{i + 2}", f"body.{i}"
        parts += [
            conv(f"{source_key}.conv1", f"{key}.conv1", within),
            norm(f"{source_key}.bn1", f"{key}.norm1", features),
            slope(f"{source_key}.prelu", f"{key}.act"),
            conv(f"{source_key}.conv2", f"{key}.conv2", within),
            norm(f"{source_key}.bn2", f"{key}.norm2", features),
        ]
    parts.append(conv(f"{end}.0", "conv_body", within))
    normed = form == "paper"
    parts.append(
        norm(f"{end}.1", "end_body", features) if normed else slope(f"{end}.1", "end_body")
    )
    for i, step in enumerate(steps):
        parts += [
            conv(f"{tail}.{i}.conv", f"ups.{i}.0", (features, features * step * step)),
            slope(f"{tail}.{i}.prelu", f"act_ups.{i}"),
        ]
    parts.append(conv(f"{tail}.{len(steps)}", "conv_last", (features, 3), 9))
    found = sizes(steps, features, blocks, norm=True, bias=True, form=form, output="tanh")
    return build_layout(found, *parts)


def measure_leftthomas(state: State, _: UserProperties) -> Layout:
    blocks = count(state, "block", start=1) - 3
    if blocks < 0:
        raise WeightsError("it has fewer than 3 blocks; block1 to block8 are usual")
    tail = f"block{blocks + 3}."
    upsamplings = len(numbers(state, tail, "conv."))
    steps = [shuffle_step(state, f"{tail}{i}.conv.weight") for i in range(upsamplings)]
    normed = f"block{blocks + 2}.1.running_mean" in state
    features = sides(state, "block1.0.weight")[1]
    return leftthomas_layout(features, blocks, steps, "paper" if normed else "closing-prelu")


# Without BatchNorm: MSRResNet of BasicSR and KAIR

MSR_NAMES = {
    "basicsr": {"body": "body", "conv_hr": "conv_hr"},
    "older": {"body": "recon_trunk", "conv_hr": "HRconv"},
}


def msr_layout(variant: str, features: int, blocks: int, steps: list[int]) -> Layout:
    names, within = MSR_NAMES[variant], (features, features)
    parts = [conv("conv_first", "conv_first", (3, features))]
    for i in range(blocks):
        for layer in ("conv1", "conv2"):
            parts.append(conv(f"{names['body']}.{i}.{layer}", f"body.{i}.{layer}", within))
    for i, step in enumerate(steps):
        parts.append(conv(f"upconv{i + 1}", f"ups.{i}.0", (features, features * step * step)))
    parts.append(conv(names["conv_hr"], "conv_hr", within))
    parts.append(conv("conv_last", "conv_last", (features, 3)))
    found = sizes(steps, features, blocks, norm=False, bias=True, form="msrresnet")
    return build_layout(found, *parts)


def measure_msr(variant: str, state: State) -> Layout:
    upsamplings = count(state, "upconv", start=1)
    steps = [shuffle_step(state, f"upconv{i + 1}.weight") for i in range(upsamplings)]
    features = sides(state, "conv_first.weight")[1]
    return msr_layout(variant, features, count(state, f"{MSR_NAMES[variant]['body']}."), steps)


# What MSRResNet was before: a numbered sequence, by pixel-shuffle or by repeated pixels


def early_layout(features: int, blocks: int, steps: list[int], nearest: bool) -> Layout:
    within, upsamplings = (features, features), len(steps)
    parts = [conv("model.0", "conv_first", (3, features))]
    for i in range(blocks):
        parts.append(conv(f"model.1.sub.{i}.res.0", f"body.{i}.conv1", within))
        parts.append(conv(f"model.1.sub.{i}.res.2", f"body.{i}.conv2", within))
    parts.append(conv(f"model.1.sub.{blocks}", "conv_body", within))
    for i, step in enumerate(steps):
        place, width = (3 * i + 3, 1) if nearest else (3 * i + 2, step * step)
        key = f"ups.{i}.{1 if nearest else 0}"
        parts.append(conv(f"model.{place}", key, (features, features * width)))
    parts.append(conv(f"model.{3 * upsamplings + 2}", "conv_hr", within))
    parts.append(conv(f"model.{3 * upsamplings + 4}", "conv_last", (features, 3), bias=None))
    form = "early-nearest" if nearest else "early"
    return build_layout(sizes(steps, features, blocks, norm=False, bias=True, form=form), *parts)


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


FAMILIES = (
    Family("SRResNet (SRGAN)", measure_paper, paper_layout(64, 2, [2, 2], bias=False)),
    Family(
        "SRGAN, leftthomas", measure_leftthomas, leftthomas_layout(64, 2, [2, 2], "closing-prelu")
    ),
    Family(
        "MSRResNet",
        lambda state, _: measure_msr("basicsr", state),
        msr_layout("basicsr", 64, 2, [2, 2]),
    ),
    Family(
        "MSRResNet, older naming",
        lambda state, _: measure_msr("older", state),
        msr_layout("older", 64, 2, [2, 2]),
    ),
    Family("SRResNet, oldest naming", measure_early, early_layout(64, 2, [2, 2], nearest=False)),
)

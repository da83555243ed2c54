"""Keys of Real-ESRGAN's compact networks, which ours equal."""

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
    root,
    sides,
    slope,
)


def build_layout(hyperparameters: Hyperparameters) -> Layout:
    scale, features = int(hyperparameters["scale"]), int(hyperparameters["features"])
    last = 2 * int(hyperparameters["convolutions"]) + 2
    entries: list[KeyPair] = []
    for place in range(0, last, 2):
        inputs = 3 if place == 0 else features
        entries += conv(f"body.{place}", f"body.{place}", (inputs, features))
        if hyperparameters["activation"] == "prelu":
            entries += slope(f"body.{place + 1}", f"body.{place + 1}", features)
    entries += conv(f"body.{last}", f"body.{last}", (features, 3 * scale * scale))
    return Layout("compact", hyperparameters, tuple(entries))


def measure(state: State, given: UserProperties) -> Layout:
    last = count(state, "body.") - 1
    if last < 2 or last % 2:
        raise WeightsError(f"its last layer is body.{last}; an even number from 2 is expected")
    outputs = sides(state, f"body.{last}.weight")[1]
    if outputs % 3:
        raise WeightsError(f"body.{last} has {outputs} outputs: only networks for RGB can be used")
    return build_layout(
        {
            "scale": root(outputs // 3, f"a third of body.{last}'s outputs"),
            "features": sides(state, "body.0.weight")[1],
            "convolutions": last // 2 - 1,
            "activation": "prelu" if "body.1.weight" in state else activation_of(given),
        }
    )


def activation_of(given: UserProperties) -> str:
    if given.activation not in ("relu", "leakyrelu"):
        raise WeightsError(
            "no key tells its activation, relu or leakyrelu; say it once: "
            "`srgan convert FILE -o OUT --activation NAME`, and use OUT"
        )
    return given.activation


FAMILIES = (
    Family(
        "Compact (SRVGGNetCompact)",
        measure,
        build_layout({"scale": 4, "features": 64, "convolutions": 2, "activation": "prelu"}),
    ),
)

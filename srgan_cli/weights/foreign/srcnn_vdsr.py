"""SRCNN and VDSR of other programs: they work on the upscaled luma, so no key tells their scale."""

from srgan_cli.errors import WeightsError
from srgan_cli.weights.foreign.layout import (
    Family,
    KeyPair,
    Layout,
    State,
    UserProperties,
    conv,
    count,
    sides,
)


def scale_of(given: UserProperties) -> int:
    scale = given.scale or given.guess
    if scale is None:
        raise WeightsError(
            "no key tells its scale; let the file's name say it, such as NAME-x4, "
            "or `srgan convert FILE -o OUT --scale N`"
        )
    return scale


def srcnn_layout(scale: int, widths: tuple[int, int], kernels: tuple[int, int, int]) -> Layout:
    (n1, n2), (f1, f2, f3) = widths, kernels
    entries = (
        *conv("conv1", "conv1", (1, n1), f1),
        *conv("conv2", "conv2", (n1, n2), f2),
        *conv("conv3", "conv3", (n2, 1), f3),
    )
    return Layout(
        "srcnn", {"scale": scale, "n1": n1, "n2": n2, "f1": f1, "f2": f2, "f3": f3}, entries
    )


def measure_srcnn(state: State, given: UserProperties) -> Layout:
    _, n1, f1 = sides(state, "conv1.weight")
    _, n2, f2 = sides(state, "conv2.weight")
    _, _, f3 = sides(state, "conv3.weight")
    return srcnn_layout(scale_of(given), (n1, n2), (f1, f2, f3))


def vdsr_layout(scale: int, features: int, depth: int) -> Layout:
    entries: list[KeyPair] = [*conv("conv1.0", "layers.0", (1, features), bias=None)]
    for i in range(depth - 2):
        entries += conv(f"trunk.{i}.conv", f"layers.{i + 1}", (features, features), bias=None)
    entries += conv("conv2", f"layers.{depth - 1}", (features, 1), bias=None)
    found = {"scale": scale, "depth": depth, "features": features}
    return Layout("vdsr", dict(found), tuple(entries))


def measure_vdsr(state: State, given: UserProperties) -> Layout:
    features = sides(state, "conv1.0.weight")[1]
    return vdsr_layout(scale_of(given), features, count(state, "trunk.") + 2)


FAMILIES = (
    Family("SRCNN", measure_srcnn, srcnn_layout(4, (64, 32), (9, 5, 5))),
    Family("VDSR", measure_vdsr, vdsr_layout(4, 64, 4)),
)

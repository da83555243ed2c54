"""The graphs of our networks, for any hyperparameters: the forward passes of `srgan_cli.networks`.

BatchNorm is folded into the convolution before it, as `graph_match.fold_batch_norm` does.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from srgan_cli.networks.layers import upscale_factors
from srgan_cli.networks.precision import BICUBIC_SIDE, bicubic_kernels
from srgan_cli.networks.rrdbnet import RESIDUAL_SCALE
from srgan_cli.networks.srcnn import BLACK, LUMA
from srgan_cli.networks.srresnet import FORMS
from srgan_cli.weights.generators import default_hyperparameters
from srgan_cli.weights.graphs.graph import Graph

COMPACT_SLOPE = 0.1


def build_graph(architecture: str, hyperparameters: Mapping[str, Any]) -> Graph:
    """The graph of that network. Raises KeyError for an architecture without a builder."""
    graph = Graph()
    sizes = default_hyperparameters(architecture) | dict(hyperparameters)
    BUILDERS[architecture](graph, **sizes)
    return graph


def rrdbnet(
    graph: Graph, scale: int, features: int, blocks: int, growth: int, unshuffle: int
) -> None:
    x = graph.pixel_unshuffle(0, unshuffle)
    shallow = x = graph.conv(x, "conv_first", 3 * unshuffle * unshuffle, features)
    for block in range(blocks):
        entry = x
        for part in (1, 2, 3):
            x = dense_block(graph, x, f"body.{block}.rdb{part}", features, growth)
        x = graph.add(entry, graph.times(x, RESIDUAL_SCALE))
    x = graph.add(shallow, graph.conv(x, "conv_body", features, features))
    for number, step in enumerate(upscale_factors(scale * unshuffle), start=1):
        x = graph.conv(graph.nearest(x, step), f"conv_up{number}", features, features)
        x = graph.leaky_relu(x, 0.2)
    x = graph.leaky_relu(graph.conv(x, "conv_hr", features, features), 0.2)
    graph.conv(x, "conv_last", features, 3)


def dense_block(graph: Graph, x: int, name: str, features: int, growth: int) -> int:
    outputs = [x]
    for number in range(1, 5):
        inputs = features + (number - 1) * growth
        joined = graph.concat(*outputs) if len(outputs) > 1 else x
        output = graph.conv(joined, f"{name}.conv{number}", inputs, growth)
        outputs.append(graph.leaky_relu(output, 0.2))
    last = graph.conv(graph.concat(*outputs), f"{name}.conv5", features + 4 * growth, features)
    return graph.add(x, graph.times(last, RESIDUAL_SCALE))


def compact(graph: Graph, scale: int, features: int, convolutions: int, activation: str) -> None:
    x = 0
    for number in range(convolutions + 1):
        x = graph.conv(x, f"body.{2 * number}", features if number else 3, features)
        x = with_activation(graph, x, activation, f"body.{2 * number + 1}", features)
    x = graph.conv(x, f"body.{2 * convolutions + 2}", features, 3 * scale * scale)
    graph.add(graph.pixel_shuffle(x, scale), graph.nearest(0, scale))


def with_activation(graph: Graph, x: int, activation: str, name: str, slopes: int = 1) -> int:
    match activation:
        case "prelu":
            return graph.prelu(x, name, slopes)
        case "relu":
            return graph.leaky_relu(x, 0.0)
        case "leakyrelu":
            return graph.leaky_relu(x, COMPACT_SLOPE)
    return x


def srresnet(
    graph: Graph,
    scale: int,
    features: int,
    blocks: int,
    norm: bool,
    bias: bool,
    form: str,
    output: str,
) -> None:
    del norm, bias  # folded
    variant = FORMS[form]
    x = graph.conv(0, "conv_first", 3, features, variant.kernel)
    shallow = x = with_activation(graph, x, variant.first_activation, "act_first")
    for block in range(blocks):
        inner = graph.conv(x, f"body.{block}.conv1", features, features)
        inner = with_activation(graph, inner, variant.block_activation, f"body.{block}.act")
        x = graph.add(x, graph.conv(inner, f"body.{block}.conv2", features, features))
    if variant.body_end is not None:
        x = graph.conv(x, "conv_body", features, features)
        x = graph.add(shallow, graph.prelu(x, "end_body", 1) if variant.body_end == "prelu" else x)
    for number, step in enumerate(upscale_factors(scale)):
        if variant.nearest:
            x = graph.conv(graph.nearest(x, step), f"ups.{number}.1", features, features)
        else:
            x = sub_pixel(graph, x, f"ups.{number}.0", features, features, step)
        x = with_activation(graph, x, variant.up_activation, f"act_ups.{number}")
    if variant.conv_hr:
        x = with_activation(
            graph, graph.conv(x, "conv_hr", features, features), variant.up_activation, "act_hr"
        )
    x = graph.conv(x, "conv_last", features, 3, variant.kernel)
    if output == "tanh":
        x = graph.times(graph.plus(graph.tanh(x), 1.0), 0.5)
    if variant.bilinear_base:
        graph.add(x, graph.bilinear(0, scale))


def sub_pixel(graph: Graph, x: int, name: str, inputs: int, outputs: int, step: int) -> int:
    return graph.pixel_shuffle(graph.conv(x, name, inputs, outputs * step * step), step)


def fast(
    graph: Graph,
    scale: int,
    features: int,
    blocks: int,
    thin: int,
    negative_slope: float,
    binomial: bool,
    middle: Sequence[int],
) -> None:
    shallow = x = graph.conv(0, "head", 3, features)
    for block, width in enumerate(middle or [features] * blocks):
        inner = graph.conv(x, f"body.{block}.conv1", features, width)
        inner = graph.leaky_relu(inner, negative_slope)
        x = graph.add(x, graph.conv(inner, f"body.{block}.conv2", width, features))
    x = graph.add(shallow, graph.conv(x, "body_end", features, features))
    steps, inputs = upscale_factors(scale), features
    for number, step in enumerate(steps):
        outputs = thin * 2 ** (len(steps) - number - 1)
        x = sub_pixel(graph, x, f"up.{number}.0", inputs, outputs, step)
        if binomial:
            x = graph.average_pool(graph.average_pool(x, 1), 0)
        x, inputs = graph.leaky_relu(x, 0.2), outputs
    x = graph.conv(x, "to_rgb", inputs, 3)
    graph.add(x, bicubic(graph, 0, scale))


def srcnn(graph: Graph, scale: int, n1: int, n2: int, f1: int, f2: int, f3: int) -> None:
    wide = bicubic(graph, 0, scale)
    y = luma(graph, wide)
    x = graph.leaky_relu(graph.conv(y, "conv1", 1, n1, f1), 0.0)
    x = graph.leaky_relu(graph.conv(x, "conv2", n1, n2, f2), 0.0)
    add_luma(graph, wide, graph.sub(graph.conv(x, "conv3", n2, 1, f3), y))


def vdsr(graph: Graph, scale: int, depth: int, features: int) -> None:
    wide = bicubic(graph, 0, scale)
    x = luma(graph, wide)
    for number in range(depth - 1):
        inputs = features if number else 1
        x = graph.leaky_relu(graph.conv(x, f"layers.{number}", inputs, features), 0.0)
    add_luma(graph, wide, graph.conv(x, f"layers.{depth - 1}", features, 1))


def bicubic(graph: Graph, x: int, scale: int) -> int:
    """RGB upscaled as by `resample.upscale_bicubic`: ncnn's own bicubic has a = -0.75."""
    if scale == 1:
        return x
    padded = graph.replicate_padding(x, BICUBIC_SIDE)
    kernels = bicubic_kernels(scale)
    cells = graph.fixed_conv(padded, kernels, np.zeros(len(kernels), np.float32))
    return graph.pixel_shuffle(cells, scale)


def luma(graph: Graph, rgb: int) -> int:
    weight = np.array(LUMA, np.float32).reshape(1, 3, 1, 1)
    return graph.fixed_conv(rgb, weight, np.array([BLACK], np.float32))


def add_luma(graph: Graph, rgb: int, more: int) -> int:
    weight = np.full((3, 1, 1, 1), 255 / 219, np.float32)
    return graph.add(rgb, graph.fixed_conv(more, weight, np.zeros(3, np.float32)))


BUILDERS: dict[str, Callable[..., None]] = {
    "rrdbnet": rrdbnet,
    "compact": compact,
    "srresnet": srresnet,
    "fast": fast,
    "srcnn": srcnn,
    "vdsr": vdsr,
}

"""What ncnn's layers compute, in the operations of `Graph`.

Ids and defaults: https://github.com/Tencent/ncnn/blob/master/docs/developer-guide/operators.md.
"""

from collections.abc import Sequence

from srgan_cli.errors import WeightsError
from srgan_cli.weights.graphs.graph import Arrays, GraphLayer, Steps, resize_step, step, summary
from srgan_cli.weights.ncnn.param_file import NcnnLayer

BATCH_NORM_EPSILON = 1e-5  # a layer's default in files

ALIASES = ("Split", "Noop", "Dropout")
"""Layers that pass on what they are given."""

LAYER_TYPES = {
    "Input",
    *ALIASES,
    *("Convolution", "BatchNorm", "PReLU", "ReLU", "TanH", "Interp", "PixelShuffle", "Reorg"),
    *("Concat", "Eltwise", "BinaryOp", "Padding", "Pooling"),
}

INTERP = {1: "nearest", 2: "bilinear"}


def check_layer_types(layers: Sequence[NcnnLayer]) -> None:
    unknown = {summary(layer.type): layer for layer in layers if layer.type not in LAYER_TYPES}
    if unknown:
        first = next(iter(unknown.values()))
        kinds = ", ".join(list(unknown)[:4]) + (", ..." if len(unknown) > 4 else "")
        raise WeightsError(f"an unsupported model: it has layers of type {kinds} (first: {first})")
    if [layer.type for layer in layers].count("Input") != 1:
        raise WeightsError("an unsupported model: it does not have exactly one Input layer")
    for layer in layers:
        single = len(layer.outputs) == 1 or (layer.outputs and layer.type == "Split")
        if not single or not (layer.inputs or layer.type == "Input"):
            raise WeightsError(f"layer {layer}: wrong numbers of blobs")
    made = [blob for layer in layers for blob in layer.outputs]
    read = {blob for layer in layers for blob in layer.inputs}
    outputs = [blob for blob in made if blob not in read]
    if len(outputs) != 1:
        raise WeightsError(f"an unsupported model: it has {len(outputs)} outputs, not one")


def graph_layer(layer: NcnnLayer, arrays: Arrays) -> GraphLayer:
    """Raises WeightsError for values of a wrong type."""
    inputs = () if layer.type == "Input" else layer.inputs
    factors = layer.array(1) if layer.type == "Eltwise" else ()
    factors = tuple(float(f"{factor:.5g}") for factor in factors)
    return GraphLayer(str(layer), inputs, layer.outputs, _steps(layer, arrays), factors)


def _steps(layer: NcnnLayer, arrays: Arrays) -> Steps | None:
    """None for a layer that no network of ours has."""
    match layer.type:
        case "Convolution":
            return _convolution(layer, arrays)
        case "BatchNorm":
            return step("batch_norm", layer.number(1, BATCH_NORM_EPSILON))
        case "PReLU":
            return step("prelu", *arrays["weight"].shape)
        case "ReLU":
            return step("leaky_relu", layer.number(0, 0.0))
        case "TanH":
            return step("tanh")
        case "Interp" | "PixelShuffle" | "Reorg":
            return _resize(layer)
        case "Padding":
            return _padding(layer)
        case "Pooling":
            return _pooling(layer)
        case "Concat":
            return step("concat") if layer.integer(0, 0) == 0 else None
        case "Eltwise":
            is_sum = layer.integer(0, 0) == 1 and len(layer.array(1)) in (0, len(layer.inputs))
            return step("add") if is_sum else None
        case "BinaryOp":
            return _binary(layer)
    return () if layer.type == "Input" or layer.number(0, 1.0) != 0.0 else None


def _convolution(layer: NcnnLayer, arrays: Arrays) -> Steps | None:
    kernel = layer.integer(1, 0)
    padding = layer.integer(4, 0)
    uniform = {(11, 1): kernel, (14, 4): padding, (15, 4): padding, (16, 14): padding}
    if any(layer.integer(key, expected) != expected for (key, _), expected in uniform.items()):
        return None
    ones = [layer.integer(key, 1) for key in (2, 12, 3, 13)]  # dilation and stride
    if ones != [1, 1, 1, 1] or layer.number(18, 0.0) or layer.integer(19, 0):
        return None
    outputs, inputs = arrays["weight"].shape[:2]
    conv = ("conv", (inputs, outputs, kernel, padding))
    match layer.integer(9, 0):
        case 0:
            return (conv,)
        case 1:
            return conv, ("leaky_relu", (0.0,))
        case 2 if len(layer.array(10)) == 1:
            return conv, ("leaky_relu", layer.array(10))
    return None


def _resize(layer: NcnnLayer) -> Steps | None:
    if layer.type == "Interp":
        kind = INTERP.get(layer.integer(0, 0))
        factors = {layer.number(1, 1.0), layer.number(2, 1.0)}
        if kind is None or len(factors) > 1 or any(layer.integer(key, 0) for key in (3, 4, 6)):
            return None
        factor = factors.pop()
    else:
        kind = "pixel_shuffle" if layer.type == "PixelShuffle" else "pixel_unshuffle"
        factor = float(layer.integer(0, 1))
        if layer.integer(1, 0):  # another order of channels
            return None
    return resize_step(kind, factor)


def _padding(layer: NcnnLayer) -> Steps | None:
    sides = {layer.integer(key, 0) for key in (0, 1, 2, 3)}
    if len(sides) > 1 or layer.integer(4, 0) != 1 or any(layer.integer(key, 0) for key in (7, 8)):
        return None
    return step("replicate_padding", sides.pop())


def _pooling(layer: NcnnLayer) -> Steps | None:
    """Means of 2 x 2 with stride 1 that count the border of zeros."""
    padding = layer.integer(3, 0)
    uniform = {0: 1, 1: 2, 11: 2, 2: 1, 12: 1, 13: padding, 14: padding, 15: padding, 5: 1, 6: 1}
    defaults = {11: layer.integer(1, 0), 12: layer.integer(2, 1)}
    for key, expected in uniform.items():
        default = defaults.get(key, padding if key in (13, 14, 15) else 0)
        if layer.integer(key, default) != expected:
            return None
    if any(layer.integer(key, 0) for key in (4, 7)):  # global or adaptive
        return None
    return step("average_pool", padding)


def _binary(layer: NcnnLayer) -> Steps | None:
    """A BinaryOp; where parameter 1 is set, parameter 2 is the second operand, a number."""
    kind, number = layer.integer(0, 0), layer.number(2, 0.0)
    if not layer.integer(1, 0):
        names = {0: "add", 1: "sub"}
        return ((names[kind], ()),) if kind in names and len(layer.inputs) == 2 else None
    if len(layer.inputs) != 1:
        return None
    match kind:
        case 0:
            return step("plus", number)
        case 2:
            return step("times", number)
        case 3 if number:
            return step("times", 1 / number)
    return None

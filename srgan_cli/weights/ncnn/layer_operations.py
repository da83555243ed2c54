"""What ncnn's layers compute, in the operations of `Graph`.

Ids and defaults: https://github.com/Tencent/ncnn/blob/master/docs/developer-guide/operators.md.
"""

from dataclasses import dataclass

from srgan_cli.errors import WeightsError
from srgan_cli.weights.ncnn.bin_file import Arrays
from srgan_cli.weights.ncnn.param_file import NcnnLayer

Chain = tuple[tuple[str, tuple[float, ...]], ...]

ALIASES = ("Split", "Noop", "Dropout", "BatchNorm")
"""Layers that pass on what they are given; BatchNorm is folded into the convolution before it."""

LAYER_TYPES = {
    "Input",
    *ALIASES,
    *("Convolution", "PReLU", "ReLU", "TanH", "Interp", "PixelShuffle", "Reorg"),
    *("Concat", "Eltwise", "BinaryOp", "Padding", "Pooling"),
}

INTERP = {1: "nearest", 2: "bilinear"}


@dataclass(frozen=True)
class Steps:
    """Operations one after another; the first takes the layer's inputs times `factors`."""

    chain: Chain
    factors: tuple[float, ...] = ()


def _step(kind: str, *sizes: float) -> Steps:
    return Steps(((kind, tuple(map(float, sizes))),))


def is_alias(layer: NcnnLayer) -> bool:
    return layer.type in ALIASES and len(layer.inputs) == 1 and layer.number(0, 1.0) != 0.0


def layer_steps(layer: NcnnLayer, arrays: Arrays) -> Steps | None:
    """The layer's operations; None for one that no network of ours has.

    Raises WeightsError for values of a wrong type.
    """
    match layer.type:
        case "Convolution":
            return _convolution(layer, arrays)
        case "PReLU":
            return _step("prelu", len(arrays["weight"]))
        case "ReLU":
            return _step("leaky_relu", layer.number(0, 0.0))
        case "TanH":
            return _step("tanh")
        case "Interp" | "PixelShuffle" | "Reorg":
            return _resize(layer)
        case "Padding":
            return _padding(layer)
        case "Pooling":
            return _pooling(layer)
        case "Concat":
            return _step("concat") if layer.integer(0, 0) == 0 else None
        case "Eltwise":
            return _eltwise(layer)
        case "BinaryOp":
            return _binary(layer)
    return None


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
            return Steps((conv,))
        case 1:
            return Steps((conv, ("leaky_relu", (0.0,))))
        case 2 if len(layer.array(10)) == 1:
            return Steps((conv, ("leaky_relu", layer.array(10))))
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
    return Steps(()) if factor == 1 else _step(kind, factor)


def _padding(layer: NcnnLayer) -> Steps | None:
    sides = {layer.integer(key, 0) for key in (0, 1, 2, 3)}
    if len(sides) > 1 or layer.integer(4, 0) != 1 or any(layer.integer(key, 0) for key in (7, 8)):
        return None
    return _step("replicate_padding", sides.pop())


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
    return _step("average_pool", padding)


def _eltwise(layer: NcnnLayer) -> Steps | None:
    factors = layer.array(1) or (1.0,) * len(layer.inputs)
    if layer.integer(0, 0) != 1 or len(factors) != len(layer.inputs):
        return None
    return Steps((("add", ()),), tuple(map(_rounded, factors)))


def _binary(layer: NcnnLayer) -> Steps | None:
    """A BinaryOp; where parameter 1 is set, parameter 2 is the second operand, a number."""
    kind, number = layer.integer(0, 0), _rounded(layer.number(2, 0.0))
    if not layer.integer(1, 0):
        names = {0: "add", 1: "sub"}
        return _step(names[kind]) if kind in names and len(layer.inputs) == 2 else None
    if len(layer.inputs) != 1:
        return None
    match kind:
        case 0:
            return _step("plus", number)
        case 2:
            return _step("times", number)
        case 3 if number:
            return _step("times", 1 / number)
    return None


def _rounded(number: float) -> float:
    if number != number or abs(number) == float("inf"):
        raise WeightsError("a factor that is not a finite number")
    return float(f"{number:.5g}")

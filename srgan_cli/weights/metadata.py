"""What a weights file records besides its tensors. Standard library only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

JSON_NAMES = {"measured_receptive_field": "effective_reach", "reflect_padding": "mirrored"}
"""Field of Metadata -> its key in weights files. The other fields have the same name in both."""

OPTIONAL = (
    "family",
    "activation_ranges",
    "channel_scales",
    "float_layers",
    "int8_psnr",
)
"""Fields that files have only where they say something."""

MAX_SCALE = 64
MAX_PIXELS = 1 << 16
MAX_NESTING = 200
MAX_NUMBER = 1e30
MAX_NAME = 200
"""Characters of a family's name."""


@dataclass(frozen=True)
class ModelFamily:
    """Networks trained from one another, all of which may be mixed, and where one of them stands.

    denoise: from 0 (it keeps grain and artifacts) to 1 (it removes them); `objective` tells the
    other axis, from faithful to vivid.
    """

    name: str
    denoise: float

    def __post_init__(self) -> None:
        """Raises TypeError or ValueError: the values may come from a file."""
        if not isinstance(self.name, str) or type(self.denoise) not in (int, float):
            raise TypeError("a family of a wrong type")
        if len(self.name) > MAX_NAME:
            raise ValueError(f"a family whose name has more than {MAX_NAME} characters")
        if not self.name or not 0 <= self.denoise <= 1:
            raise ValueError(f"a family {self.name!r} with denoise {self.denoise!r}")

    def __str__(self) -> str:
        return f"{self.name}, denoise {self.denoise:g}"


def parse_family(text: str) -> ModelFamily:
    """`NAME:DENOISE`, such as photo-clean:1. Raises ValueError."""
    name, _, denoise = text.rpartition(":")
    return ModelFamily(name, float(denoise))


@dataclass(frozen=True)
class Metadata:
    """What is known about a network besides its architecture and parameters."""

    scale: int
    objective: str = "unknown"
    """"psnr" (faithful), "gan" (vivid), "blend" or "unknown"."""

    lineage: str = ""
    """An id shared by networks that were fine-tuned from one another; "" if unknown."""

    family: ModelFamily | None = None
    """Declared by the ends of models that --denoise mixes."""

    measured_receptive_field: int | None = None
    """Radius in low-resolution pixels beyond which no 8-bit output value changes, as measured."""

    reflect_padding: int | None = None
    """Low-resolution pixels of reflection padding that suffice at the image's edges, as measured:
    see `measured_field.measure_padding`."""

    activation_ranges: tuple[tuple[float, float], ...] | None = None
    """Least and largest input of each convolution that can run in int8, in forward order."""

    channel_scales: tuple[tuple[float, ...], ...] | None = None
    """What the input channels of each of these convolutions are divided by in int8."""

    float_layers: tuple[int, ...] = ()
    """Which of these convolutions do not run in int8, counted from 0."""

    int8_psnr: float | None = None
    """dB between the output in int8 and in float32, as measured on validation crops."""

    training: dict[str, Any] = field(default_factory=dict)
    """Recipe, options, steps, data, version, validation results."""

    figures: dict[str, Any] = field(default_factory=dict)
    """Benchmark results after training: data set -> {"psnr_y": dB, "ssim_y": ...}."""

    def __post_init__(self) -> None:
        """Raises TypeError or ValueError: the values may come from a file."""
        _check_integer("scale", self.scale, 1, MAX_SCALE)
        if self.measured_receptive_field is not None:
            _check_integer("receptive field", self.measured_receptive_field, 0, MAX_PIXELS)
        if self.reflect_padding is not None:
            _check_integer("reflect padding", self.reflect_padding, 0, MAX_PIXELS)
        texts = isinstance(self.objective, str) and isinstance(self.lineage, str)
        if not (texts and isinstance(self.training, dict) and isinstance(self.figures, dict)):
            raise TypeError("objective, lineage, training or figures of a wrong type")
        if not isinstance(self.family, ModelFamily | None):
            raise TypeError("a family of a wrong type")
        _check_psnr(self.int8_psnr)
        _check_ranges(self.activation_ranges)
        _check_channels(self.channel_scales, self.float_layers)
        _check_figures(self.figures)
        _check_depth(self.training)


def _check_integer(name: str, value: Any, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"a {name} {value!r}, not a whole number from {least} to {most}")


def _check_psnr(psnr: Any) -> None:
    if psnr is not None and not is_finite(psnr):
        raise ValueError(f"a PSNR of int8 of {psnr!r}")


def _check_ranges(ranges: Any) -> None:
    if ranges is None:
        return
    if not _is_rows(ranges) or not all(len(pair) == 2 for pair in ranges):
        raise ValueError("activation ranges that are not pairs of numbers")
    if not all(low <= 0 <= high for low, high in ranges):
        raise ValueError("activation ranges without 0")


def _check_channels(scales: Any, layers: Any) -> None:
    if not (isinstance(layers, tuple) and all(type(n) is int and n >= 0 for n in layers)):
        raise ValueError(f"layers in floats of {layers!r}")
    if scales is None:
        return
    if not _is_rows(scales) or not all(all(row) for row in scales):
        raise ValueError("channel scales that are not numbers other than 0")


def _is_rows(value: Any) -> bool:
    """Whether it is tuples of finite numbers in a tuple."""
    rows = isinstance(value, tuple) and all(isinstance(row, tuple) for row in value)
    return rows and all(is_finite(number) for row in value for number in row)


def is_finite(value: Any) -> bool:
    """Whether it is a finite number that float32 can hold; an int may be too large for a float."""
    return type(value) in (int, float) and abs(value) < MAX_NUMBER


def _check_figures(figures: Mapping[str, Any]) -> None:
    for results in figures.values():
        if not isinstance(results, dict):
            raise TypeError("figures of a wrong type")
        if not all(type(value) is float or is_finite(value) for value in results.values()):
            raise TypeError("figures that are not numbers")


def _check_depth(record: object, most: int = MAX_NESTING) -> None:
    """Raises ValueError for a record that nests deeper than those who show it can go."""
    if most == 0:
        raise ValueError("a training record nested too deeply")
    inner: Iterable[object] = ()
    if isinstance(record, dict):
        inner = record.values()
    elif isinstance(record, list):
        inner = record
    for value in inner:
        _check_depth(value, most - 1)


def without_int8(metadata: Metadata) -> Metadata:
    """For other parameters, or another calibration."""
    return replace(
        metadata,
        activation_ranges=None,
        channel_scales=None,
        float_layers=(),
        int8_psnr=None,
    )


def metadata_to_json(metadata: Metadata) -> dict[str, Any]:
    """The JSON object that weights files hold."""
    return {
        JSON_NAMES.get(name, name): value
        for name, value in asdict(metadata).items()
        if name not in OPTIONAL or value not in (None, ())
    }


def metadata_from_json(record: Mapping[str, Any]) -> Metadata:
    """The inverse of `metadata_to_json`; unknown keys are ignored. Raises TypeError, ValueError."""
    keys = {one.name: JSON_NAMES.get(one.name, one.name) for one in fields(Metadata)}
    values = {name: record[key] for name, key in keys.items() if key in record}
    for name in ("activation_ranges", "channel_scales", "float_layers"):
        if isinstance(rows := values.get(name), list):
            values[name] = tuple(tuple(row) if isinstance(row, list) else row for row in rows)
    if isinstance(family := values.get("family"), dict):
        values["family"] = ModelFamily(family.get("name", ""), family.get("denoise", 0))
    return Metadata(**values)


def blend_metadata(parts: Sequence[Metadata], shares: Sequence[float]) -> Metadata:
    """Metadata of a blend. The benchmark results of its parts do not hold for it."""
    lineages = {part.lineage for part in parts}
    sources = [
        {"share": share, "objective": part.objective, "training": part.training}
        for part, share in zip(parts, shares, strict=True)
    ]
    return Metadata(
        scale=parts[0].scale,
        objective="blend",
        lineage=lineages.pop() if len(lineages) == 1 else "",
        family=_blend_family([part.family for part in parts], shares),
        measured_receptive_field=_max_known([part.measured_receptive_field for part in parts]),
        reflect_padding=_max_known([part.reflect_padding for part in parts]),
        training={"blend": sources},
    )


def _blend_family(
    families: Sequence[ModelFamily | None], shares: Sequence[float]
) -> ModelFamily | None:
    """Their family with the mean of `denoise`; None unless all are of one family."""
    known = [family for family in families if family is not None]
    if len(known) < len(families) or len({family.name for family in known}) > 1:
        return None
    total = sum(one.denoise * share for one, share in zip(known, shares, strict=True))
    return ModelFamily(known[0].name, min(1.0, max(0.0, round(total, 6))))


def _max_known(pixels: Sequence[int | None]) -> int | None:
    """The maximum; None if one of them is not known."""
    known = [number for number in pixels if number is not None]
    return max(known) if len(known) == len(pixels) else None

"""What a model card needs of two ends and the blends between them.

python benchmarks/model_card.py VAL -w PSNR -w GAN [--vgg FILE[:LAYERS]] [--json FILE]

VAL holds originals; low images are made by MATLAB's bicubic. Instead of two files, -m NAME takes
a shipped model with two ends; a single file is measured alone. Everything runs in float32 on one
thread. Beside the blends stand the originals themselves and bicubic.

  shift   the largest mean difference, of any channel of any image, between the blocks of the
          output and the pixels of the low image that they came of; and the largest one anywhere
          after a Gaussian (sigma 8 low pixels), in levels
  grid    power at the frequencies of period 2 and 4 over the power around them, about 1 where there
          is no grid; and its height, a standard deviation in levels
  dots    the height, in levels, of what changes with the grid's finest period along single rows and
          columns, that which one piece of 64 pixels in a thousand passes
  flat    standard deviation, in levels, where the low image is flat before it is spoiled: the
          mean, and what one block in a hundred passes

--spoil blurs, adds noise and compresses the low images, always in the same way (see SPOILED):
for models that are to put up with that.
"""

import argparse
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from artifacts import Grid, Shift, color_shift, dots, flat_blocks, grid, roughness

from srgan_cli.device import pick_device
from srgan_cli.errors import SrganError
from srgan_cli.evaluation.comparison import ALPHAS, ORIGINAL
from srgan_cli.evaluation.measure import ImagePair, LoadedPair, figures, pair_up, read_pair
from srgan_cli.evaluation.methods import Method, build_methods, scale_of
from srgan_cli.images.image import Image
from srgan_cli.metrics import FIDELITY, Metric, feature_metric, levels
from srgan_cli.networks.vgg import VGG, available_layers
from srgan_cli.settings import MethodOptions
from srgan_cli.training.degradation import Degradation, apply
from srgan_cli.training.feature_extractors import (
    METRIC_LAYERS,
    FeatureExtractor,
    LoadedVgg,
    load_vggs,
)
from srgan_cli.training.train_options import VggFile

DEGRADATION = Degradation(
    blur=1.0,
    sigma=(0.3, 1.2),
    factor=(1.0, 1.0),
    noise=1.0,
    gaussian=(1.0, 8.0),
    poisson=(0.1, 0.7),  # the same levels as the Gaussian's where an image is half bright
    compression=1.0,
    quality=(50, 92),
)

MEAN_LIMIT, LOCAL_LIMIT = 0.5, 2.0
"""Levels that colors may shift by."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One image by one method. flat: a standard deviation for each flat block."""

    picture: str
    shift: Shift
    grid: Grid
    dots: float
    flat: np.ndarray
    figures: Mapping[str, float]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        rough = float(self.flat.mean()) if self.flat.size else None
        results = {"shift": asdict(self.shift), "grid": asdict(self.grid), "dots": self.dots}
        return {**self.figures, **results, "flat": rough}


def main() -> None:
    given = _parse()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        metrics = [*FIDELITY[:2], *_by_vgg(given.vgg)]
        blends = ALPHAS if given.model or len(given.weights) == 2 else ()
        ways = build_methods(MethodOptions(tuple(given.model), tuple(given.weights), blends))
        pairs = spread(pair_up(given.val).pairs, given.pictures)
        results = _measured(pairs, ways, metrics, given.spoil)
    except SrganError as error:
        raise SystemExit(f"Error: {error}") from error
    scores = {name: summary(rows) for name, rows in results.items()}
    print("\n".join([*table(scores), *_verdicts(results), *curves(scores, metrics, ways)]))
    if given.json:
        each = {name: {one.picture: one.record() for one in rows} for name, rows in results.items()}
        stored = {"spoiled": given.spoil, "means": scores, "pictures": each}
        given.json.write_text(json.dumps(stored, indent=1) + "\n")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("val", metavar="VAL", type=Path)
    parser.add_argument("-w", "--weights", type=Path, action="append", default=[])
    parser.add_argument("-m", "--model", action="append", default=[])
    parser.add_argument("--vgg", metavar="FILE[:LAYERS]", action="append", default=[])
    parser.add_argument("--spoil", action="store_true")
    parser.add_argument("--pictures", metavar="N", type=int, help="Evenly spread over VAL.")
    parser.add_argument("--json", metavar="FILE", type=Path)
    given = parser.parse_args()
    if (len(given.model), len(given.weights)) not in {(1, 0), (0, 1), (0, 2)}:
        parser.error("give one model, or one or two weights files")
    return given


def spread(pairs: Sequence[ImagePair], count: int | None) -> list[ImagePair]:
    """`count` of them, evenly spread; all if None."""
    places = np.linspace(0, len(pairs), min(count or len(pairs), len(pairs)), endpoint=False)
    return [pairs[int(to_batch)] for to_batch in places]


def _by_vgg(files: Sequence[str]) -> list[Metric]:
    """At the layers that are named for a file, else at the usual ones that it has."""
    vggs = load_vggs([VggFile.parse(text) for text in files])
    networks = {vgg.name: VGG(vgg.state, _layers(vgg), after_relu=True) for vgg in vggs}
    return [feature_metric(FeatureExtractor(networks, pick_device("auto")))] if networks else []


def _layers(vgg: LoadedVgg) -> Sequence[str]:
    return list(vgg.layers) or [
        layer for layer in METRIC_LAYERS if layer in available_layers(vgg.state)
    ]


def _measured(
    pairs: Sequence[ImagePair], ways: Sequence[Method], metrics: Sequence[Metric], spoil: bool
) -> dict[str, list[Seen]]:
    """By method, image by image; one image at a time is in memory."""
    results: dict[str, list[Seen]] = {ORIGINAL: [], **{way.name: [] for way in ways}}
    for pair in pairs:
        example = read_pair(pair, scale_of(ways))
        flat = flat_blocks(example.low_res.pixels)
        shown = (
            replace(example, low_res=spoiled(example.low_res, pair.high_res.name))
            if spoil
            else example
        )
        for name, output in _pictures(shown, ways):
            taken = {}
            if name != ORIGINAL:
                taken = figures(output, shown.high_res, metrics, shown.scale)
            results[name].append(look(pair.high_res.name, output, shown, flat, taken))
    return results


def _pictures(example: LoadedPair, ways: Sequence[Method]) -> Iterator[tuple[str, Image]]:
    yield ORIGINAL, example.high_res
    for way in ways:
        yield way.name, way.upscale(example.low_res, example.scale)


def spoiled(low_res: Image, name: str) -> Image:
    """Blurred, noisy, compressed; how much depends on the file's name alone."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    pixels = np.broadcast_to(levels(low_res.pixels), (*low_res.pixels.shape[:2], 3)).astype(
        np.float32
    )
    done = apply(DEGRADATION, pixels, low_res.pixels.shape[:2], rng)
    return replace(low_res, pixels=done.astype(np.uint8))


def look(
    picture: str, output: Image, example: LoadedPair, flat: np.ndarray, taken: Mapping[str, float]
) -> Seen:
    ours, scale = output.pixels, example.scale
    shift = color_shift(ours, example.low_res.pixels)
    rough = roughness(ours, flat, scale)
    return Seen(picture, shift, grid(ours, scale), dots(ours, scale), rough, taken)


def summary(rows: Sequence[Seen]) -> dict[str, float]:
    """Over the images: means, the geometric mean of the grid, and the worst shift of color."""
    grids = [one.grid for one in rows]
    strength = {
        f"grid_{period}": float(np.exp(np.mean([np.log(one.strength[period]) for one in grids])))
        for period in grids[0].strength
    }
    return {
        **{key: float(np.mean([one.figures[key] for one in rows])) for key in rows[0].figures},
        "shift": max((mean for one in rows for mean in one.shift.mean), key=abs),
        "shift_local": max(one.shift.local for one in rows),
        **strength,
        "grid_height": float(np.mean([one.height for one in grids])),
        "dots": float(np.mean([one.dots for one in rows])),
        **_rough(np.concatenate([one.flat for one in rows])),
    }


def _rough(flat: np.ndarray) -> dict[str, float]:
    if not flat.size:
        return {}
    return {"flat": float(flat.mean()), "flat_99": float(np.percentile(flat, 99))}


def table(scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    """In Markdown."""
    keys = [*list(scores.values())[-1]]  # not an original's: it is not compared with itself
    lines = [["", *keys], ["---", *("---:" for _ in keys)]]
    for name, score in scores.items():
        lines.append([name, *(f"{score[key]:.3f}" if key in score else "" for key in keys)])
    return [f"| {' | '.join(line)} |" for line in lines]


def _verdicts(results: Mapping[str, Sequence[Seen]]) -> list[str]:
    """Which images' colors shift further than they may."""
    return [
        f"{name}: {one.picture} shifts by {np.round(one.shift.mean, 2)}, "
        f"locally by {one.shift.local:.2f}"
        for name, rows in results.items()
        for one in rows
        if max(map(abs, one.shift.mean)) > MEAN_LIMIT or one.shift.local > LOCAL_LIMIT
    ]


def curves(
    scores: Mapping[str, Mapping[str, float]], metrics: Sequence[Metric], ways: Sequence[Method]
) -> list[str]:
    """For each metric, whether the blends go one way from the faithful to the vivid end."""
    blends = [scores[way.name] for way in ways[1:]]
    if len(blends) < 2:
        return []
    return [f"{one.label}: {course([score[one.key] for score in blends])}" for one in metrics]


def course(values: Sequence[float]) -> str:
    """Four digits count: what float32 leaves below them is no change."""
    told = " ".join(f"{value:.4f}" for value in values)
    steps = [round(after - before, 4) for before, after in pairwise(values)]
    ways = {step > 0 for step in steps if step}
    return f"{told} ({'monotone' if len(ways) < 2 else 'not monotone'})"


if __name__ == "__main__":
    main()

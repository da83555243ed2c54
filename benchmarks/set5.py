"""README's table of quality: python benchmarks/set5.py SET5 [--weights FOLDER] [--vgg FILE]

SET5 has the folders high and low, of one scale. Every network of that scale in FOLDER is measured
in float32, on Y, with a border of the scale cropped.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from srgan_cli.cli.comparison_options import ExtraMetrics, metrics_of
from srgan_cli.evaluation.measure import (
    ImageMeasurements,
    ImagePair,
    Measurement,
    means,
    measure_all,
    pair_up,
    read_pair,
)
from srgan_cli.evaluation.methods import SCALE, Method, build_methods
from srgan_cli.metrics import FIDELITY, Metric
from srgan_cli.settings import MethodOptions


def main() -> None:
    arguments = _parse()
    pairs = pair_up(arguments.set5 / "high", arguments.set5 / "low").pairs
    scale = read_pair(pairs[0], SCALE).scale
    metrics = metrics_of(ExtraMetrics(arguments.vgg), "cpu", FIDELITY[:2])
    methods = _of_scale(arguments.weights, scale)
    print(table(_measured(pairs, methods, metrics, scale), metrics))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set5", metavar="SET5", type=Path)
    parser.add_argument("--weights", type=Path, default=Path(__file__).parent.parent / "weights")
    parser.add_argument("--vgg", type=Path)
    return parser.parse_args()


def _of_scale(folder: Path, scale: int) -> list[Method]:
    files = tuple(sorted(folder.glob("*.safetensors")))
    methods = build_methods(MethodOptions(models=("bicubic",), files=files))
    return [method for method in methods if method.scale in (None, scale)]


def _measured(
    pairs: Sequence[ImagePair], methods: Sequence[Method], metrics: Sequence[Metric], scale: int
) -> tuple[Measurement, ...]:
    results = list(measure_all(pairs, methods, metrics, scale))
    judged = [result for result in results if isinstance(result, ImageMeasurements)]
    if len(judged) < len(results):
        raise SystemExit(
            "\n".join(str(one) for one in results if not isinstance(one, ImageMeasurements))
        )
    return means(judged)


def table(scores: Sequence[Measurement], metrics: Sequence[Metric]) -> str:
    """In Markdown."""
    labels = [metric.label for metric in metrics]
    lines = [["network", *labels], ["---", *("---:" for _ in labels)]]
    for score in scores:
        figures = [f"{score.figures[metric.key]:.{metric.digits}f}" for metric in metrics]
        lines.append([score.method, *figures])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()

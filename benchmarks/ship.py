"""Makes of a trained network the file that we ship: float16, its figures in the header.

python benchmarks/ship.py RUN/psnr.safetensors weights/NAME.safetensors --set5 SET5 --val VAL

Of a GAN stage RUN keeps the network whose features are nearest; --checkpoint takes the last one,
the running average in RUN/checkpoint-gan-STEPS.pt, in its place.

SET5 has the folders high and low of one scale; VAL's low images are made by MATLAB's bicubic.
A network that `srgan train` made by the recipe clean or photo declares its place in the family that
--denoise mixes; --family photo-clean:0, or :1, declares it for those of earlier versions.

Figures are taken of the to_half network, in float32, on Y, with a border of the scale cropped.
int8 is measured on the crops of VAL with which `srgan train` validates, by the network's recipe.
With one of weights' files as both RUN's and the target that is measured anew.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from srgan_cli.evaluation.measure import (
    ImageMeasurements,
    ImagePair,
    list_images,
    means,
    measure_all,
    pair_up,
)
from srgan_cli.evaluation.methods import network_method
from srgan_cli.images.read import read_image
from srgan_cli.metrics import FIDELITY
from srgan_cli.networks.fast import Fast
from srgan_cli.settings import FLOAT32_MACHINE
from srgan_cli.training.data import Source, downsample_function
from srgan_cli.training.recipes import RECIPES
from srgan_cli.training.run_folder import load_state
from srgan_cli.training.validation import center_samples
from srgan_cli.weights.activation_ranges import measure_int8
from srgan_cli.weights.container import Weights, read_weights, to_half, write_weights
from srgan_cli.weights.loading import load_generator
from srgan_cli.weights.measured_field import complete_metadata
from srgan_cli.weights.metadata import parse_family
from srgan_cli.weights.selection import SelectedModel


def main() -> None:
    arguments = _parse()
    weights = complete_metadata(to_half(_trained(arguments)), print)
    if arguments.mirror_whole:
        weights = replace(weights, metadata=replace(weights.metadata, reflect_padding=None))
    sets = {
        "set5": pair_up(arguments.set5 / "high", arguments.set5 / "low").pairs,
        "val": pair_up(arguments.val).pairs,
    }
    figures = {name: _figures(weights, pairs) for name, pairs in sets.items()}
    told = {"command": arguments.command, "note": arguments.note}
    record = weights.metadata.training | {name: text for name, text in told.items() if text}
    family = arguments.family or weights.metadata.family
    metadata = replace(weights.metadata, figures=figures, training=record, family=family)
    weights = replace(weights, metadata=metadata)
    if isinstance(load_generator(weights), Fast):
        weights = measure_int8(weights, _validation_inputs(arguments.val, weights))
    write_weights(weights, arguments.target)
    print(f"int8: {weights.metadata.int8_psnr} dB from float32")
    for name, row in figures.items():
        print(name, " ".join(f"{key} {value:.4f}" for key, value in row.items()))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--set5", type=Path, required=True)
    parser.add_argument("--val", type=Path, required=True)
    parser.add_argument(
        "--mirror-whole",
        action="store_true",
        help="Mirror by the whole reach: for a network whose plain colors bfloat16 spoils.",
    )
    parser.add_argument("--command", help="What the record shall say in place of its command.")
    parser.add_argument("--note", help="What the record shall say besides.")
    parser.add_argument("--family", type=parse_family, help="NAME:DENOISE, to be declared.")
    return parser.parse_args()


def _trained(arguments: argparse.Namespace) -> Weights:
    weights = read_weights(arguments.source)
    if arguments.checkpoint is None:
        return weights
    last, record = load_state(arguments.checkpoint), dict(weights.metadata.training)
    del record["validation"]  # of the network that is not taken
    record |= {"steps": last.step, "seconds": round(last.seconds), "skipped": last.skipped}
    unknown = replace(
        weights.metadata, training=record, reflect_padding=None, measured_receptive_field=None
    )
    return replace(weights, state=last.average, metadata=unknown)


def _validation_inputs(folder: Path, weights: Weights) -> list[Tensor]:
    source = Source([read_image(path).pixels for path in list_images(folder)])
    downsample = downsample_function(RECIPES[weights.metadata.training["recipe"]])
    samples = center_samples(source, weights.metadata.scale, downsample)
    return [sample.low_res for sample in samples]


def _figures(weights: Weights, pairs: Sequence[ImagePair]) -> dict[str, float]:
    scale = weights.metadata.scale
    way = network_method(SelectedModel("ours", {scale: weights}), FLOAT32_MACHINE)
    results = list(measure_all(pairs, [way], FIDELITY, scale))
    judged = [one for one in results if isinstance(one, ImageMeasurements)]
    failures = [str(one) for one in results if not isinstance(one, ImageMeasurements)]
    if failures:
        raise SystemExit("\n".join(failures))
    return {key: round(value, 4) for key, value in means(judged)[0].figures.items()}


if __name__ == "__main__":
    main()

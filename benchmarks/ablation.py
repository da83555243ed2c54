"""Two claims of the ESRGAN paper, each as two short trainings that differ in one thing.

python benchmarks/ablation.py FOLDER --from PSNR.safetensors --vgg FILE:conv5_1=1 -o OUT

Features before activation keep the brightness that features after it lose, which is said of deep
layers, where few are active; BatchNorm leaves artifacts. Prints the signed brightness error of
each, and draws OUT/ablation.png.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from srgan_cli.device import pick_device
from srgan_cli.figures import Cell, Row, sheet
from srgan_cli.images.image import crop_center
from srgan_cli.images.write import write_image
from srgan_cli.training.builder import TrainRun, build_trainer
from srgan_cli.training.callbacks import NoCallback
from srgan_cli.training.data import load_data
from srgan_cli.training.degradation import bicubic_downsample
from srgan_cli.training.distributed import ProcessGroup
from srgan_cli.training.feature_extractors import load_vggs
from srgan_cli.training.initial_weights import weights_file
from srgan_cli.training.loss_terms import PerceptualTerm
from srgan_cli.training.recipes import RECIPES, Recipe
from srgan_cli.training.stages import Stage
from srgan_cli.training.train_options import TrainOptions
from srgan_cli.training.validation import FEATURE_SIDE, Sample, ValidationResult, center_samples
from srgan_cli.weights.container import read_weights, write_weights


def perceptual(after_relu: bool) -> Recipe:
    """Our GAN stage led by the features alone."""
    clean = RECIPES["clean"]
    stage = clean.stages[1]
    (term,) = (term for term in stage.losses if isinstance(term, PerceptualTerm))
    losses = (replace(term, after_relu=after_relu),)
    return replace(clean, stages=(replace(stage, losses=losses),))


def residual(norm: bool) -> Recipe:
    """A small SRResNet from random numbers, L1."""
    sizes = {"blocks": 4, "features": 32, "norm": norm}
    return replace(RECIPES["srresnet"], hyperparameters=sizes, stages=(Stage(steps=1, lr=1e-3),))


VARIANTS = {
    "features before activation": perceptual(after_relu=False),
    "features after activation": perceptual(after_relu=True),
    "without BatchNorm": residual(norm=False),
    "with BatchNorm": residual(norm=True),
}


def trained(
    name: str, recipe: Recipe, given: argparse.Namespace
) -> tuple[list[Sample], ValidationResult]:
    """Train one variant, and what it makes of the held-out images."""
    (stage,) = recipe.stages
    start = given.start if stage.end == "gan" else None
    options = TrainOptions(
        folders=(given.folder,),
        out=given.out / name.replace(" ", "-"),
        stages=stage.end,
        steps=given.steps,
        start=start,
        batch_size=given.batch_size,
        vgg=tuple(given.vgg) if start else (),
    )
    options.out.mkdir(parents=True)
    if start:
        write_weights(read_weights(start), weights_file(options.out, "psnr"))
    data, vggs = load_data(options, recipe), load_vggs(options.vgg_files())
    run = TrainRun(
        options, recipe, data, vggs, pick_device("auto"), ProcessGroup(), NoCallback(), "ablation"
    )
    trainer = build_trainer(run, run.stages[0])
    trainer.train()
    samples = center_samples(data.validation, options.scale, bicubic_downsample)
    return samples, trainer.validate(trainer.average)


def brightness_error(samples: list[Sample], made: ValidationResult) -> float:
    """The mean over images of the mean signed difference, in levels."""
    pairs = zip(made.images, samples, strict=True)
    return float(np.mean([ours.mean() - sample.high_res.mean() for ours, sample in pairs]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("folder", type=Path)
    parser.add_argument("--from", dest="start", type=Path, required=True)
    parser.add_argument("--vgg", action="append", required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch-size", type=int, default=4)
    given = parser.parse_args()
    cells = []
    for name, recipe in VARIANTS.items():
        samples, made = trained(name, recipe, given)
        note = f"brightness {brightness_error(samples, made):+.2f} levels, {made.score.psnr:.2f} dB"
        print(f"{name}: {note}")
        cells.append(Cell(crop_center(made.images[0], FEATURE_SIDE), name, note))
    cells.append(Cell(crop_center(samples[0].high_res, FEATURE_SIDE), "original"))
    write_image(sheet([Row(tuple(cells))]), given.out / "ablation.png")


if __name__ == "__main__":
    main()

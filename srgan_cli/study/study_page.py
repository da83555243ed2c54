"""A blind study of opinions on one page: people rate images without knowing which method made them.

As in section 3.2 of the SRGAN paper: one image at a time, from 1 (bad) to 5 (excellent), in an
order of its own for each rater, after examples of both ends of the scale.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from srgan_cli.errors import DatasetError
from srgan_cli.figures.html_page import encode_images, fill_template
from srgan_cli.folders import distinct_names, image_name, scan_folder
from srgan_cli.images.formats import input_suffixes
from srgan_cli.images.image import Image, Pixels, crop_center
from srgan_cli.images.read import read_image

PAGE_LIMIT = 28_000_000  # bytes: opens at once, and can be sent to the raters
SIDE = 512  # pixels: what fits on a screen without being made smaller
EXAMPLES = 2
BLOCK = 4  # a bad example has squares of so many pixels; nearest neighbors, as in the paper
TITLE = "How good are these images?"
MAX_NAMES = 5  # mismatches that a message lists


@dataclass(frozen=True, eq=False)
class StudyImage:
    """One image to be rated. name: the same for every method."""

    method: str
    name: str
    image: Image


@dataclass(frozen=True, eq=False)
class QualityExample:
    """Both ends of the scale, of one image."""

    bad: Image
    good: Image


@dataclass(frozen=True, eq=False)
class Study:
    methods: tuple[str, ...]
    images: tuple[str, ...]
    trials: tuple[StudyImage, ...]
    examples: tuple[QualityExample, ...]


@dataclass(frozen=True)
class StudyPage:
    """coding: how the images are encoded, as a message names it."""

    html: str
    coding: str


def read_study(folders: Sequence[Path], examples: Path | None = None, side: int = SIDE) -> Study:
    """examples: a folder of perfect images, best not those of the study; its first two are taken.

    Without it the first two images of the study are, made four times smaller: that small, every
    method's result is sharp. Images larger than `side` are cut to
    their middle. Raises DatasetError where folders do not match.
    """
    methods = match_folders(folders)
    first = next(iter(methods.values()))
    images = tuple(first)
    trials = [
        trial
        for name in images
        for trial in _trials(name, {method: files[name] for method, files in methods.items()}, side)
    ]
    perfect = _perfect(examples, first)
    return Study(
        methods=tuple(methods),
        images=images,
        trials=tuple(trials),
        examples=tuple(_example(image, side) for image in perfect),
    )


def study_page(study: Study) -> StudyPage:
    """Self-contained HTML. Images of more than PAGE_LIMIT characters become JPEG."""
    ends = [image for example in study.examples for image in (example.bad, example.good)]
    encoded = encode_images([*ends, *(trial.image for trial in study.trials)], PAGE_LIMIT)
    example_urls, trial_urls = encoded.urls[: len(ends)], encoded.urls[len(ends) :]
    data = {
        "methods": study.methods,
        "pictures": study.images,
        "trials": [
            {"method": trial.method, "picture": trial.name, "url": url}
            for trial, url in zip(study.trials, trial_urls, strict=True)
        ],
        "examples": [
            {"bad": bad, "excellent": good}
            for bad, good in zip(example_urls[::2], example_urls[1::2], strict=True)
        ],
    }
    identity = hashlib.sha256(json.dumps(data).encode()).hexdigest()[:16]
    return StudyPage(
        fill_template("study", TITLE, {"id": identity, **data}, "srgan_cli.study"), encoded.coding
    )


def _trials(name: str, files: Mapping[str, Path], side: int) -> list[StudyImage]:
    """One image by every method. Raises DatasetError unless all are of one size."""
    images = {method: read_image(file) for method, file in files.items()}
    sizes = {method: f"{image.width} x {image.height}" for method, image in images.items()}
    if len(set(sizes.values())) > 1:
        seen = ", ".join(f"{size} in {method}" for method, size in sizes.items())
        raise DatasetError(f"{name} differs in size: {seen}; make them equal")
    return [StudyImage(method, name, _middle(image, side)) for method, image in images.items()]


def _perfect(folder: Path | None, own: Mapping[str, Path]) -> list[Image]:
    files = list((images_by_name(folder) if folder else own).values())[:EXAMPLES]
    images = [read_image(file) for file in files]
    return images if folder else [_downscaled(image) for image in images]


def _example(image: Image, side: int) -> QualityExample:
    good = _middle(image, side)
    squares = _block_means(good.pixels).repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)
    bad = squares[: good.height, : good.width]
    return QualityExample(Image(bad, good.alpha, good.icc_profile), good)


def _middle(image: Image, side: int) -> Image:
    """The center, at most `side` pixels each way; a copy, so that the large image is freed."""
    alpha = None if image.alpha is None else crop_center(image.alpha, side).copy()
    return Image(crop_center(image.pixels, side).copy(), alpha, image.icc_profile)


def _downscaled(image: Image) -> Image:
    alpha = None if image.alpha is None else _block_means(image.alpha[..., None])[..., 0]
    return Image(_block_means(image.pixels), alpha, image.icc_profile)


def _block_means(pixels: Pixels) -> Pixels:
    """(H, W, C) -> (ceil(H / BLOCK), ceil(W / BLOCK), C), of the same type."""
    height, width, channels = pixels.shape
    whole = np.pad(pixels, ((0, -height % BLOCK), (0, -width % BLOCK), (0, 0)), mode="edge")
    blocks = whole.reshape(-(-height // BLOCK), BLOCK, -(-width // BLOCK), BLOCK, channels)
    means: Pixels = np.rint(blocks.mean(axis=(1, 3))).astype(pixels.dtype)
    return means


def match_folders(folders: Sequence[Path]) -> dict[str, dict[str, Path]]:
    """Name of the method of each folder -> name of the image -> its file, by the images' names.

    An image's name is its file's without suffix and without the _x4 that upscaling appends.
    Raises DatasetError naming every image that one of the folders lacks.
    """
    names = _method_names(folders)
    found = [images_by_name(folder) for folder in folders]
    all_names = sorted(set().union(*found))
    missing = [
        f"{name} in {folder}"
        for folder, files in zip(folders, found, strict=True)
        for name in all_names
        if name not in files
    ]
    if missing:
        raise DatasetError(
            f"missing: {_summarize(missing)}; give every folder the same images and names"
        )
    return {
        name: {image: files[image] for image in all_names}
        for name, files in zip(names, found, strict=True)
    }


def images_by_name(folder: Path) -> dict[str, Path]:
    """Name -> file, sorted. Raises DatasetError if there is none, or two of a name."""
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder; a study takes one folder for each method")
    files = scan_folder(folder, input_suffixes()).images
    counts = Counter(map(image_name, files))
    double = [name for name, count in counts.items() if count > 1]
    if double:
        raise DatasetError(
            f"{folder}: several files are called {_summarize(double)}; keep one each"
        )
    if not files:
        raise DatasetError(f"{folder} has no images in it")
    return {image_name(file): file for file in files}


def _method_names(folders: Sequence[Path]) -> list[str]:
    """Raises DatasetError for a folder that is there twice."""
    names = distinct_names([folder.resolve() for folder in folders])
    for name, count in Counter(names).items():
        if count > 1:
            raise DatasetError(f"{name} is there twice: no two methods may have the same name")
    return names


def _summarize(things: Sequence[str]) -> str:
    more = len(things) - MAX_NAMES
    return ", ".join(things[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")

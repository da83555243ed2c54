"""Which low image belongs to which high one, and figures of methods on them."""

from pathlib import Path

import numpy as np
import pytest
from helpers import noise, save

from srgan_cli.errors import ImageError
from srgan_cli.evaluation.measure import (
    Failure,
    ImageMeasurements,
    ImagePair,
    MatchedImages,
    downscale,
    means,
    measure,
    measure_all,
    pair_up,
    read_pair,
)
from srgan_cli.evaluation.methods import Method, bicubic
from srgan_cli.images.image import Image
from srgan_cli.metrics import FIDELITY


def test_a_file_stands_for_itself(tmp_path: Path) -> None:
    assert pair_up(tmp_path / "a.png") == MatchedImages((ImagePair(tmp_path / "a.png"),))
    both = pair_up(tmp_path / "a.png", tmp_path / "b.png")
    assert both == MatchedImages((ImagePair(tmp_path / "a.png", tmp_path / "b.png"),))


def test_folders_are_matched_by_name_with_or_without_the_scale(tmp_path: Path) -> None:
    a, b = save(tmp_path / "high", "a.png", "b_1.png")
    low_a, low_b = save(tmp_path / "low", "ax4.png", "b_1_x4.webp")

    assert pair_up(tmp_path / "high", tmp_path / "low").pairs == (
        ImagePair(a, low_a),
        ImagePair(b, low_b),
    )


@pytest.mark.parametrize(
    ("image", "reason", "line"),
    [
        ("in", "in: is a folder", "in: is a folder"),
        ("a.png", "photos/a.png: no such file", "a.png: no such file"),
        ("photos/a.png", "photos/a.png: no such file", "photos/a.png: no such file"),
        ("a.png", "too small", "a.png: too small"),
        ("a.png", "other/b.png: no such file", "a.png: other/b.png: no such file"),
        ("a.png", "not in/ba.png: it fails", "a.png: not in/ba.png: it fails"),
        ("\x1b.png", "in/\\x1b.png: damaged", "\\x1b.png: damaged"),
    ],
)
def test_a_failure_names_its_image_once(image: str, reason: str, line: str) -> None:
    assert Failure(image, reason).line == line


def test_images_without_a_counterpart_are_failures(tmp_path: Path) -> None:
    save(tmp_path / "high", "a.png", "lonely.png")
    save(tmp_path / "low", "a.png", "spare.png")

    pairing = pair_up(tmp_path / "high", tmp_path / "low")

    assert [failure.name for failure in pairing.failures] == ["lonely.png", "spare.png"]
    assert len(pairing.pairs) == 1


def test_a_folder_without_images_says_so(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="has no images"):
        pair_up(tmp_path)


def test_a_high_image_is_cropped_at_the_bottom_right() -> None:
    example = downscale(noise(33, 26), 4)

    assert (example.low_res.height, example.low_res.width) == (8, 6)
    assert np.array_equal(example.high_res.pixels, noise(33, 26).pixels[:32, :24])


def test_sizes_tell_the_scale(tmp_path: Path) -> None:
    (high_res,) = save(tmp_path, "high.png", height=33, width=25)
    (low_res,) = save(tmp_path, "low.png", height=16, width=12)

    example = read_pair(ImagePair(high_res, low_res), scale=4)

    assert (example.scale, example.high_res.height, example.high_res.width) == (2, 32, 24)


@pytest.mark.parametrize("size", [(16, 11), (17, 12), (40, 30)])
def test_sizes_that_do_not_fit_are_named(tmp_path: Path, size: tuple[int, int]) -> None:
    (high_res,) = save(tmp_path, "high.png", height=33, width=25)
    (low_res,) = save(tmp_path, "low.png", height=size[0], width=size[1])

    with pytest.raises(ImageError, match="25 x 33, which is no multiple"):
        read_pair(ImagePair(high_res, low_res), scale=4)


def perfect(example_high: Image) -> Method:
    return Method("perfect", lambda low_res, scale: example_high)


def test_figures_are_of_what_a_method_makes_within_the_border() -> None:
    example = downscale(noise(96, 96), 4)
    spoiled = example.high_res.pixels.copy()
    spoiled[:4] = 0

    score = measure(example, [perfect(Image(spoiled))], FIDELITY)[0]

    assert score.figures["psnr_y"] == np.inf
    assert score.figures["ssim_rgb"] == pytest.approx(1)
    assert measure(example, [perfect(Image(spoiled))], FIDELITY, border=0)[0].figures["psnr_y"] < 30


def test_one_bad_image_is_named_and_the_rest_measured(tmp_path: Path) -> None:
    good, other = save(tmp_path, "a.png", "b.png", height=64, width=64)
    bad = tmp_path / "text.png"
    bad.write_text("not an image")
    pairs = [ImagePair(good), ImagePair(bad), ImagePair(other)]

    first, failure, last = measure_all(pairs, [bicubic()], FIDELITY, scale=2)

    assert isinstance(failure, Failure)
    assert failure.name == "text.png"
    assert isinstance(first, ImageMeasurements)
    assert isinstance(last, ImageMeasurements)


def test_means_are_taken_method_by_method(tmp_path: Path) -> None:
    paths = save(tmp_path, "a.png", "b.png", height=64, width=64)
    measured = list(measure_all([ImagePair(p) for p in paths], [bicubic()], FIDELITY, scale=2))

    (mean,) = means([one for one in measured if isinstance(one, ImageMeasurements)])

    figures = [
        one.scores[0].figures["psnr_y"] for one in measured if isinstance(one, ImageMeasurements)
    ]
    assert mean.figures["psnr_y"] == pytest.approx(sum(figures) / 2)
    assert means([]) == ()


def test_an_error_that_nobody_foresaw_is_the_failure_of_its_image(tmp_path: Path) -> None:
    def broken(image: Image, scale: int) -> Image:
        raise TypeError("of a codec")

    (high_res,) = save(tmp_path, "a.png")
    (failure,) = measure_all([ImagePair(high_res)], [Method("broken", broken)], FIDELITY, scale=2)
    assert isinstance(failure, Failure)
    assert failure.name == "a.png"
    assert "TypeError: of a codec" in failure.reason

"""What a run would do."""

from functools import partial
from pathlib import Path

import torch
from training_helpers import save_image

from srgan_cli.training.dry_run import describe_run
from srgan_cli.training.train_run import check


def test_a_plan_says_it_all(make) -> None:
    options = make(stages="both", steps=1000)
    text = "\n".join(describe_run(options, check(options)))
    for expected in (
        "recipe clean",
        "images: 4 images can be used",
        "stage psnr: 800 steps of 2 patches, 16 pixels (8 low-resolution)",
        "stage gan: 200 steps",
        "l1 x 1 to the original, features before activation (l1) x 0.4 to the original, of",
        "conv2_2 x 0.5, conv3_1 x 1",
        "vanilla GAN x 0.01, real is the original",
        "discriminator: unet, ",
        "memory: about",
        "validation features: ",
        "tiny.safetensors: conv1_2, conv2_1",
    ):
        assert expected in text
    assert "color augmentation: 30% of the patches" in text
    assert not options.out.exists()


def test_a_plan_of_fp16_whose_first_steps_overflow(make, run, tmp_path: Path, monkeypatch) -> None:
    """The gradient scaler begins at a factor that the first steps are too steep for."""
    run(make(steps=1))
    start = tmp_path / "run" / "psnr.safetensors"
    options = make(stages="gan", start=start, out=tmp_path / "gan", blocks=None, precision="fp16")
    scaler = torch.amp.GradScaler
    monkeypatch.setattr(torch.amp, "GradScaler", partial(scaler, init_scale=2.0**100))
    text = "\n".join(describe_run(options, check(options)))
    assert "computing in float16" in text
    assert "s a step on random images" in text


def test_a_plan_of_the_int8_stage(make, run, tmp_path: Path) -> None:
    run(make(steps=1))
    start = tmp_path / "run" / "psnr.safetensors"
    options = make(
        stages="int8", start=start, out=tmp_path / "second", precision="auto", blocks=None, vgg=()
    )
    text = "\n".join(describe_run(options, check(options)))
    assert "stage int8: 6 steps of 2 patches" in text
    assert "mse x 10000 to the start" in text
    assert "computing in float32" in text
    assert "color" not in text
    assert "time: about" in text


def test_a_plan_tells_of_color_augmentation_where_patches_are_made(make, tmp_path: Path) -> None:
    line = "color augmentation: 25% of the patches"
    assert line in [*describe_run(make(recipe="srresnet", stages="psnr"), [])]
    (tmp_path / "low").mkdir()
    given = make(recipe="srresnet", stages="psnr", low=tmp_path / "low")
    for seed in range(4):
        save_image(given.low / f"{seed}.png", seed, height=36, width=40)
    assert line not in [*describe_run(given, [])]

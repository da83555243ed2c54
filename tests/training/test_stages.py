"""A stage's loss terms have names of their own."""

from dataclasses import replace

import pytest

from srgan_cli.training.loss_terms import PixelTerm
from srgan_cli.training.recipes import OUR_GAN, OUR_PSNR


def test_two_loss_terms_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="named pixel"):
        replace(OUR_PSNR, losses=(PixelTerm(), PixelTerm(distance="mse")))


def test_no_loss_term_has_the_name_of_the_gan_loss() -> None:
    with pytest.raises(ValueError, match="named gan"):
        replace(OUR_GAN, losses=(PixelTerm(name="gan"),))


def test_terms_of_one_kind_go_together_under_two_names() -> None:
    losses = (PixelTerm(), PixelTerm(name="squared", distance="mse"))
    assert replace(OUR_PSNR, losses=losses).losses == losses

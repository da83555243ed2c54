"""How good a picture is: against the original, or by itself."""

from srgan_cli.metrics.fidelity import Channel, psnr, ssim, to_y
from srgan_cli.metrics.niqe import niqe
from srgan_cli.metrics.perceptual import Extractor, feature_distance

__all__ = ["Channel", "Extractor", "feature_distance", "niqe", "psnr", "ssim", "to_y"]

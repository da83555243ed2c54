"""How good a picture is: against the original, or by itself."""

from srgan_cli.metrics.features import Extractor, feature_distance
from srgan_cli.metrics.fidelity import Channel, psnr, ssim, to_y
from srgan_cli.metrics.naturalness import niqe

__all__ = ["Channel", "Extractor", "feature_distance", "niqe", "psnr", "ssim", "to_y"]

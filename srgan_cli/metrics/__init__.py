"""Full-reference image quality metrics."""

from srgan_cli.metrics.fidelity import Channel, psnr, ssim, to_y
from srgan_cli.metrics.perceptual import Extractor, feature_distance

__all__ = ["Channel", "Extractor", "feature_distance", "psnr", "ssim", "to_y"]

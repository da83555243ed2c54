"""Values of --vgg."""

import pytest

from srgan_cli.training.vgg_file import VggFile


@pytest.mark.parametrize(
    ("text", "file", "layers"),
    [
        ("vgg.pth", "vgg.pth", {}),
        ("vgg.pth:conv2_2=0.5,conv3_1", "vgg.pth", {"conv2_2": 0.5, "conv3_1": 1.0}),
        ("C:\\nets\\vgg.pth:conv1_1", "C:\\nets\\vgg.pth", {"conv1_1": 1.0}),
        ("C:\\nets\\vgg.pth", "C:\\nets\\vgg.pth", {}),
    ],
)
def test_a_vgg_file_and_its_layers(text, file, layers) -> None:
    assert VggFile.parse(text) == VggFile(file, layers)

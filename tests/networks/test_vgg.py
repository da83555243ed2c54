import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, relu

from srgan_cli.errors import WeightsError
from srgan_cli.networks.vgg import LAYER_INDEX, VGG, available_layers

WIDTHS = {0: 4, 2: 4, 5: 6, 7: 6, 10: 8}  # to conv3_1


def slim(widths: dict[int, int] = WIDTHS) -> dict[str, Tensor]:
    torch.manual_seed(0)
    state, inputs = {}, 3
    for place, outputs in widths.items():
        state[f"features.{place}.weight"] = torch.randn(outputs, inputs, 3, 3) / 3
        state[f"features.{place}.bias"] = torch.randn(outputs) / 3
        inputs = outputs
    return state


def test_layers_are_counted_as_torchvision_does():
    known = {"conv1_2": 2, "conv2_2": 7, "conv3_1": 10, "conv3_4": 16, "conv4_4": 25}
    assert known.items() <= LAYER_INDEX.items()
    assert LAYER_INDEX["conv5_4"] == 34


def by_hand(state: dict[str, Tensor], rgb: Tensor) -> Tensor:
    """conv2_1 before its ReLU."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (rgb - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    for place in (0, 2):
        x = relu(
            conv2d(x, state[f"features.{place}.weight"], state[f"features.{place}.bias"], padding=1)
        )
    x = max_pool2d(x, 2)
    return conv2d(x, state["features.5.weight"], state["features.5.bias"], padding=1)


@pytest.mark.parametrize("activated", [False, True])
def test_features_are_those_of_the_layers_in_order(activated):
    state, rgb = slim(), torch.rand(2, 3, 9, 11)
    found = VGG(state, ["conv2_1", "conv3_1"], activated)(rgb)
    expected = by_hand(state, rgb)
    expected = relu(expected) if activated else expected
    assert torch.allclose(found["conv2_1"], expected, atol=1e-5)
    assert found["conv3_1"].shape == (2, 8, 2, 2)


def test_a_later_layer_leaves_what_came_before_activation_as_it_was():
    rgb = torch.rand(1, 3, 8, 8)
    found = VGG(slim(), ["conv1_2", "conv2_2"])(rgb)
    assert found["conv1_2"].min() < 0


def test_a_layer_that_is_not_there_is_an_error_that_lists_what_is():
    with pytest.raises(WeightsError, match=r"no conv5_4; it has conv1_1, .*, conv3_1$"):
        VGG(slim(), ["conv2_2", "conv5_4"])


def test_only_the_layers_needed_are_built():
    network = VGG(slim(), ["conv1_2"])
    assert list(network.convs) == ["conv1_1", "conv1_2"]


def test_tensors_that_do_not_follow_one_another_are_named():
    state = slim()
    state["features.5.weight"] = torch.zeros(6, 5, 3, 3)
    with pytest.raises(WeightsError, match=r"features\.5 \(conv2_1\)"):
        VGG(state, ["conv3_1"])


def test_a_file_of_something_else_has_no_layers():
    assert available_layers({"conv_first.weight": torch.zeros(1)}) == []
    with pytest.raises(WeightsError, match="torchvision"):
        VGG({}, ["conv1_1"])


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (1, 3, 1, 1), (1, 3, 3, 1)])
def test_gray_and_tiny_crops_work(shape):
    found = VGG(slim(), ["conv3_1"])(torch.rand(shape))
    assert found["conv3_1"].isfinite().all()


def test_gray_is_three_equal_channels():
    network, gray = VGG(slim(), ["conv3_1"]), torch.rand(1, 1, 8, 8)
    assert torch.equal(network(gray)["conv3_1"], network(gray.repeat(1, 3, 1, 1))["conv3_1"])


def test_gradients_reach_the_image_and_no_weight():
    network, rgb = VGG(slim(), ["conv3_1"]), torch.rand(1, 3, 8, 8, requires_grad=True)
    network(rgb)["conv3_1"].sum().backward()
    assert rgb.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in network.parameters())

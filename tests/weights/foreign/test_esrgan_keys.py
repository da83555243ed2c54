"""Networks are written under the names that ESRGAN's and Real-ESRGAN's programs load."""

import pytest
import torch
from reference_networks import CompactReference, RRDBReference
from safetensors.torch import load_file
from small_networks import RRDB, random_weights

from srgan_cli.weights.container import to_half
from srgan_cli.weights.foreign.conversion import export_foreign
from srgan_cli.weights.loading import load_generator, load_weights


def test_real_esrgans_naming_is_what_its_programs_load(tmp_path):
    weights = random_weights("rrdbnet", RRDB)
    export_foreign(weights, tmp_path / "one.pth", "real-esrgan")
    theirs = RRDBReference("real-esrgan", 1, 3, 2).eval()
    found = torch.load(tmp_path / "one.pth", weights_only=True)
    theirs.load_state_dict(found["params_ema"])
    low = torch.rand(1, 3, 6, 7)
    torch.testing.assert_close(load_generator(weights)(low), theirs(low), rtol=0, atol=1e-6)


def test_esrgans_naming_is_not_wrapped(tmp_path):
    weights = random_weights("rrdbnet", RRDB)
    export_foreign(weights, tmp_path / "one.pth", "esrgan")
    RRDBReference("published", 1, 3, 2).load_state_dict(
        torch.load(tmp_path / "one.pth", weights_only=True)
    )


def test_compact_networks_go_to_safetensors_too(tmp_path):
    sizes = {"scale": 2, "features": 5, "convolutions": 2}
    export_foreign(random_weights("compact", sizes), tmp_path / "a.safetensors", "real-esrgan")
    CompactReference(5, 2, 2).load_state_dict(load_file(tmp_path / "a.safetensors"))


@pytest.mark.parametrize("naming", ["real-esrgan", "esrgan", "esrgan-old"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_is_written_reads_back_identical(tmp_path, naming, suffix):
    weights = random_weights("rrdbnet", RRDB)
    path = tmp_path / f"one{suffix}"
    export_foreign(weights, path, naming)
    again = load_weights(path)
    assert again.hyperparameters == {**RRDB, "unshuffle": 1}
    torch.testing.assert_close(dict(again.state), dict(weights.state), rtol=0, atol=0)
    export_foreign(to_half(weights), path, naming)
    half = {name: tensor.half().float() for name, tensor in weights.state.items()}
    torch.testing.assert_close(dict(load_weights(path).state), half, rtol=0, atol=0)

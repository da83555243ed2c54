"""What commands write is reserved for one process while they work."""

from pathlib import Path

import numpy as np
import pytest
from helpers import srgan

from srgan_cli.files import try_lock
from srgan_cli.images.image import Image
from srgan_cli.images.write import write_image


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, tiny_file, other_file) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, source in (("a", tiny_file), ("b", other_file)):
        Path(f"{name}.safetensors").write_bytes(source.read_bytes())
    for folder in ("one", "two"):
        Path(folder).mkdir()
        write_image(Image(np.full((8, 8, 3), 7, np.uint8)), Path(folder) / "x.png")
    return tmp_path


COMMANDS = {
    "out.safetensors": "interp a.safetensors b.safetensors -o out.safetensors",
    "sheet.png": "interp a.safetensors b.safetensors --sweep one/x.png --sheet sheet.png",
    "half.safetensors": "convert a.safetensors -o half.safetensors",
    "net.bin": "convert a.safetensors -o net.param",
    "compared.png": "compare one/x.png -o compared.png -m bicubic",
    "study.html": "rate one two -o study.html",
}


@pytest.mark.parametrize("output", COMMANDS)
def test_a_file_that_another_process_writes_is_left_to_it(output: str) -> None:
    lock = try_lock(Path(output))
    assert lock is not None
    with lock:
        before = sorted(Path().iterdir())
        result = srgan(*COMMANDS[output].split())
        assert result.exit_code == 1
        assert f"{output}: another srgan is writing it" in result.stderr
        assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize("output", ["out.safetensors", "study.html"])
def test_no_lock_is_left(output: str) -> None:
    assert srgan(*COMMANDS[output].split()).exit_code == 0
    assert Path(output).exists()
    assert not [path for path in Path().iterdir() if path.name.startswith(".")]

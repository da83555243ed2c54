"""`srgan upscale` on hostile files with sound ones between them: the sound ones are done."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import save
from hostile_files import HOSTILE

pytest.importorskip("resource")

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
from srgan_cli.cli import main
main(sys.argv[1:])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    save(made, "a-sound.png", "m-sound.png", "zz-sound.png")
    for number, (name, (make, _)) in enumerate(HOSTILE.items()):
        (made / f"{number}-{name}").write_bytes(make())
    for name, target in (("zero.png", "/dev/zero"), ("random.tif", "/dev/urandom")):
        (made / name).symlink_to(target)
    os.mkfifo(made / "pipe.jpg")
    (made / "empty.jpg").touch()
    (made / "only-a-signature.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return made


def test_one_line_for_each_file_that_cannot_be_read_and_all_others_done(folder: Path) -> None:
    names = sorted(map(str, folder.iterdir()))
    out = folder.parent / "out"
    command = [sys.executable, "-c", LIMITED, "upscale", *names, "-o", f"{out}/", "-m", "bicubic"]
    done = subprocess.run(
        [*command, "--scale", "2", "-q", "--name", "{stem}-{model}.tif"],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stderr.splitlines()
    hostile = enumerate(HOSTILE.items())
    refused = {f"{number}-{name}" for number, (name, (_, refusal)) in hostile if refusal}
    refused |= {"zero.png", "random.tif", "pipe.jpg", "empty.jpg", "only-a-signature.png"}
    assert done.returncode == 1, lines
    assert all(line.startswith("Error: ") for line in lines[:-1]), lines
    assert {Path(line.split(": ")[1]).name for line in lines[:-1]} == refused
    assert {path.name.split("-bicubic")[0] for path in out.glob("*-sound-*")} == {
        "a-sound",
        "m-sound",
        "zz-sound",
    }
    assert [path for path in out.iterdir() if path.name.endswith(".part")] == []

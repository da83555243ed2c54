"""Imports point downward: who may import whom, besides errors."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "srgan_cli"
LONGEST_FUNCTION = 40
LONGEST_FILE = 300

VALUES = {"engine.settings", "engine.size", "images.encoding", "images.atomic", "library", "facts"}
"""Modules of the standard library alone, which every room may use."""

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "tiling": set(),
    "device": set(),
    "library": set(),
    "facts": set(),
    "orientations": set(),
    "resample": {"tiling"},
    "pickles": set(),
    "images": {"tiling"},
    "metrics": {"tiling"},
    "figures": {"images", "resample"},
    "colour": {"images", "resample"},
    "models": {"resample"},
    "foreign": {"models"},
    "seals": set(),
    "weights": {"models", "foreign", "seals", "images.atomic"},
    "opening": {"weights", "foreign", "pickles", "seals"},
    "kinship": {"weights"},
    "inspecting": {"opening", "weights", "foreign"},
    "export": {"weights", "foreign", "pickles", "images.atomic"},
    "engine": {"images", "tiling", "resample", "colour", "device", "orientations"},
    "choice": {"opening", "weights", "kinship", "library"},
    "assembly": {"weights", "engine", "device"},
    "training": {
        *("weights", "models", "pickles", "device", "orientations"),
        *("images", "resample", "metrics", "figures"),
    },
    "batch": {"engine", "images"},
    "evaluation": {
        *("engine", "weights", "choice", "assembly", "device", "library"),
        *("images", "metrics", "colour", "figures", "resample", "models"),
    },
    "pages": {"images", "figures"},
}
EVERYWHERE = {"errors", "__version__"}


def rooms() -> set[str]:
    files = {p.stem for p in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    folders = {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    return files | folders


def files_of(room: str) -> list[Path]:
    return [*PACKAGE.glob(f"{room}.py"), *(PACKAGE / room).rglob("*.py")]


def imported(path: Path) -> set[str]:
    """What of ours a file imports, without the package's name."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module}
    names |= {
        f"srgan_cli.{alias.name}"
        for n in nodes
        if isinstance(n, ast.ImportFrom) and n.module == "srgan_cli"
        for alias in n.names
    }
    return {name.removeprefix("srgan_cli.") for name in names if name.startswith("srgan_cli.")}


def allowed(name: str, room: str) -> bool:
    parents = {name, name.split(".")[0]}
    return bool(parents & (MAY_IMPORT[room] | {room} | EVERYWHERE)) or name in VALUES


def test_every_room_has_its_rule():
    assert rooms() - {"cli"} == MAY_IMPORT.keys()


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_point_downward(room):
    files = files_of(room)
    assert files
    for path in files:
        forbidden = {name for name in imported(path) if not allowed(name, room)}
        assert not forbidden, f"{path}: {forbidden}"


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_files_and_functions_fit_in_the_eye(path):
    text = path.read_text()
    assert text.count("\n") <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


def test_every_package_is_installed():
    listed = (ROOT / "setup.cfg").read_text().split("packages =")[1].split("package_dir")[0].split()
    assert {"srgan_cli", "srgan_cli.shipped"} <= set(listed)
    assert {p.parent.name for p in PACKAGE.glob("*/__init__.py")} == {
        name.removeprefix("srgan_cli.") for name in listed[1:] if name != "srgan_cli.shipped"
    }

"""Imports point downward, and modules stay small enough to read."""

import ast
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "srgan_cli"
LONGEST_FUNCTION = 40
LONGEST_FILE = 300

EVERYWHERE = {"errors", "settings", "folders", "__version__"}

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "settings": set(),
    "files": set(),
    "folders": set(),
    "device": set(),
    "resample": set(),
    "images": {"files"},
    "metrics": {"resample"},
    "networks": {"resample"},
    "weights": {"networks", "files"},
    "figures": {"images", "resample"},
    "study": {"images", "resample", "figures", "files"},
    "inference": {"networks", "images", "resample", "device"},
    "training": {
        *("weights", "networks", "images", "resample", "metrics", "figures"),
        *("files", "device"),
    },
    "api": {"inference", "weights", "images", "device"},
    "batch": {
        *("api", "inference", "weights", "networks", "images", "metrics"),
        *("device", "files"),
    },
    "evaluation": {
        *("api", "inference", "weights", "networks", "images", "metrics"),
        *("figures", "resample", "device", "files"),
    },
}


def packages() -> set[str]:
    modules = {p.stem for p in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    folders = {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    return modules | folders


def modules_of(package: str) -> list[Path]:
    return [*PACKAGE.glob(f"{package}.py"), *(PACKAGE / package).rglob("*.py")]


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


def allowed(name: str, package: str) -> bool:
    parents = {name, name.split(".")[0]}
    return bool(parents & (MAY_IMPORT[package] | {package} | EVERYWHERE))


def test_every_package_has_its_rule():
    assert packages() - {"cli"} == MAY_IMPORT.keys()


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_downward(package):
    paths = modules_of(package)
    assert paths
    for path in paths:
        forbidden = {name for name in imported(path) if not allowed(name, package)}
        assert not forbidden, f"{path}: {forbidden}"


def test_modules_and_functions_are_short():
    too_long = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text()
        if text.count("\n") > LONGEST_FILE:
            too_long.append(str(path))
        for node in ast.walk(ast.parse(text)):
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if is_function and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION:
                too_long.append(f"{path}: {node.name}")
    assert not too_long


def repeated(names: Iterable[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}


def test_no_two_modules_share_a_name():
    names = [path.stem for path in PACKAGE.rglob("*.py") if not path.stem.startswith("__")]
    assert not repeated(names)


def test_no_two_classes_share_a_name():
    trees = [ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    assert not repeated(n.name for n in nodes if isinstance(n, ast.ClassDef))


def test_every_package_is_installed():
    listed = (ROOT / "setup.cfg").read_text().split("packages =")[1].split("package_dir")[0].split()
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py")}
    assert set(listed) == found | {"srgan_cli.shipped"}

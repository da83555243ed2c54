"""Benchmarks are run by hand: their imports must not go stale meanwhile."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


def _missing(node: ast.ImportFrom) -> list[str]:
    assert node.module is not None
    module = import_module(node.module)
    return [alias.name for alias in node.names if not hasattr(module, alias.name)]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_what_a_benchmark_imports_of_srgan_exists(path: Path) -> None:
    nodes = [
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)
    ]
    ours = [node for node in nodes if (node.module or "").startswith("srgan_cli.")]
    assert [name for node in ours for name in _missing(node)] == []

"""The promise: no modules of the package import each other in a circle, even within functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All that is run one day: not what only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        test = node.test if isinstance(node, ast.If) else None
        if not (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"):
            yield node
            yield from statements(node)


def imports(path: Path, modules: set[str]) -> set[str]:
    """The package's own modules that one of them imports, wherever in it."""
    found = set()
    for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module in modules:
            inner = {f"{node.module}.{one.name}" for one in node.names}
            found |= (inner & modules) or {node.module}
        elif isinstance(node, ast.Import):
            found |= {one.name for one in node.names} & modules
    return found - {name_of(path)}


def test_no_modules_import_each_other_in_a_circle() -> None:
    paths = {name_of(path): path for path in SOURCE.rglob("*.py")}
    graph = {name: imports(path, set(paths)) for name, path in paths.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise AssertionError(" imports ".join(error.args[1])) from error

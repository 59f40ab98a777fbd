"""The promise: no imports in a circle, even within functions; and what is new has one place."""

from __future__ import annotations

import ast
import datetime as dt
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

import citytune as ct
import citytune.backbones.guests
import citytune.readers.containers
import citytune.readers.databases
import citytune.tuning
import citytune.writers
from citytune.cli import _settings
from citytune.readers import register
from citytune.readers.cells._table import SourceTable
from citytune.readers.containers import _openers
from citytune.settings import Settings, setting

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


@pytest.mark.parametrize(
    ("door", "folder"),
    [
        (citytune.writers, "writers"),
        (citytune.backbones.guests, "backbones.guests"),
        (citytune.tuning, "tuning.experts"),
        (citytune.tuning, "tuning.strategies"),
        (citytune.readers.containers, "readers.containers"),
        (citytune.readers.databases, "readers.databases"),
    ],
)
def test_a_new_file_of_a_folder_is_found_by_it(
    door: ModuleType, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = sys.modules[f"citytune.{folder}"]
    (tmp_path / "_toy.py").write_text("registered = True")
    monkeypatch.setattr(package, "__path__", [str(tmp_path)])
    exec(Path(str(door.__file__)).read_text("utf-8"), {"__name__": door.__name__})
    assert sys.modules.pop(f"citytune.{folder}._toy").registered


@dataclass(frozen=True, kw_only=True)
class Toy(Settings):
    toy: int = setting(3, "A toy.")


def test_a_setting_is_an_option_and_an_argument_by_its_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_settings, "Settings", Toy)
    monkeypatch.setattr(_settings, "EVERY", ("horizon", "toy"))

    def told(settings: Settings) -> None:
        print(settings)

    app = typer.Typer()
    app.command()(_settings.takes_settings()(told))
    done = CliRunner().invoke(app, ["--horizon", "24", "--toy", "7"])
    assert "toy=7" in done.output
    assert "A toy. [default: 3]" in " ".join(CliRunner().invoke(app, ["--help"]).output.split())


def test_every_setting_is_taken_by_whatever_fits() -> None:
    names = {one.name for one in fields(Settings)}
    for call in (ct.tune, ct.run, ct.recommend, ct.Forecaster):
        assert names <= set(inspect.signature(call).parameters), call


def read_toy(data: bytes, name: str, stem: str, findings: Any) -> SourceTable:
    rows = [line.split("=") for line in data.decode().splitlines()[1:]]
    table = pl.DataFrame(
        {"time": [row[0] for row in rows], "flow": [float(row[1]) for row in rows]}
    )
    return SourceTable(table.lazy(), table.schema, name, stem)


def test_a_kind_of_file_is_added_by_one_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_openers, "_OPENERS", list(_openers._OPENERS))
    register(lambda head: head.startswith(b"TOY"), read_toy)
    times = [dt.datetime(2024, 1, 1) + dt.timedelta(hours=i) for i in range(240)]
    lines = [f"{time}={100 + time.hour}" for time in times]
    (tmp_path / "city.toy").write_text("\n".join(["TOY", *lines]))
    frame = ct.read(tmp_path / "city.toy")
    assert frame.values[:, 0].tolist() == [100 + time.hour for time in times]

"""Promise: what the documentation shows runs as it is shown.

The rule: every ```python block of README.md and docs/*.md is run, the blocks of a page one after
the other in one namespace; so is every `citytune …` line of a ```shell block, but for the demo,
which has a test of its own. They run in a folder that holds the files they name (`write_files`).
"""

from __future__ import annotations

import functools
import operator
import re
import runpy
import shlex
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from stills import write_stills

import citytune as ct
from citytune.advice import _recommend
from citytune.backbones import _shelf, missing
from citytune.cli import main
from citytune.tuning import experts, strategies

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BACKBONE = ROOT / "docs" / "examples" / "add_a_backbone.py"
TITLE = operator.attrgetter("name")
HEAVY = ("add_a_backbone", "pictures", "pretrain", "rare", "strategies")
"""Pages that pretrain, or tune a lot, or need an extra."""


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """The words of every `citytune …` line of a page's shell blocks."""
    lines = "\n".join(blocks(page, "shell")).replace("\\\n", " ").splitlines()
    found = [shlex.split(line, comments=True) for line in lines]
    return [words[1:] for words in found if words[:1] == ["citytune"]]


def last_days(name: str, days: int) -> pl.DataFrame:
    table = pl.read_parquet(ct.sample(name))
    return table.filter(pl.col("time") > pl.col("time").max() - pl.duration(days=days))


def write_database(path: Path, table: pl.DataFrame) -> None:
    """A database with one table, `loops`: time, sensor, flow."""
    rows = [(str(time), "bridge", flow) for time, flow in table.iter_rows()]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE loops (time TEXT, sensor TEXT, flow REAL)")
        database.executemany("INSERT INTO loops VALUES (?, ?, ?)", rows)


def write_traffic(folder: Path, *, days: int) -> None:
    """The files of one road, the last week of which is new in `newer.csv`."""
    traffic = last_days("traffic", days).select("time", "traffic_volume")
    before = pl.col("time") < pl.col("time").max() - pl.duration(days=7)
    traffic.filter(before).write_csv(folder / "loops.csv")
    traffic.write_csv(folder / "newer.csv")
    (folder / "citytune-demo").mkdir(exist_ok=True)
    traffic.filter(before).write_csv(folder / "citytune-demo" / "traffic.csv")
    (folder / "city.db").unlink(missing_ok=True)
    write_database(folder / "city.db", traffic)


def write_files(folder: Path) -> None:
    """The files that the documentation names, cut from the bundled sample."""
    write_traffic(folder, days=42)
    last_days("energy", 28).write_csv(folder / "energy.csv")
    meters = last_days("energy", 28)
    for name in ("household", "heating"):
        (folder / "meters" / f"sensor={name}").mkdir(parents=True)
        rows = meters.select("time", pl.col(name).alias("power"))
        rows.write_parquet(folder / "meters" / f"sensor={name}" / "part-0.parquet")

    air = last_days("air", 28).select("time", "pm25", "wind", "temperature")
    known = pl.col("time") <= pl.col("time").max() - pl.duration(hours=24)
    air.with_columns(pl.when(known).then("pm25").alias("pm25")).write_csv(folder / "air.csv")
    air.filter(known).select("time", "pm25").write_csv(folder / "air_only.csv")
    air.drop("pm25").write_csv(folder / "weather.csv")


def set_the_scene(page: Path, folder: Path) -> None:
    """Write what one page alone needs."""
    if page.stem == "watching":  # which watches the last four weeks
        write_traffic(folder, days=70)
    if page.stem == "pictures":
        if "efficientnet-lite0" in missing():
            pytest.skip("the extra vision is not installed")
        write_stills(folder)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files the pages name, and shelves that forget what is put on them."""
    monkeypatch.delenv("CITYTUNE_WEIGHTS", raising=False)
    monkeypatch.chdir(tmp_path)
    for shelf in (_shelf._backbones, strategies, experts):
        monkeypatch.setattr(shelf, "_factories", dict(shelf._factories))
    monkeypatch.setattr(_shelf, "_cards", dict(_shelf._cards))
    monkeypatch.setattr(_shelf, "_make", functools.cache(_shelf._make.__wrapped__))
    write_files(tmp_path)
    return tmp_path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all backbones `auto` tries the fastest only: which one it takes is another test's."""
    monkeypatch.setattr(_recommend, "at_hand", lambda: ("lags",))


def run_page(page: Path) -> None:
    """Run a page's blocks of Python, each failure at its own line of the page."""
    text = page.read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page, "python"):
        line = text[: text.index(block)].count("\n")
        exec(compile("\n" * line + block, str(page), "exec"), names)


def light(pages: Iterable[Path]) -> list[Any]:
    """The pages to try, those that pretrain or tune a lot marked as heavy."""
    return [pytest.param(p, marks=pytest.mark.extras if p.stem in HEAVY else ()) for p in pages]


@pytest.mark.usefixtures("plain_report")
@pytest.mark.parametrize("page", light(p for p in PAGES[1:] if blocks(p, "python")), ids=TITLE)
def test_the_python_of_every_page_runs(page: Path, place: Path, quick: None) -> None:
    set_the_scene(page, place)
    run_page(page)


@pytest.mark.extras  # it tunes every backbone at hand, twice
def test_the_python_of_the_readme_runs(place: Path) -> None:
    run_page(PAGES[0])
    assert (place / "runs" / "loops").is_dir()


@pytest.mark.usefixtures("plain_report")  # no command looks at the pictures
@pytest.mark.parametrize("page", light(page for page in PAGES if commands(page)), ids=TITLE)
def test_the_commands_of_every_page_run(
    page: Path, place: Path, quick: None, capsys: pytest.CaptureFixture[str]
) -> None:
    set_the_scene(page, place)
    for words in commands(page):
        assert main(words) == 0, capsys.readouterr().err


@pytest.mark.parametrize("example", [path for path in EXAMPLES if path != BACKBONE], ids=TITLE)
def test_every_example_runs_and_says_something(
    example: Path, place: Path, quick: None, capsys: pytest.CaptureFixture[str]
) -> None:
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out


def test_the_page_about_backbones_shows_the_example_whole() -> None:
    code = BACKBONE.read_text(encoding="utf-8").split('"""\n', 1)[1]  # all but its docstring
    page = blocks(ROOT / "docs" / "add_a_backbone.md", "python")
    shown = "".join(block for block in page if block in code)
    assert shown.split() == code.split()


@pytest.mark.extras  # as the page itself, which pretrains
def test_what_the_page_about_backbones_says_of_its_numbers_is_so(place: Path) -> None:
    scores = runpy.run_path(str(BACKBONE), run_name="__main__")["scores"]
    mae = {name: row["mae"] for name, row in scores.models.items()}
    assert mae["zero-shot"] > mae["naive-day"]  # untouched, worse than yesterday's values
    assert mae["tuned"] < min(mae[name] for name in ("naive-day", "naive-week", "naive-weeks4"))

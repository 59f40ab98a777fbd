"""Promise: the report of a real run, and of its refresh, draws every chart in a browser."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from browsing import CHROMIUM, Tab, browser

import citytune as ct

pytestmark = [
    pytest.mark.extras,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]
DAYS = 60
DRAWN = """(() => {
  const plots = [...document.querySelectorAll(".plot")];
  const bare = plots.filter((plot) => {
    const lines = plot.querySelectorAll(".scatterlayer .trace, .barlayer .trace");
    const inked = [...lines].some((line) => line.getBoundingClientRect().width > 0);
    return plot.dataset.drawn !== "yes" || !plot.data?.length || !inked;
  });
  return {
    className: document.documentElement.className,
    plots: plots.length,
    bare: bare.map((plot) => plot.getAttribute("aria-label")),
    over: document.documentElement.scrollWidth - innerWidth,
    names: plots.map((plot) => plot.dataset.chart),
    crossing: plots.filter((plot) => {
      const labels = [...plot.querySelectorAll(".ytick text")];
      const boxes = labels.map((label) => label.getBoundingClientRect());
      boxes.sort((one, other) => one.top - other.top);
      return boxes.some((one, i) => i && one.top < boxes[i - 1].bottom - 2);
    }).map((plot) => plot.getAttribute("aria-label")),
  };
})()"""
# Numbers of which a chart is drawn are not printed, and nothing else stays closed.
ON_PAPER = """(() => {
  dispatchEvent(new Event("beforeprint"));
  const all = [...document.querySelectorAll("details")];
  const numbers = all.filter((one) => one.classList.contains("charted"));
  return {
    numbers: [...new Set(numbers.map((one) => getComputedStyle(one).display))],
    closed: all.filter((one) => !one.open && !numbers.includes(one)).length,
  };
})()"""
DONE = """[...document.querySelectorAll(".plot")].every((plot) => plot.dataset.drawn)
  || document.documentElement.className === "no-charts" """


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on all but the last week of the bundled sample, and the whole sample."""
    folder = tmp_path_factory.mktemp("real")
    whole = pl.read_parquet(ct.sample("air"))
    time = whole.columns[0]
    end = whole[time].max()
    whole = whole.filter(pl.col(time) > end - dt.timedelta(days=DAYS))
    whole.write_parquet(folder / "whole.parquet")
    first = whole.filter(pl.col(time) <= end - dt.timedelta(days=7))
    first.write_parquet(folder / "first.parquet")
    ct.run(folder / "first.parquet", out=folder / "run", horizon=24, backbone="lags",
           strategy="blend", alerts=[">75"], rare="top 5%")  # fmt: skip
    return folder


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    with browser(tmp_path) as found:
        yield found


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("renewed", [False, True])
def test_every_chart_of_a_real_run_is_drawn(
    made: Path, tab: Tab, width: int, renewed: bool
) -> None:
    run = ct.open_run(made / "run")
    if renewed and not len(run.record.filter(pl.col("actual").is_not_nan())):
        assert run.refresh(made / "whole.parquet").last is not None
    tab.size(width)
    tab.go(run.report.as_uri())
    tab.until(DONE)
    found = tab.run(DRAWN)
    assert found["className"] == "charts"
    assert found["bare"] == []
    assert found["crossing"] == []
    assert {"what-moved", "levels"} <= {*found["names"]}
    assert tab.run("document.querySelector('#record') !== null") == renewed
    assert found["over"] <= 0
    tab.run("document.querySelector('#day tbody button').click()")
    tab.until("document.querySelector('tr.chart .plot')?.dataset.drawn === 'yes'")
    assert tab.run(DRAWN)["bare"] == []
    tab.ask("Emulation.setEmulatedMedia", media="print")
    on_paper = tab.run(ON_PAPER)
    assert on_paper["numbers"] == ["none"]
    assert on_paper["closed"] == 0
    assert tab.complaints == []

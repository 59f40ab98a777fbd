"""Promise: the first screen of the report is tomorrow, for four sensors and for four hundred."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import AXE, browser
from test_reporting_page import SENSORS, FakeModel, ahead, city, measure, words, write

from citytune.forecasting import Outlook, SensorOutlook
from citytune.reporting import Report
from citytune.reporting._spark import HEIGHT, WIDTH, spark
from citytune.reporting.sections._tomorrow import _headline

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
MADE = dt.date(2024, 4, 14)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-sync", "--disable-background-networking", "--disable-component-update",
    "--allow-file-access-from-files", "--virtual-time-budget=12000", "--dump-dom",
)  # fmt: skip
PROBE = """<script>addEventListener("load", () => setTimeout(async () => {
  const said = document.body.dataset, rows = () => [...document.querySelectorAll("#day tbody tr")];
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const shown = () => rows().filter((row) => row.getClientRects().length).length;
  const first = () => document.querySelector("#day tbody th").dataset.v;
  said.shown = shown();
  said.first = first();
  said.over = document.documentElement.scrollWidth - innerWidth;
  said.below = document.querySelector("#day tbody .spark").getBoundingClientRect().bottom;
  document.querySelector("#day tbody th button").click();
  await wait(1500);
  const chart = document.querySelector("#day tr.chart .main-svg");
  said.opened = chart ? Math.round(chart.getBoundingClientRect().width) : 0;
  said.lines = document.querySelectorAll("#day tr.chart .shapelayer path").length;
  said.expanded = document.querySelector("#day tbody th button").getAttribute("aria-expanded");
  document.querySelector("#day thead th button").click();
  said.sorted = first();
  said.closed = document.querySelectorAll("#day tr.chart").length;
  said.order = document.querySelector("#day thead th").getAttribute("aria-sort");
  const search = document.getElementById("search");
  if (search) {
    search.value = "meter 007";
    search.dispatchEvent(new Event("input"));
    said.hits = shown();
    said.found = document.getElementById("found").textContent;
    search.value = "";
    search.dispatchEvent(new Event("input"));
    document.getElementById("all").click();
    said.all = shown();
  }
  said.done = "yes";
}, 1500))</script>"""


def page(count: int = 6, alerts: tuple[str, ...] = (">1000",)) -> str:
    """A report of the made-up city, or of so many meters."""
    frame = city(SENSORS if count == len(SENSORS) else SENSORS[:5])
    if count != len(SENSORS):
        size = np.random.default_rng(0).uniform(0.3, 2, count).astype(np.float32)
        values = np.tile(frame.values, (1, -(-count // 5)))[:, :count] * size
        names = tuple(f"Meter {i:03d}" for i in range(count))
        frame = replace(frame, values=values, sensors=names, places=None, faults=())
    model = FakeModel(frame) if count == len(SENSORS) else FakeModel(frame, fallback=())
    forecast = ahead(frame).with_alerts(alerts, frame)
    return Report(frame, model, measure(frame), forecast, made=MADE).html()


def rows(html: str) -> list[str]:
    table = re.search(r'<table class="num cards day".*?</table>', html, re.DOTALL)
    assert table is not None
    return re.findall(r"<tr data-row=.*?</tr>", table[0], re.DOTALL)


def series(html: str) -> dict[str, Any]:
    packed = re.search(r'id="series">(.*?)</script>', html, re.DOTALL)
    assert packed is not None
    return json.loads(gzip.decompress(base64.b64decode(packed[1])))


def test_the_first_sentence_says_which_alert_is_likely_and_where() -> None:
    text = words(page())
    assert (
        "The 24 hours from 2024-04-15 01:00: traffic volume &gt; 1000 veh/h is likely at Airport"
        in text
    )
    assert text.index("is likely at Airport") < text.index("How far to trust it")
    assert text.index("How far to trust it") < text.index("Compared with simpler forecasts")
    calm = words(page(alerts=(">90000",)))
    assert "no alert is likely; the highest chance is " in calm


def test_every_sensor_has_a_row_those_that_matter_first() -> None:
    html = page()
    found = rows(html)
    assert len(found) == 6
    chances = [float(re.findall(r'data-v="([^"]*)"', row)[-1]) for row in found]
    assert chances == sorted(chances, reverse=True)
    assert 'class="chance high"' in found[0]
    assert '<svg class="spark"' in found[0]
    assert "fallback: yesterday" in next(row for row in found if "New tunnel" in row)
    assert "total (veh)" in html


def test_without_an_alert_the_rarest_values_are_one() -> None:
    html = write()
    assert "chance of top 5 % of traffic volume" in words(html).replace("\xa0", " ")
    usual = re.findall(r'data-label="chance of top 5.*?class="(chance[^"]*)"', html)
    assert {*usual} == {"chance "}  # nobody asked, so that no colour warns of it


def test_what_the_charts_are_drawn_from_is_the_forecast() -> None:
    html, frame = page(), city()
    found, forecast = series(html), ahead(frame)
    names = [re.search(r'data-v="([^"]*)"', row)[1] for row in rows(html)]  # type: ignore[index]
    at = names.index("Harbour")
    column = frame.sensors.index("Harbour")
    one = found["sensors"][at]
    np.testing.assert_allclose(one["point"], forecast.point[:, column], rtol=1e-3)
    np.testing.assert_allclose(one["bands"][0], forecast.quantiles[:, column, 0], rtol=1e-3)
    assert one["limits"] == [["traffic volume > 1000 veh/h", 1000.0]]
    assert len(one["measured"]) == len(found["recent"]) == 48
    assert found["times"][0] == "2024-04-15T01:00"


def test_a_sparkline_stays_in_its_box_and_breaks_where_there_is_no_forecast() -> None:
    middle = np.array([1, 2, np.nan, 5, 9], np.float32)
    drawn = spark(middle - 1, middle, middle + 1, 7.0)
    assert drawn.count('class="b"') == 2
    assert drawn.count('class="t"') == 1
    for moves in re.findall(r' d="M([^"]*)"', drawn):
        if "H" not in moves:
            steps = np.reshape([int(x) for x in re.findall(r"-?\d+", moves)], (-1, 2))
            assert (steps.cumsum(0) >= 0).all()
            assert (steps.cumsum(0) <= (WIDTH, HEIGHT)).all()
    assert spark(middle * np.nan, middle * np.nan, middle * np.nan) == ""
    assert 'class="t"' not in spark(middle - 1, middle, middle + 1, 900.0)
    assert spark(middle[:1], middle[:1], middle[:1])  # one step, and no spread


def test_four_hundred_sensors_fit_into_a_mail() -> None:
    html = page(400, (">2000",))
    assert len(rows(html)) == 400
    assert len(html.encode()) < 1_350_000


def look(html: str, folder: Path, width: int = 1280) -> dict[str, str]:
    """What the page says of itself in a browser of that width, after it was used."""
    assert CHROMIUM is not None
    if width < 500:  # no window is narrower, but a frame is
        (folder / "inner.html").write_text(html.replace("</body>", f"{PROBE}</body>"), "utf-8")
        html = f"""<iframe id="page" src="inner.html" style="width:{width}px;height:844px;border:0">
        </iframe><script>setInterval(() => Object.assign(document.body.dataset,
        document.getElementById("page").contentDocument.body.dataset), 200)</script>"""
    else:
        html = html.replace("</body>", f"{PROBE}</body>")
    file = folder / "page.html"
    file.write_text(html, encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},844",
         file.as_uri()],
        capture_output=True, text=True, check=True, timeout=240,
    )  # fmt: skip
    body = re.search(r"<body([^>]*)>", done.stdout)
    assert body is not None
    return dict(re.findall(r'data-([\w-]+)="([^"]*)"', body[1]))


@pytest.mark.extras
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_a_sensor_opens_and_the_table_is_searched_and_sorted(tmp_path: Path) -> None:
    said = look(page(400, (">2000",)), tmp_path)
    assert said["done"] == "yes"
    assert said["shown"] == "12"
    assert int(said["over"]) <= 0
    assert (said["expanded"], said["lines"], said["closed"]) == ("true", "1", "0")
    assert int(said["opened"]) > 900
    assert (said["sorted"], said["order"]) == ("Meter 000", "ascending")
    assert (said["hits"], said["found"]) == ("1", "1 of 400 sensors")
    assert said["all"] == "400"


@pytest.mark.extras
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_on_a_phone_the_first_forecast_is_on_the_first_screen(tmp_path: Path) -> None:
    said = look(page(), tmp_path, width=390)
    assert said["done"] == "yes"
    assert int(said["over"]) <= 0
    assert float(said["below"]) < 844
    assert 250 < int(said["opened"]) < 390


@pytest.mark.extras
@pytest.mark.skipif(CHROMIUM is None or AXE is None, reason="there is no Chromium or no axe here")
def test_axe_finds_nothing_wrong_with_the_report(tmp_path: Path) -> None:
    with browser(tmp_path) as tab:
        for name, html in (("few", page()), ("many", page(400, (">2000",)))):
            file = tmp_path / f"{name}.html"
            file.write_text(html, encoding="utf-8")
            for width in (1280, 390):
                tab.size(width)
                tab.go(file.as_uri())
                tab.run("document.querySelector('#day tbody th button').click()")
                tab.until("document.querySelector('#day tr.chart .main-svg') !== null")
                assert tab.violations() == [], (name, width)
        assert tab.complaints == []


def test_the_headline_names_sensors_that_it_says_nothing_of() -> None:
    nan = float("nan")
    rows = (
        SensorOutlook("north", 12.0, 8.0, 20.0, "2024-03-18 08:00", 150.0, (0.1,)),
        SensorOutlook("bridge", nan, nan, nan, "", nan, (nan,)),
    )
    found = Outlook("Monday 2024-03-18", 24, "total", "veh", (">50",), (0.5,), rows)
    assert _headline(found, "veh/h", asked=True) == (
        "Monday 2024-03-18: no alert is likely; the highest chance is 10 %. bridge has no "
        "forecast, and alerts there cannot be judged."
    )
    unasked = _headline(found, "veh/h", asked=False)
    assert unasked.startswith("Monday 2024-03-18: highest at north, 12.0 veh/h at 08:00.")

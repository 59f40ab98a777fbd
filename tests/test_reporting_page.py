"""The report says what was measured, in words that survive any file, and needs no network."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

import citytune as ct
from citytune.backbones import Card
from citytune.evaluation import Alert, Detail, Scores
from citytune.evaluation._alerts import score_alert
from citytune.evaluation._rare import regions
from citytune.forecasting import LEVELS, Forecast
from citytune.frame import Clock, Fault, Quantity, SensorFrame
from citytune.reporting import Report
from citytune.windows import WindowSpec

HORIZON, DAYS = 24, 42
EVIL = "<script>alert('gate')</script> & \"Ø\""
SENSORS = ("Ring road", "Harbour", EVIL, "Old bridge", "Airport", "New tunnel")
FRAME = """<iframe id="page" src="report.html"
  style="width:WIDTHpx; height:2900px; border:0"></iframe>
<script>addEventListener("load", () => setTimeout(() => {
  const page = document.getElementById("page").contentDocument, said = document.body.dataset;
  said.inner = page.defaultView.innerWidth;
  said.over = page.documentElement.scrollWidth - page.defaultView.innerWidth;
  said.clipped = [...page.querySelectorAll("[data-chart]")].filter(
    (plot) => plot.querySelector(".main-svg").getBoundingClientRect().height > plot.clientHeight
  ).length;
  const leads = /share|cloud|edit/i;
  const named = (part) => leads.test(part.dataset.title ?? part.title ?? part.textContent);
  said.offers = [...page.querySelectorAll(".modebar-btn, button")].filter(named).length;
  said.buttons = page.querySelectorAll(".modebar-btn").length;
  said.links = [...page.querySelectorAll("a, area, form, iframe")].filter(
    (part) => /^(https?:)?[/]{2}/i.test(part.getAttribute("href") ?? part.action ?? part.src ?? "")
  ).length;
  said.nested = page.querySelectorAll("[role=img] :is(a, button, [tabindex])").length;
  said.plots = page.querySelectorAll("[data-chart]").length;
  said.drawn = page.querySelectorAll("[data-drawn=yes]").length;
}, 6000))</script>"""
"""What opens the report at a width of ours, and reports back in its own attributes."""
MOUSE = """<script>
const asked = matchMedia;
matchMedia = (query) => asked(query === "(hover: hover)" ? "all" : query);
</script>"""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

TTM = Card(
    name="ttm-r2", title="Tiny Time Mixers r2", parameters=805_280, context=512, horizon=96,
    features=192, licence="Apache-2.0", trained_on="250 million public samples",
    source="arXiv:2401.03955",
)  # fmt: skip
IMAGENET = Card(
    name="efficientnet-lite0", title="EfficientNet-Lite0", parameters=3_371_000, context=672,
    horizon=None, features=1280, licence="Apache-2.0", trained_on="1.3 million photographs",
    source="arXiv:1905.11946",
)  # fmt: skip


@dataclass(frozen=True)
class FakeModel:
    frame: SensorFrame
    strategy: str = "blend"
    fallback: tuple[str, ...] = ("New tunnel",)
    notes: tuple[str, ...] = ()
    weights: dict[str, dict[str, float]] = field(
        default_factory=lambda: {
            "0-6": {
                "plain": 0.34,
                "squashed": 0.3,
                "weeks": 0.16,
                "yesterday": 0.15,
                "last-week": 0.05,
            },
            "6-24": {
                "plain": 0.1,
                "squashed": 0.22,
                "weeks": 0.6,
                "yesterday": 0.004,
                "last-week": 0.076,
            },
        }
    )
    seconds: dict[str, float] = field(default_factory=lambda: {"features": 4.2, "fit": 0.31})
    experts: dict[str, str] = field(
        default_factory=lambda: {
            "plain": "the pretrained model's own forecast",
            "squashed": "the pretrained model with bursts tamed",
            "weeks": "the mean of the last four weeks",
            "yesterday": "yesterday's values",
            "last-week": "last week's values",
        }
    )
    card: Card = TTM
    fold_error: float = 0.83
    spec = WindowSpec(context=512, horizon=HORIZON)

    @property
    def sensors(self) -> tuple[str, ...]:
        return self.frame.sensors

    @property
    def clock(self) -> Clock:
        return self.frame.clock

    @property
    def quantity(self) -> Quantity:
        return self.frame.quantity

    @property
    def trained_until(self) -> np.datetime64:
        return self.clock.moments(len(self.frame) - 1, 1)[0]

    def words(self) -> list[str]:
        return ["In the first hours mostly the plain forecast; later 60 % last weeks' profile."]


def city(sensors: tuple[str, ...] = SENSORS) -> SensorFrame:
    """Six weeks of hours with a daily and a weekly rhythm, gaps, faults and places."""
    rng = np.random.default_rng(1)
    hours = np.arange(24 * DAYS)
    rhythm = 1.2 + np.sin(2 * np.pi * (hours % 24 - 8) / 24) + 0.3 * np.sin(4 * np.pi * hours / 24)
    weekend = np.where(hours // 24 % 7 >= 5, 0.6, 1.0)
    level = np.array([900, 420, 260, 130, 1500, 75])[: len(sensors)]
    noise = np.array([0.05, 0.1, 0.12, 0.35, 0.15, 0.2])[: len(sensors)]
    values = (
        (rhythm * weekend)[:, None]
        * level
        * (1 + noise * rng.standard_normal((len(hours), len(level))))
    )
    values = np.maximum(values, 0).astype(np.float32)
    values[100:160, 0] = np.nan
    values[rng.random(values.shape) < 0.02] = np.nan
    if sensors == SENSORS:
        values[: 24 * (DAYS - 2), 5] = np.nan
    mended = "treated as missing"
    faults = (
        Fault(
            "stuck",
            "warning",
            "the same value 40 times",
            mended,
            sensors[0],
            40,
            "2024-03-09 02:00",
        ),
        Fault(
            "stuck",
            "warning",
            "the same value 31 times",
            mended,
            sensors[-1],
            31,
            "2024-03-05 11:00",
        ),
        Fault(
            "guessed-time", "note", "column 'from' was read as time", "pass `time=` if it is not"
        ),
        Fault("sentinel", "warning", "-1 is no data", mended, sensors[0], 12, "2024-03-20 00:00"),
    )
    places = np.column_stack([59.9 + 0.03 * np.arange(6), 10.7 + 0.05 * np.sin(np.arange(6))])
    return SensorFrame(
        values=values,
        clock=Clock(dt.datetime(2024, 3, 3, 23), dt.timedelta(hours=1), "Europe/Oslo"),
        sensors=sensors,
        quantity=Quantity("traffic_volume", "veh/h", low=0, domain="traffic"),
        country="NO",
        places=places[: len(sensors)],
        faults=faults,
        source="loops.csv",
    )  # fmt: skip


def spread(mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Normal quantiles at LEVELS around a mean, along a new last axis."""
    z = np.array([-1.645, -1.282, -0.842, -0.524, -0.253, 0, 0.253, 0.524, 0.842, 1.282, 1.645])
    return np.maximum(mean[..., None] + scale[..., None] * z, 0).astype(np.float32)


def measure(frame: SensorFrame, *, worse: float = 1.0, origins: int = 14) -> Scores:
    """A backtest of a made-up model: the smooth rhythm, times `worse`."""
    first = len(frame) - origins * HORIZON
    index = first + HORIZON * np.arange(origins)
    steps = index[:, None] + np.arange(HORIZON)
    weeks = frame.values[:first].reshape(-1, 168, len(frame.sensors))
    known = np.isfinite(weeks)
    past = np.nan_to_num(weeks).sum(0) / np.maximum(known.sum(0), 1)
    past[:, ~known.any((0, 1))] = 70
    tuned = (worse * past[steps % 168]).astype(np.float32)
    means = {
        "tuned": tuned,
        "zero-shot": 1.12 * tuned / worse,
        "naive-day": frame.values[steps - 24],
        "naive-week": frame.values[steps - 168],
        "boosting": tuned / worse * 0.97,
    }
    actual = frame.values[steps]
    quantiles = spread(tuned, 0.15 * past[steps % 168])
    inside = (actual >= quantiles[..., 0]) & (actual <= quantiles[..., -1])
    models = {}
    for name, mean in means.items():
        error, able = np.abs(mean - actual), name != "zero-shot"
        width = float((quantiles[..., -1] - quantiles[..., 0]).mean())
        models[name] = {
            "mae": float(np.nanmean(error)),
            "rmse": float(np.sqrt(np.nanmean(error**2))),
            "mase": float(np.nanmean(error) / 90),
            "wql": float(np.nanmean(error) / 800),
            "coverage_90": float(inside[np.isfinite(actual)].mean()) if able else float("nan"),
            "width_90": width if able else float("nan"),
        }
    start, end = frame.clock.text(int(index[0])), frame.clock.text(int(steps[-1, -1]))
    detail = Detail(actual, means, quantiles, index, frame)
    wanted = (Alert(1000.0), Alert(rarest=0.05), Alert(90_000.0))
    return Scores(
        models, start, end, origins, detail, refitted=True, regions=regions(detail),
        alerts=tuple(score_alert(alert, detail) for alert in wanted),
    )  # fmt: skip


def ahead(frame: SensorFrame) -> Forecast:
    """A forecast of the day after the last row."""
    mean = np.nan_to_num(frame.values[-168 : -168 + HORIZON], nan=70.0)
    quantiles = spread(mean, 0.12 * mean + 5)
    clock = frame.clock.shifted(len(frame))
    quality = np.full(mean.shape, "model", object)
    quality[:, [name == "New tunnel" for name in frame.sensors]] = "fallback: yesterday"
    return Forecast(mean, quantiles, clock, frame.sensors, frame.quantity, quality=quality)


def write(sensors: tuple[str, ...] = SENSORS, *, places: bool = True, worse: float = 1.0) -> str:
    frame = city(sensors)
    frame = frame if places else replace(frame, places=None)
    scores = measure(frame, worse=worse)
    made = dt.date(2024, 4, 14)
    report = Report(
        frame, FakeModel(frame), scores, ahead(frame), advice=f"1. ttm-r2 {EVIL}", made=made
    )
    return report.html()


@pytest.fixture(scope="module")
def page() -> str:
    return write()


def plain(page: str) -> str:
    """Without the marks that keep a date on one line."""
    return re.sub(r'<span class="time">([^<]*)</span>', r"\1", page)


def words(page: str) -> str:
    """What a reader without JavaScript sees."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", " ", plain(page), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", bare))


def charts(page: str) -> dict[str, dict]:
    found = re.findall(r'<script type="text/plain" id="([^"]+)">(.*?)</script>', page, flags=re.S)
    return {
        name: json.loads(gzip.decompress(base64.b64decode(text)))
        for name, text in found
        if f'data-chart="{name}"' in page
    }


def test_the_headline_is_the_ratio_of_mean_errors(page: str) -> None:
    scores = measure(city())
    rival = min(scores.models["naive-week"]["mae"], scores.models["naive-day"]["mae"])
    less = 100 * (1 - scores.models["tuned"]["mae"] / rival)
    assert less > 1
    assert (
        f"On 14 test days, the tuned model&#39;s mean error was {less:.0f}\xa0% lower than that of "
        "last week&#39;s values." in page
    )


def test_what_is_missing_is_rounded_as_everywhere(page: str) -> None:
    share = re.search(r"([\d.]+)\s%\sof all values", words(page))
    assert share is not None
    assert f"{share[1]} % missing" in repr(city())


def test_a_model_that_is_worse_is_said_to_be_worse() -> None:
    text = words(write(worse=1.6))
    assert "higher than that of last week&#39;s values." in text
    assert "The simple rule is better here" in text
    assert "In the test, fine-tuning did not help: " in text


def test_names_from_the_file_cannot_become_markup(page: str) -> None:
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert page.count("<script") == page.count("</script>")


def test_the_page_asks_for_nothing_outside_itself(page: str) -> None:
    outer = re.sub(r"<script\b.*?</script>", "", page, flags=re.S)
    assert not re.search(r"https?://", outer)
    assert not re.search(r"<script[^>]*\bsrc=", page)
    assert not re.search(r"url\(|@import", outer)
    assert "default-src 'none'" in page
    assert len(page.encode()) < 1_200_000


def test_without_javascript_the_words_and_tables_carry_everything(page: str) -> None:
    text = words(page)
    for said in (
        "Ring road", "loops.csv", "local time of Europe/Oslo", "veh/h", "2024-03-05 11:00",
        "treated as missing", "Tiny Time Mixers r2", "In the first hours mostly the plain forecast",
        "Too little history: New tunnel", "the pretrained model without fine-tuning",
        "up to 6 hours ahead",
        "Time it took", "from 14 origins",
    ):  # fmt: skip
        assert said in text, said


def test_faults_of_a_kind_are_one_row_with_the_sum_and_the_first(page: str) -> None:
    row = next(r for r in page.split("<tr ") if "</span>: stuck" in r)
    assert "<span>71</span>" in row
    assert "2024-03-05 11:00" in row


def test_every_chart_has_words_for_those_who_cannot_see_it(page: str) -> None:
    plots = re.findall(r'<div class="plot[^>]*>', page)
    assert len(plots) == len(charts(page)) >= 10
    assert all(re.search(r'role="group" aria-label="[^"]{15,}"', plot) for plot in plots)


def test_no_chart_is_called_like_another_part_of_the_page() -> None:
    """The script would take that part for the chart's data, and draw none at all."""
    folder = Path(ct.reporting.__file__).parent / "templates"
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.html")]
    charts = [name for text in texts for name in re.findall(r'\bchart\("([\w-]+)"', text)]
    others = {name for text in texts for name in re.findall(r'\bid="([\w-]+)"', text)}
    assert {"what-moved", "levels"} <= {*charts}
    assert len({*charts}) == len(charts)
    assert not others & {*charts}


def test_a_chart_does_not_repeat_what_the_page_says_above_it(page: str) -> None:
    layouts = [chart["layout"] for name, chart in charts(page).items() if name.startswith("next-")]
    assert layouts
    assert not any(layout.get("annotations") for layout in layouts)
    assert not any(layout["xaxis"].get("title", {}).get("text") for layout in layouts)


def test_every_colour_has_a_counterpart_in_the_dark(page: str) -> None:
    dark = json.loads(re.search(r'id="dark">(.*?)</script>', page)[1])
    scale = "Cividis"
    for name, chart in charts(page).items():
        for trace in chart["data"]:
            trace.get("marker", {}).pop("colorscale", scale)
        text = json.dumps(chart).replace(" ", "")
        used = set(re.findall(r"#[0-9a-f]{6}\b|rgba\([^)]*\)", text)) - {"rgba(0,0,0,0)"}
        assert used <= set(dark), name
    style = re.search(r"<style>(.*?)</style>", page, flags=re.S)[1]
    light, deep = style.split("prefers-color-scheme: dark", 1)
    for name in ("tuned", "zero-shot", "naive"):
        at = re.search(rf"--{name}: (#\w+)", light)[1]
        assert dark[at] == re.search(rf"--{name}: (#\w+)", deep)[1]


def test_a_lone_sensor_is_shown_once_and_has_no_map() -> None:
    page = write(("Ring road",))
    assert page.count("<h3>Ring road</h3>") == 1
    assert "The only sensor" in page
    assert "map" not in charts(page)


def test_no_map_is_drawn_without_places() -> None:
    assert "map" not in charts(write(SENSORS[:3], places=False))


def test_nothing_measured_on_the_held_out_days_still_makes_a_page() -> None:
    frame = city(SENSORS[:2])
    scores = measure(frame)
    scores.detail.actual[:] = np.nan
    unknown = {name: dict.fromkeys(row, float("nan")) for name, row in scores.models.items()}
    page = Report(frame, FakeModel(frame), replace(scores, models=unknown), ahead(frame)).html()
    assert "Nothing was measured in the test period" in page
    assert "levels" not in charts(page)


def test_without_a_holdout_the_page_says_so_and_still_forecasts() -> None:
    frame = city()
    page = Report(frame, FakeModel(frame), None, ahead(frame)).html()
    text = words(page)
    assert "Not tested yet: the history is too short" in text
    assert set(charts(page)) == {"next-1", "next-2", "daymap"}
    assert "Busiest sensor." in text
    for section in ("comparison", "when", "intervals", "rare", "where"):
        assert f'href="#{section}"' not in page
        assert f'id="{section}"' not in page


def test_a_sensor_with_too_little_history_is_named_and_its_forecast_shown(page: str) -> None:
    assert "<h3>New tunnel</h3>" in page
    assert "Too little history to learn from" in words(page)
    assert "then the forecast of a simple rule with its" in words(page)


def test_an_image_network_is_not_said_to_forecast_without_fine_tuning() -> None:
    frame = city(SENSORS[:2])
    scores = replace(measure(frame), anchored=True)
    text = words(Report(frame, FakeModel(frame, card=IMAGENET), scores, ahead(frame)).html())
    assert "the pretrained model without fine-tuning" not in text
    assert "lower error than the seasonal rule that tuning started from" in text
    assert "efficientnet-lite0 was not made to forecast" in text


def test_an_image_network_without_a_zero_shot_forecast_says_why() -> None:
    frame = city(SENSORS[:2])
    scores = measure(frame)
    scores.models.pop("zero-shot")
    scores.detail.points.pop("zero-shot")
    text = words(Report(frame, FakeModel(frame, card=IMAGENET), scores, ahead(frame)).html())
    assert "efficientnet-lite0 was not made to forecast and cannot do so without" in text


def test_gains_in_rare_values_stand_beside_their_price(page: str) -> None:
    text = words(page)
    assert re.search("The tuned model has .* for the rarest values; .* for typical values[.]", text)
    for row in ("Few: the rarest 10", "Medium: the next 30", "Many: the most typical 60"):
        assert f"{row} %" in text
    assert "Alert: traffic volume > 1000 veh/h" in page.replace("&gt;", ">")
    assert "Thresholds: above" in text
    assert text.count("episodes warned of") >= 2


def test_a_threshold_no_value_ever_passed_is_said_and_has_no_table(page: str) -> None:
    said = page.split("Alert: traffic volume &gt; 90000 veh/h")[1].split("<details>", maxsplit=1)[0]
    assert "was above 90,000 veh/h (the highest was" in said
    assert "this test cannot tell how well such values are warned of" in said
    assert "<table" not in said
    assert "nan" not in said


def test_the_bars_of_the_stack_fill_their_width(page: str) -> None:
    bars = re.findall(r'<div class="bar".*?</div>', page, flags=re.S)
    assert len(bars) == 2
    for bar in bars:
        assert sum(map(float, re.findall(r"flex: ([\d.]+)", bar))) == pytest.approx(100, abs=0.5)
    assert "the pretrained model&#39;s own forecast" in page


def test_five_hundred_sensors_fit_in_a_mail() -> None:
    many = city().select([SENSORS[i] for i in range(2)])
    names = tuple(f"loop {i:03d}" for i in range(500))
    rng = np.random.default_rng(0)
    values = np.repeat(many.values, 250, 1) * rng.uniform(0.5, 2, 500).astype(np.float32)
    frame = SensorFrame(values, many.clock, names, many.quantity, places=rng.random((500, 2)))
    page = Report(frame, FakeModel(frame), measure(frame), ahead(frame)).html()
    assert len(page.encode()) < 8_000_000
    assert "The sensors with the largest relative errors; 300 better ones are left out" in page


def test_the_same_inputs_give_the_same_page(page: str) -> None:
    assert write() == page


def test_the_page_names_the_version_and_the_day_it_was_made(page: str) -> None:
    assert f"Made with citytune {ct.__version__} on 2024-04-14." in words(page)


def test_messages_on_the_page_speak_neither_python_nor_backticks(page: str) -> None:
    assert "`" not in words(page)
    assert "pass the option “time” if it is not" in words(page)


def test_a_model_fitted_once_more_after_the_test_is_said_to_be() -> None:
    frame = city(SENSORS[:2])
    scores = replace(measure(frame), refitted=False)  # as a run does it: test, then fit on all
    text = words(Report(frame, FakeModel(frame), scores, ahead(frame)).html())
    assert "The model for the future was then fitted on everything." in text
    assert "Final model fitted on data up to" in text


def test_a_section_is_called_the_same_in_the_menu_and_above_it(page: str) -> None:
    for name in ("model", "data", "method", "when"):
        menu = re.search(rf'<a href="#{name}">(.*?)</a>', page)[1]
        assert f'<h2 id="h-{name}">{menu}</h2>' in page


def test_the_report_writes_one_file(tmp_path: Path) -> None:
    frame = city(SENSORS[:2])
    path = Report(frame, FakeModel(frame), measure(frame), ahead(frame)).write(
        tmp_path / "report.html"
    )
    assert [path] == list(tmp_path.iterdir())


def test_the_levels_of_the_fakes_are_those_of_a_forecast() -> None:
    assert ahead(city()).quantiles.shape[-1] == len(LEVELS)


@pytest.mark.extras
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
@pytest.mark.parametrize("width", [390, 1400])
def test_a_real_browser_draws_every_chart_without_complaint(
    page: str, tmp_path: Path, width: int
) -> None:
    # Headless Chromium has no mouse; only with one are there buttons to look at.
    (tmp_path / "report.html").write_text(page.replace("<head>", f"<head>{MOUSE}"), "utf-8")
    # A frame may be as narrow as a phone, a window of headless Chromium may not.
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.replace("WIDTH", str(width)), encoding="utf-8")
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
        "--disable-sync", "--disable-background-networking", "--disable-component-update",
        "--no-first-run", "--allow-file-access-from-files", "--enable-logging=stderr", "--v=0",
        "--virtual-time-budget=10000", "--window-size=1500,3000", "--dump-dom",
        f"--user-data-dir={tmp_path / 'profile'}", frame.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    said = dict(re.findall(r'data-(\w+)="(-?\d+)"', done.stdout))
    assert int(said["inner"]) == width
    assert int(said["drawn"]) == int(said["plots"]) == len(charts(page))
    assert int(said["over"]) <= 0, "the page is wider than the screen"
    assert int(said["clipped"]) == 0
    assert int(said["offers"]) == int(said["links"]) == 0, "a control leads out of the page"
    assert int(said["buttons"]) > 0, "this browser shows no buttons, so that proves nothing"
    assert int(said["nested"]) == 0, "a picture holds controls"
    # A broken content policy (any request) and any script error are written to the console.
    assert "CONSOLE" not in done.stderr, done.stderr

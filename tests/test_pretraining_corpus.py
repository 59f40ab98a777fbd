"""A corpus takes every set it can read, says what it left out, and never learns from an exam."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from citytune._errors import InputError, UnknownName
from citytune.frame import SensorFrame
from citytune.pretraining._corpus import read_corpus
from citytune.pretraining._listing import read_listing
from citytune.pretraining._source import Corpus, Source
from citytune.readers import read

ROOT = Path(__file__).parents[1]
LISTING = ROOT / "scripts" / "citytune-base.toml"
CATALOG = Path(os.environ.get("CITYTUNE_DATA", ROOT.parent / "shared" / "data")) / "catalog.json"
EXAMS = (
    "etth1",
    "etth2",
    "ETTh",
    "gefcom2012_load",
    "gefcom2014_load",
    "beijing_aqi36_pm25",
    "beijing_metro_15min",
    "hangzhou_metro_inflow",
    "jonas_",
    "los_loop_metr_la_week",
    "capital_bikeshare_hourly",
    "london_",
    "adelaide_demand",
)
IN_THE_SAMPLE = ("metro_interstate_94", "beijing_us_embassy_pm25", "household_power_15min")


@pytest.fixture(autouse=True)
def listings_tell_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CITYTUNE_DATA", raising=False)


def write(
    path: Path,
    *,
    step: str = "1h",
    days: float = 14,
    start: dt.datetime = dt.datetime(2024, 1, 1),
    **sensors: Any,
) -> Path:
    """A wide table of `sensors`, each a function of the step's number; by default two waves."""
    times = pl.datetime_range(
        start, start + dt.timedelta(days=days), step, closed="left", eager=True
    ).alias("time")
    number = np.arange(len(times))
    waves = {
        "north": lambda i: 100 + 50 * np.sin(i / 4),
        "south": lambda i: 60 + 30 * np.cos(i / 5),
    }
    columns = {name: made(number) for name, made in (sensors or waves).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pl.DataFrame({"time": times, **columns})
    if path.suffix == ".parquet":
        table.write_parquet(path)
    else:
        table.write_csv(path)
    return path


def listing(folder: Path, text: str) -> Path:
    path = folder / "corpus.toml"
    path.write_text(text, "utf-8")
    return path


def on(corpus: Corpus, steps_per_day: int) -> Source:
    return next(one for one in corpus.sources if one.steps_per_day == steps_per_day)


def wall(source: Source) -> np.ndarray:
    """Hour of the day of every step."""
    return np.asarray(source.share * 24, np.float64)


# --- what a source holds ---


def test_a_file_becomes_sensors_by_time_with_a_calendar(tmp_path: Path) -> None:
    path = write(tmp_path / "loops.parquet")
    source = on(read_corpus([path]), 24)
    table = pl.read_parquet(path)
    assert source.values.shape == (2, 14 * 24)
    np.testing.assert_allclose(source.values[0], table["north"], rtol=1e-6)
    assert wall(source)[:3].round(6).tolist() == [0, 1, 2]
    expected = [(time.weekday()) for time in table["time"]]
    assert source.weekday.tolist() == expected
    assert not source.holiday.any()


def test_the_domain_is_the_folder_then_the_quantity_then_other(tmp_path: Path) -> None:
    write(tmp_path / "air" / "one.parquet")
    write(tmp_path / "two.parquet", pm25=lambda i: 10 + i % 7)
    write(tmp_path / "three.parquet")
    corpus = read_corpus([tmp_path])
    assert {source.name: source.domain for source in corpus.sources} == {
        "one": "air",
        "two": "air",
        "three": "other",
    }


def test_a_folder_is_read_in_the_order_of_names_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b/second.csv", "a/first.parquet", ".cache/old.parquet", "c/.hidden.csv"):
        write(tmp_path / name)
    (tmp_path / "notes.md").write_text("no table")
    assert [one.name for one in read_corpus([tmp_path]).sets] == ["first", "second"]


def test_two_files_of_one_name_stay_two_sets(tmp_path: Path) -> None:
    write(tmp_path / "a" / "loops.csv")
    write(tmp_path / "b" / "loops.csv")
    assert [one.name for one in read_corpus([tmp_path]).sets] == ["loops", "loops (2)"]


def test_holidays_are_those_of_the_listed_country(tmp_path: Path) -> None:
    write(tmp_path / "loops.csv", start=dt.datetime(2024, 5, 13))
    text = '[[set]]\nfile = "loops.csv"\ncountry = "NO"\n'
    source = on(read_corpus([listing(tmp_path, text)]), 24)
    assert np.flatnonzero(source.holiday).tolist() == list(range(4 * 24, 5 * 24)) + list(
        range(6 * 24, 8 * 24)
    )  # 17 May, Pentecost and the Monday after


def test_times_written_in_another_zone_are_shown_by_the_local_clock(tmp_path: Path) -> None:
    write(tmp_path / "loops.csv", start=dt.datetime(2024, 3, 28), days=8)
    text = '[[set]]\nfile = "loops.csv"\nwritten = "UTC"\ntimezone = "Europe/Oslo"\n'
    source = on(read_corpus([listing(tmp_path, text)]), 24)
    assert wall(source)[0] == pytest.approx(1)  # winter: UTC + 1
    assert wall(source)[-1] == pytest.approx(1)  # 23:00 in summer: UTC + 2
    assert source.values.shape[1] == 8 * 24


# --- coarser copies ---


@pytest.mark.parametrize(
    ("step", "days", "expected"),
    [
        ("1m", 6, [1440, 144, 96, 48, 24]),
        ("5m", 6, [288, 144, 96, 48, 24]),
        ("10m", 6, [144, 48, 24]),
        ("15m", 6, [96, 48, 24]),
        ("20m", 6, [72, 24]),
        ("30m", 6, [48, 24]),
        ("1h", 6, [24, 8]),
        ("1h", 320, [24, 8, 1]),
        ("1d", 320, [1]),
    ],
)
def test_a_set_is_given_on_coarser_clocks(
    tmp_path: Path, step: str, days: int, expected: list[int]
) -> None:
    corpus = read_corpus([write(tmp_path / "loops.parquet", step=step, days=days)])
    assert [source.steps_per_day for source in corpus.sources] == expected
    assert {source.name for source in corpus.sources} == {"loops"}


def test_a_coarse_step_is_the_mean_of_what_was_measured_if_that_is_half(tmp_path: Path) -> None:
    def gappy(i: np.ndarray) -> np.ndarray:
        values = 10.0 + i % 12
        values[12:14] = np.nan  # 10 of 12 left in the second hour
        values[24:30] = np.nan  # half of the third
        values[36:43] = np.nan  # 5 of 12 left in the fourth
        return values

    path = write(tmp_path / "loops.parquet", step="5m", days=6, flow=gappy)
    hourly = on(read_corpus([path]), 24).values[0]
    fine = pl.read_parquet(path)["flow"].to_numpy().reshape(-1, 12)
    expected = [fine[0].mean(), np.nanmean(fine[1]), np.nanmean(fine[2]), np.nan]
    np.testing.assert_allclose(hourly[:4], expected, rtol=1e-6)
    np.testing.assert_allclose(hourly[4:], fine[4:].mean(1), rtol=1e-6)


def test_coarse_steps_begin_at_local_midnight(tmp_path: Path) -> None:
    write(tmp_path / "loops.parquet", start=dt.datetime(2024, 1, 1, 5), days=7)
    text = '[[set]]\nfile = "loops.parquet"\nwritten = "UTC"\ntimezone = "Asia/Kolkata"\n'
    source = on(read_corpus([listing(tmp_path, text)]), 8)  # 05:00 UTC is 10:30 there
    assert wall(source)[:4].round(6).tolist() == [9, 12, 15, 18]
    values = pl.read_parquet(tmp_path / "loops.parquet")["north"].to_numpy()
    assert source.values[0, 0] == pytest.approx(values[:2].mean(), rel=1e-6)  # 10:30 and 11:30
    assert source.values[0, 1] == pytest.approx(values[2:5].mean(), rel=1e-6)


def test_the_hour_that_comes_twice_in_autumn_is_one_coarse_step(tmp_path: Path) -> None:
    write(tmp_path / "loops.parquet", step="30m", start=dt.datetime(2024, 10, 24), days=8)
    text = '[[set]]\nfile = "loops.parquet"\nwritten = "UTC"\ntimezone = "Europe/Oslo"\n'
    source = on(read_corpus([listing(tmp_path, text)]), 24)
    assert (np.diff(wall(source)) % 24).round(6).tolist() == [1.0] * (source.length - 1)
    assert np.isfinite(source.values).all()


def test_most_sensors_holds_on_the_own_clock_and_chooses_evenly(tmp_path: Path) -> None:
    sensors: dict[str, Any] = {f"s{n}": (lambda i, n=n: n + np.sin(i)) for n in range(9)}
    write(tmp_path / "loops.parquet", step="30m", **sensors)
    text = '[[set]]\nfile = "loops.parquet"\nmost_sensors = 3\n'
    corpus = read_corpus([listing(tmp_path, text)])
    assert on(corpus, 48).values.mean(1).round().tolist() == [0, 4, 8]
    assert len(on(corpus, 24).values) == 9


def test_a_listing_chooses_the_clocks(tmp_path: Path) -> None:
    write(tmp_path / "loops.parquet", step="15m")
    text = '[[set]]\nfile = "loops.parquet"\nclocks = ["1h", "60min", "2h"]\n'
    corpus = read_corpus([listing(tmp_path, text)])
    assert [source.steps_per_day for source in corpus.sources] == [24, 12]


# --- what must not be learnt from ---


def test_excepted_times_are_missing_on_every_clock(tmp_path: Path) -> None:
    write(tmp_path / "loops.parquet", step="30m", days=20)
    text = (
        '[[set]]\nfile = "loops.parquet"\n'
        "except = [[2024-01-05, 2024-01-07], ['2024-01-10T06:00', 2024-01-10T09:00:00]]\n"
    )
    corpus = read_corpus([listing(tmp_path, text)])
    for source in corpus.sources:
        day = source.steps_per_day
        out = np.zeros(source.length, bool)
        out[4 * day : 6 * day] = True
        out[9 * day + day // 4 : 9 * day + day * 3 // 8] = True
        assert np.isnan(source.values[:, out]).all()
        assert np.isfinite(source.values[:, ~out]).all()
    (facts,) = corpus.sets
    assert facts.left_out[0] == ("2024-01-05 00:00", "2024-01-07 00:00")


def test_nothing_after_before_is_left(tmp_path: Path) -> None:
    write(tmp_path / "loops.parquet", days=20)
    text = '[[set]]\nfile = "loops.parquet"\nbefore = "2024-01-11"\n'
    corpus = read_corpus([listing(tmp_path, text)])
    assert on(corpus, 24).length == 10 * 24
    assert on(corpus, 8).length == 10 * 8
    assert corpus.sets[0].last == "2024-01-10 23:00"


def test_a_step_that_reaches_into_an_excepted_time_is_out_too(tmp_path: Path) -> None:
    write(tmp_path / "loops.parquet", days=50, step="1d", start=dt.datetime(2024, 1, 1))
    text = '[[set]]\nfile = "loops.parquet"\nexcept = [[2024-01-10T12:00:00, 2024-01-11T12:00:00]]'
    values = on(read_corpus([listing(tmp_path, text)]), 1).values
    assert np.flatnonzero(np.isnan(values[0])).tolist() == [9, 10]


def test_the_listing_of_citytune_base_holds_no_exam() -> None:
    entries = read_listing(LISTING)
    for entry in entries:
        assert not entry.path.name.startswith((*EXAMS, *IN_THE_SAMPLE))
        assert entry.licence
        assert entry.citation
        assert entry.domain in ("traffic", "energy", "air")
        if entry.path.name.startswith("beijing_"):
            assert (dt.datetime(2013, 2, 28), dt.datetime(2015, 5, 8)) in entry.cut
    names = [entry.name for entry in entries]
    assert len(set(names)) == len(names)


def test_the_notice_names_everyone_whose_data_the_listing_has() -> None:
    notice = " ".join((ROOT / "NOTICE").read_text(encoding="utf-8").split())
    for entry in read_listing(LISTING):
        first = re.split(r"[;,(]| and | et al| \d", entry.citation)[0].strip()
        assert re.sub(r"( [A-Z]\.)+$", "", first) in notice, entry.citation


def test_every_listed_set_may_be_redistributed() -> None:
    if not CATALOG.exists():
        pytest.skip("../shared/data is not here")
    allowed = {
        one["name"] for one in json.loads(CATALOG.read_text()) if one["redistributable"] is True
    }
    listed = {f"{one.path.parent.name}/{one.path.stem}" for one in read_listing(LISTING)}
    assert listed <= allowed
    known = {
        f"{folder}/{name}" for folder in ("air", "energy", "traffic") for name in IN_THE_SAMPLE
    }
    left_out = {one for one in allowed - listed - known if not one.startswith("images/")}
    assert left_out == {"air/beijing_multisite_pm25"}  # also in beijing_multisite


@pytest.fixture(scope="module")
def base() -> Corpus:
    if not CATALOG.exists():
        pytest.skip("../shared/data is not here")
    return read_corpus([LISTING])


@pytest.mark.extras
def test_the_corpus_of_citytune_base_has_every_listed_set(base: Corpus) -> None:
    assert not [str(one) for one in base.skipped if one.whole]
    assert [one.name for one in base.sets] == [one.name for one in read_listing(LISTING)]
    for source in base.sources:
        assert source.values.dtype == np.float32
        assert not np.isinf(source.values).any()
        assert {source.length} == {
            len(source.share),
            len(source.weekday),
            len(source.holiday),
        }
        assert 0 <= source.share.min() <= source.share.max() < 1


@pytest.mark.extras
def test_beijing_is_not_learnt_from_while_another_set_is_tested_there(base: Corpus) -> None:
    hourly = [s for s in base.sources if s.name.startswith("beijing") and s.steps_per_day == 24]
    learnt = (dt.datetime(2017, 3, 1) - dt.datetime(2015, 5, 8)) / dt.timedelta(hours=1)
    assert len(hourly) == 6
    for source in hourly:
        assert source.length <= learnt
    facts = [one for one in base.sets if one.name.startswith("beijing")]
    assert min(one.first for one in facts) >= "2015-05-08"


# --- bad input ---


def test_what_cannot_be_used_is_skipped_with_its_reason(tmp_path: Path) -> None:
    write(tmp_path / "good.csv")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 torn")
    (tmp_path / "header.csv").write_text("time,flow\n")
    (tmp_path / "prose.csv").write_text("nobody measured\nanything here\n")
    write(tmp_path / "brief.csv", days=2)
    write(tmp_path / "flat.csv", flow=lambda i: 0 * i + 7.0)
    write(tmp_path / "void.csv", flow=lambda i: i * np.nan)
    write(tmp_path / "odd.csv", step="7m")
    write(tmp_path / "weekly.csv", step="1w", days=700)
    messy = pl.DataFrame(
        {
            "time": [
                dt.datetime(2024, 1, 1) + dt.timedelta(seconds=int(s))
                for s in np.random.default_rng(0).integers(0, 10**7, 300).cumsum()
            ],
            "flow": np.random.default_rng(1).normal(size=300),
        }
    )
    messy.write_csv(tmp_path / "messy.csv")
    corpus = read_corpus([tmp_path])
    assert [one.name for one in corpus.sets] == ["good"]
    why = {one.name: one.why for one in corpus.skipped}
    names = ["brief", "empty", "flat", "header", "messy", "odd", "prose", "torn", "void", "weekly"]
    assert sorted(why) == names
    assert all(one.whole for one in corpus.skipped)
    assert "empty" in why["empty"]
    assert "48 steps of 1h are too few: at least 96 are needed" in why["brief"]
    assert "1 constant (flow)" in why["flat"]
    assert "all values are missing" in why["void"]
    assert "7min does not divide the day" in why["odd"]
    assert "7D does not divide the day" in why["weekly"]
    assert all("\n" not in reason for reason in why.values())


def test_sensors_that_teach_nothing_are_left_out_of_a_set(tmp_path: Path) -> None:
    def briefly(i: np.ndarray) -> np.ndarray:
        return np.where(i < 20, 5.0 + i, np.nan)

    path = write(
        tmp_path / "loops.parquet",
        good=lambda i: 5 + np.sin(i),
        dead=lambda i: i * np.nan,
        stuck=lambda i: 0 * i + 3.0,
        new=briefly,
    )
    corpus = read_corpus([path])
    assert len(on(corpus, 24).values) == 1
    (skipped,) = corpus.skipped
    assert not skipped.whole
    assert str(skipped) == (
        "loops: sensors left out: 1 never measured (dead), 1 measured for under 48 steps (new), "
        "1 constant (stuck)"
    )


def test_an_unforeseen_failure_of_one_file_skips_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "bad.csv")
    write(tmp_path / "good.csv")

    def failing(path: Path) -> SensorFrame:
        if path.name == "bad.csv":
            raise ZeroDivisionError("division by zero")
        return read(path)

    monkeypatch.setattr("citytune.pretraining._corpus.read", failing)
    corpus = read_corpus([tmp_path])
    assert [one.name for one in corpus.sets] == ["good"]
    assert "ZeroDivisionError" in corpus.skipped[0].why


def test_nothing_left_is_an_error_that_lists_the_reasons(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    write(tmp_path / "brief.csv", days=2)
    with pytest.raises(InputError, match="nothing to pretrain on") as raised:
        read_corpus([tmp_path])
    assert "brief: 48 steps" in str(raised.value)
    assert "empty: " in str(raised.value)


def test_no_path_and_a_path_that_is_not_there_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no path at all"):
        read_corpus([])
    with pytest.raises(InputError, match="is not there"):
        read_corpus([tmp_path / "nowhere"])
    with pytest.raises(InputError, match="cannot be read"):
        read_corpus([tmp_path / "nowhere.toml"])


def test_a_listed_file_that_is_not_there_is_skipped(tmp_path: Path) -> None:
    write(tmp_path / "here.csv")
    text = '[[set]]\nfile = "gone.csv"\n[[set]]\nfile = "here.csv"\n'
    corpus = read_corpus([listing(tmp_path, text)])
    assert [one.name for one in corpus.skipped] == ["gone"]
    assert "is not there" in corpus.skipped[0].why


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[[set]\n", "not valid TOML"),
        ("folders = 'data'\n", "Did you mean 'folder'"),
        ("set = 3\n", r"written as \[\[set\]\]"),
        ("[[set]]\nfile = 'a.csv'\nlicense = 'MIT'\n", "Did you mean 'licence'"),
        ("[[set]]\nname = 'a'\n", "needs a file"),
        ("[[set]]\nfile = 3\n", "file takes text"),
        ("[[set]]\nfile = 'a.csv'\nweight = -1\n", "weight takes a number above 0"),
        ("[[set]]\nfile = 'a.csv'\nweight = true\n", "weight takes a number above 0"),
        ("[[set]]\nfile = 'a.csv'\nmost_sensors = 0\n", "most_sensors takes a whole number"),
        ("[[set]]\nfile = 'a.csv'\nclocks = ['1 hour']\n", "steps that divide a day"),
        ("[[set]]\nfile = 'a.csv'\nclocks = ['7min']\n", "steps that divide a day"),
        ("[[set]]\nfile = 'a.csv'\nclocks = []\n", "steps that divide a day"),
        ("[[set]]\nfile = 'a.csv'\nexcept = ['2014-01-01']\n", r"list of \[from, to\]"),
        ("[[set]]\nfile = 'a.csv'\nexcept = [[2015-01-01, 2014-01-01]]\n", "holds no time"),
        ("[[set]]\nfile = 'a.csv'\nbefore = 'soon'\n", "times are written as"),
        ("[[set]]\nfile = 'a.csv'\nbefore = 2014-01-01T00:00:00Z\n", "in wall time"),
    ],
)
def test_a_wrong_listing_is_refused_with_the_remedy(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        read_corpus([listing(tmp_path, text)])


def test_an_unknown_key_is_an_unknown_name(tmp_path: Path) -> None:
    text = "[[set]]\nfile = 'a.csv'\ntime_zone = 'Europe/Oslo'\n"
    with pytest.raises(UnknownName, match="Did you mean 'timezone'"):
        read_corpus([listing(tmp_path, text)])


def test_the_variable_overrides_the_folder_of_a_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "elsewhere" / "loops.csv")
    path = listing(tmp_path, 'folder = "nowhere"\n[[set]]\nfile = "loops.csv"\n')
    monkeypatch.setenv("CITYTUNE_DATA", str(tmp_path / "elsewhere"))
    assert [one.name for one in read_corpus([path]).sets] == ["loops"]


# --- facts, progress, fingerprint ---


def test_the_facts_of_a_set_are_those_of_its_own_clock(tmp_path: Path) -> None:
    def gappy(i: np.ndarray) -> np.ndarray:
        return np.where(i % 4 == 3, np.nan, i % 50 + 1.0)

    write(tmp_path / "loops.parquet", step="30m", days=10, north=lambda i: i + 1.0, south=gappy)
    text = (
        '[[set]]\nfile = "loops.parquet"\nname = "ring road"\ndomain = "traffic"\nweight = 2\n'
        'quantity = "flow"\nunit = "veh"\nlicence = "CC0"\ncitation = "the city"\n'
    )
    (facts,) = read_corpus([listing(tmp_path, text)]).sets
    assert (facts.name, facts.domain, facts.quantity) == ("ring road", "traffic", "flow (veh)")
    assert (facts.clock, facts.clocks) == ("30min", ("30min", "1h"))
    assert (facts.sensors, facts.steps, facts.measured) == (2, 480, 480 + 360)
    assert (facts.first, facts.last) == ("2024-01-01 00:00", "2024-01-10 23:30")
    assert (facts.weight, facts.licence, facts.citation) == (2.0, "CC0", "the city")


def test_progress_is_told_for_every_set(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.csv")
    told: list[tuple[str, float]] = []
    read_corpus([tmp_path], progress=lambda text, share: told.append((text, share)))
    assert told == [("reading a", 0.0), ("reading b", 0.5), ("corpus read", 1.0)]


def test_the_fingerprint_tells_corpora_apart(tmp_path: Path) -> None:
    path = write(tmp_path / "loops.parquet")
    first = read_corpus([path]).fingerprint
    assert read_corpus([path]).fingerprint == first
    assert len(first) == 64
    write(path, days=15)
    assert read_corpus([path]).fingerprint != first
    write(path, north=lambda i: 100 + 51 * np.sin(i / 4), south=lambda i: 60 + 30 * np.cos(i / 5))
    assert read_corpus([path]).fingerprint != first

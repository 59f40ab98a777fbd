"""Promise: a run by groups is refreshed by groups, with the numbers and words of all at once."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from test_groups import READING, by_some

import citytune as ct
from citytune.frame import SensorFrame
from citytune.runs._record import fill
from citytune.runs.groups import _refresh

pytestmark = pytest.mark.usefixtures("plain_report")

OPTIONS: dict[str, Any] = {
    "horizon": 24, "backbone": "lags", "strategy": "zero-shot", "alerts": [">300", "top 5%"],
}  # fmt: skip
DAY, WEEK = 24, 7 * 24
SENSORS, GROUP = 5, 2
CLOSE = {"rtol": 1e-6, "atol": 1e-4}


@pytest.fixture(scope="module")
def frame(city: Callable[..., SensorFrame]) -> SensorFrame:
    return city(SENSORS, 77)


@pytest.fixture(scope="module")
def made(frame: SensorFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run by groups, and the same of all sensors at once, two weeks ago."""
    folder = tmp_path_factory.mktemp("made")
    before = frame.until(len(frame) - 2 * WEEK)
    ct.run(before, out=folder / "groups", engine="local", group=GROUP, **OPTIONS)
    ct.run(before, out=folder / "whole", **OPTIONS)
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "runs")
    return tmp_path / "runs"


def both(place: Path) -> tuple[ct.Run, ct.Run]:
    return ct.open_run(place / "groups"), ct.open_run(place / "whole")


def assert_same_forecast(groups: ct.Run, whole: ct.Run) -> None:
    one, other = groups.forecast(), whole.forecast()
    assert one.sensors == other.sensors
    np.testing.assert_allclose(one.mean, other.mean, **CLOSE)
    np.testing.assert_allclose(one.quantiles, other.quantiles, **CLOSE)
    for a, b in zip(one.alerts, other.alerts, strict=True):
        np.testing.assert_allclose(one.chance(a), other.chance(b), atol=1e-6)
    for found, wanted in (
        (one.total(), other.total()),
        (one.aggregate("1D", "max"), other.aggregate("1D", "max")),
    ):
        np.testing.assert_allclose(found.quantiles, wanted.quantiles, rtol=1e-5, atol=1e-3)


def assert_same_record(groups: ct.Run, whole: ct.Run) -> None:
    tables = [one.record.sort("issued", "sensor", "step") for one in (groups, whole)]
    assert tables[0].columns == tables[1].columns
    for name in ("actual", "point", "mean", "naive", "q05", "p_above_300", "limit_p_top_5"):
        one, other = (table[name].to_numpy() for table in tables)
        np.testing.assert_allclose(one, other, **CLOSE)


def assert_same_words(one: Any, other: Any) -> None:
    assert one.changes == other.changes
    assert one.how == other.how
    assert one.outlook.title == other.outlook.title
    for a, b in ((one.last, other.last), (one.record, other.record)):
        assert (a is None) == (b is None)
        if a is not None:
            assert (a.first, a.last, a.values) == (b.first, b.last, b.values)
            assert a[3:6] == pytest.approx(b[3:6], rel=1e-6)
            for name, pair in a.alerts.items():
                assert pair == pytest.approx(b.alerts[name], rel=1e-6)
    assert {row.sensor: row.chances for row in one.outlook.rows}.keys() == {
        row.sensor for row in other.outlook.rows
    }
    for a, b in zip(one.outlook.rows, other.outlook.rows, strict=True):
        assert a[1:4] == pytest.approx(b[1:4], rel=1e-5)
    assert [a[:2] for a in one.raised] == [b[:2] for b in other.raised]


def test_a_run_by_groups_keeps_what_one_at_once_keeps(place: Path) -> None:
    groups, whole = both(place)
    assert_same_forecast(groups, whole)
    assert_same_record(groups, whole)
    assert groups.changed() == ()


@pytest.mark.parametrize("by", ["auto", pytest.param("refit", marks=pytest.mark.extras)])
def test_a_refresh_by_groups_is_that_of_all(by: Any, place: Path, frame: SensorFrame) -> None:
    groups, whole = both(place)
    before = groups.scores
    for rows in (len(frame) - WEEK, len(frame)):
        one, other = (run.refresh(frame.until(rows), by=by) for run in (groups, whole))
        assert_same_words(one, other)
        assert_same_forecast(groups, whole)
        assert_same_record(groups, whole)
        assert groups.changed() == ()
    now, then = groups.scores, whole.scores
    assert now is not None
    assert then is not None
    assert before is not None
    assert (now["holdout"] == before["holdout"]) == (by != "refit")
    assert now["holdout"] == then["holdout"]
    assert now["record"].keys() == then["record"].keys()
    assert now["record"]["values"] == then["record"]["values"] > SENSORS * DAY
    assert now["record"]["weeks"].keys() == then["record"]["weeks"].keys()
    with pytest.raises(ct.InputError, match="the run is up to date"):
        groups.refresh(frame)


def test_new_rows_alone_will_do(place: Path, frame: SensorFrame, whole_report: None) -> None:
    groups, whole = both(place)
    week = frame.since(len(frame) - 2 * WEEK).until(WEEK)
    assert_same_words(groups.refresh(week), whole.refresh(week))
    assert_same_forecast(groups, whole)
    assert "What came true since" in groups.report.read_text("utf-8")
    with pytest.raises(ct.InputError, match="a refit needs the whole history"):
        groups.refresh(frame.since(len(frame) - WEEK), by="refit")


def test_a_sensor_stays_in_its_group(place: Path, frame: SensorFrame) -> None:
    groups = ct.open_run(place / "groups")
    names = [name for name in frame.sensors if name not in {"s1", "s4"}]  # all of the last group
    week = frame.select(names).until(len(frame) - WEEK)
    values = np.concatenate([week.values, week.values[:, :1] * 2], 1)
    week = replace(week, values=values, sensors=(*names, "new"), places=None)
    found = groups.refresh(week)
    assert [row.sensor for row in found.outlook.rows].count("new") == 1
    assert groups.forecast().sensors == (*names, "new")
    table = pl.read_parquet(place / "groups" / "groups" / "sensors.parquet")
    where = dict(table.rows())
    assert (where["s1"], where["s4"], where["new"]) == (0, 2, 2)
    assert found.record is not None
    assert found.record.values > 2 * DAY
    later = groups.refresh(frame.until(len(frame) - 1))
    assert later.record is not None
    assert "s4" in {row.sensor for row in later.outlook.rows}
    assert len(groups.record.filter(pl.col("sensor") == "s4")) == 2 * DAY


def test_a_frozen_sensor_gets_a_safe_forecast(place: Path, frame: SensorFrame) -> None:
    values = frame.values.copy()
    values[-10 * DAY :, 2] = values[-10 * DAY, 2]
    groups, whole = both(place)
    broken = replace(frame, values=values)
    one, other = (run.refresh(broken, by="update") for run in (groups, whole))
    assert [alarm.sentence for alarm in one.alarms] == [alarm.sentence for alarm in other.alarms]
    assert any(alarm.sensor == "s2" for alarm in one.alarms)
    assert_same_forecast(groups, whole)


class Elsewhere:
    """Workers that stand in another folder."""

    def __init__(self, folder: Path, draft: Path | None = None) -> None:
        self.folder, self.draft = folder, draft

    def map(self, function: Any, parts: Any) -> Any:
        for part in parts:
            if self.draft is not None and hasattr(function, "layout"):
                function = replace(function, layout=function.layout._replace(folder=self.draft))
            with contextlib.chdir(self.folder):
                yield function(part)

    def close(self) -> None:
        """Nothing was taken."""


def test_workers_may_stand_in_another_folder(
    place: Path, frame: SensorFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    run = ct.open_run("groups")
    before = len(run.record)
    refreshed = run.refresh(frame, by="update", engine=Elsewhere(tmp_path))
    assert refreshed.last is not None
    assert len(run.record) == 2 * before


def test_a_worker_that_does_not_see_the_run_is_told(
    place: Path, frame: SensorFrame, tmp_path: Path
) -> None:
    run, away = ct.open_run(place / "groups"), Elsewhere(tmp_path, tmp_path / "not" / "here")
    with pytest.raises(ct.RunError, match="that all machines of the cluster share"):
        run.refresh(frame, by="update", engine=away)
    assert run.changed() == ()
    assert not (tmp_path / "not").exists()


def test_many_sensors_are_not_fitted_twice(
    place: Path, frame: SensorFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_refresh, "SCORED", 3)
    found = ct.open_run(place / "groups").refresh(frame)
    assert "a refit, which takes all 5 sensors at once, was not compared" in found.how


def test_the_command_line_refreshes_by_groups(
    place: Path, frame: SensorFrame, tmp_path: Path, run: Callable[..., Any]
) -> None:
    source, options = tmp_path / "loops", [f"--{name}={value}" for name, value in READING.items()]
    by_some(frame.until(len(frame) - WEEK), source)
    (source / "bad.parquet").write_bytes(b"no table")
    code, out, err = run("refresh", place / "groups", source, "--engine", "local", *options)
    assert code == 2
    assert "bad.parquet" in err
    assert "168 new steps" in out
    assert "The last forecast: mean error" in out
    assert "Renewed in" in out
    code, _, err = run("refresh", place / "groups", source, *options)
    assert code == 2
    assert "bad.parquet" in err
    assert "the run is up to date" in err
    code, _, err = run("refresh", place / "whole", source, "--engine", "local", *options)
    assert code == 2
    assert "made at once and not by groups" in err
    code, _, err = run("update", place / "groups", source, *options)
    assert code == 2
    assert "citytune refresh" in err
    out = tmp_path / "stored.csv"
    code, _, err = run("forecast", place / "groups", "--out", out)
    assert (code, pl.read_csv(out).height) == (0, SENSORS * DAY), err
    damaged = place / "groups" / "groups" / "sensors.parquet"
    damaged.write_bytes(b"x")
    by_some(frame, tmp_path / "more")
    code, _, err = run("refresh", place / "groups", tmp_path / "more", "--update", *options)
    assert code == 2
    assert "sensors.parquet is damaged" in err
    assert json.loads(run("score", place / "groups", "--json")[1])["record"]["values"] > 4 * DAY


@pytest.fixture(scope="module")
def of_a_column(frame: SensorFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run by groups, made from one of the columns of a folder of Parquet."""
    folder = tmp_path_factory.mktemp("column")
    by_some(frame.until(len(frame) - WEEK), folder / "loops")
    options = OPTIONS | {"alerts": ()}
    ct.run(folder / "loops", out=folder / "run", engine="local", group=GROUP, **options, **READING)
    return folder / "run"


@pytest.mark.parametrize("what", ["forecast_into", "score_groups", "refresh"])
def test_a_source_without_the_column_of_the_run_is_refused(
    what: str, of_a_column: Path, frame: SensorFrame, tmp_path: Path
) -> None:
    shutil.copytree(of_a_column, tmp_path / "run")
    by_some(frame, tmp_path / "loops")
    for path in (tmp_path / "loops").glob("*.parquet"):
        pl.read_parquet(path).rename({"traffic_volume": "flow"}).write_parquet(path)
    run, given = ct.open_run(tmp_path / "run"), [tmp_path / "loops"]
    given += [tmp_path / "out"] if what == "forecast_into" else []
    with pytest.raises(ct.InputError, match=r"run was made from that column; .* target="):
        getattr(run, what)(*given)
    assert getattr(run, what)(*given, target="flow")


def test_a_frame_is_taken_as_it_is(of_a_column: Path, frame: SensorFrame, tmp_path: Path) -> None:
    found = ct.open_run(of_a_column).forecast_into(frame, tmp_path / "out")
    assert found.sensors == SENSORS


def test_covariates_from_elsewhere_are_asked_for_again(
    of_a_column: Path, frame: SensorFrame, tmp_path: Path
) -> None:
    run = ct.open_run(of_a_column)
    seal = run._whole()
    kept = {**seal.reading, "covariates_elsewhere": ["weather.csv"]}
    run.__dict__["_seal"] = replace(seal, reading=kept)
    by_some(frame, tmp_path / "loops")
    with pytest.raises(ct.InputError, match=r"covariates from weather\.csv"):
        run.forecast_into(tmp_path / "loops", tmp_path / "out")


def test_what_is_known_already_is_not_written_again(
    made: Path, frame: SensorFrame, tmp_path: Path
) -> None:
    shutil.copytree(made / "groups" / "groups" / "00000", tmp_path / "old")
    (table,) = (tmp_path / "old" / "record").glob("20*.parquet")
    rows = pl.read_parquet(table)
    rows.write_parquet(table, compression="uncompressed")  # unlike what a refresh would write
    for until, same in ((len(frame) - 2 * WEEK, True), (len(frame) - 2 * WEEK + 3, False)):
        draft = tmp_path / f"draft-{until}"
        draft.mkdir()
        fill(tmp_path / "old", draft, frame.until(until))
        found = draft / "record" / table.name
        assert (found.read_bytes() == table.read_bytes()) is same
    assert pl.read_parquet(found).drop("actual").equals(rows.drop("actual"))
    known = pl.read_parquet(found)["actual"].is_not_nan().sum()
    assert 0 < known - rows["actual"].is_not_nan().sum() <= 3 * GROUP
